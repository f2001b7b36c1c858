"""Atomic writing of files: completely or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from jetkit.errors import JetkitError


def partial_of(path: Path) -> Path:
    """Return the path of the temporary file beside a target, distinct for each process."""
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def replace_file(path: Path, content: bytes) -> None:
    """Write a file atomically: readers see the old file or the new one, never a part.

    Raises:
        OSError: the file cannot be written; the old file is unchanged.
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
    """Write a file atomically, or keep the old one.

    Raises:
        JetkitError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise JetkitError(f"cannot write {path} ({error.strerror or error}): choose another folder") from error
