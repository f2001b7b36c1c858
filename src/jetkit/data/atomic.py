"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from jetkit.errors import JetkitError


def partial_of(path: Path) -> Path:
    """Where a file is written before it gets its name: beside it, and of this process alone."""
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def replace_file(path: Path, content: bytes) -> None:
    """Write a file in one stroke: a reader sees the old one or the new one, never a part.

    Raises:
        OSError: the file cannot be written; the old one is as it was.
    """
    partial = partial_of(path)
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        if partial.is_file():
            partial.unlink()


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, or leave the old one as it is.

    Raises:
        JetkitError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise JetkitError(f"cannot write {path} ({error.strerror or error}): choose another folder") from error
