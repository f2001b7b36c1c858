"""Checks of foreign files before they are opened: existence and type."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jetkit.errors import JetkitError

SIGNATURES = {"ROOT": b"root", "HDF5": b"\x89HDF\r\n\x1a\n", "NumPy (npz)": b"PK\x03\x04", "Parquet": b"PAR1"}
"""Kind of file → its first bytes."""


def check_file(path: Path, kind: str) -> None:
    """Refuse a path that is not a file of this kind.

    Raises:
        JetkitError: the file is absent, empty, a web page saved under this name, or of another kind.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except FileNotFoundError:
        raise JetkitError(f"{path} does not exist") from None
    except OSError as error:
        raise JetkitError(f"{path} cannot be read: {error.strerror}") from error
    if not head:
        raise JetkitError(f"{path} is empty: copy or download it again")
    if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise JetkitError(f"{path} is a web page, not a {kind} file: the download went wrong, fetch it again")
    if kind in SIGNATURES and not head.startswith(SIGNATURES[kind]):
        others = [name for name, start in SIGNATURES.items() if head.startswith(start)]
        found = f"a {others[0]} file" if others else "something else"
        raise JetkitError(f"{path} is {found}, not a {kind} file; see the formats with: jetkit convert --help")


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Convert any error of a library on a damaged file to one sentence.

    Raises:
        JetkitError: the library raised an error.
    """
    try:
        yield
    except JetkitError:
        raise
    except Exception as error:  # libraries raise anything on damaged files: assertions, struct errors, their own
        lines = str(error).strip().splitlines()
        reason = (lines[0] if lines else type(error).__name__)[:200]
        raise JetkitError(f"{path} cannot be read as {kind} ({reason}): copy or download it again") from error
