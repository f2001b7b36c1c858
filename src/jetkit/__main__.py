"""``python -m jetkit``, for launchers such as torchrun that want a module."""

from jetkit.cli import main

if __name__ == "__main__":
    main()
