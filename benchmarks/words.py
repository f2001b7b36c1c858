"""The words after the name of a benchmark: folders, and options written key=value."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class Words:
    """Folders and options of a command.

    Raises:
        SystemExit: an option that `known` does not list.

    Example:
        >>> words = Words(["data/jets", "pairs=7"], known=("pairs", "jets"))
        >>> words.folders, words.number("pairs", 5), words.number("jets", 100)
        ([PosixPath('data/jets')], 7, 100)
    """

    def __init__(self, words: Sequence[str], known: Sequence[str]) -> None:
        self.options = dict(word.split("=", 1) for word in words if "=" in word)
        self.folders = [Path(word) for word in words if "=" not in word]
        unknown = [name for name in self.options if name not in known]
        if unknown:
            raise SystemExit(f"unknown option {unknown[0]}: the options are {', '.join(known)}")

    def number(self, name: str, default: int) -> int:
        """An option that is a whole number."""
        return int(self.options.get(name, default))

    def said(self, *names: str) -> str:
        """Those of the options that were given, in words."""
        return ", ".join(f"{name} {self.options[name]}" for name in names if name in self.options)
