"""Base class of the readers of foreign files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import ClassVar

from jetkit.data.columns import Column
from jetkit.data.ragged import Values
from jetkit.errors import JetkitError

Rows = dict[str, Values]
"""Column of jetkit → one value or one list per jet."""


class Reader(ABC):
    """An open foreign file, created as ``cls(path, *, options)`` and registered with ``kind="reader"``.

    A reader translates branches of the file to columns of jetkit. It neither judges jets nor derives columns that the
    file lacks; `jetkit.data.readers.complete` does this for all readers.

    Attributes:
        entries: number of entries in the file, each with any number of jets
        names: all branches in the file
        classes: names of the classes; the index is ``jet_label``
        skipped: reason → jets or entries left out in `read`
        companions: further files that `read` looks into; the card has their checksums too
    """

    suffixes: ClassVar[tuple[str, ...]]
    """Suffixes of the file names."""
    kept: ClassVar[Mapping[str, str]] = {}
    """Branch → its use."""
    dropped: ClassVar[Mapping[str, str]] = {}
    """Branch → reason for leaving it out. Branches in neither mapping are unknown, and listed in the card."""
    objects: ClassVar[str] = "part"
    """Kind of object that a row lists, which prefixes the list columns: ``part``, ``hit`` or ``cell``."""
    columns: ClassVar[Mapping[str, Column]] = {}
    """Additional columns of this format."""
    program: ClassVar[str] = "numpy"
    """Package that reads the files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries = 0
        self.names: Collection[str] = ()
        self.classes: tuple[str, ...] = ()
        self.skipped: Counter[str] = Counter()
        self.companions: tuple[Path, ...] = ()

    @abstractmethod
    def read(self, start: int, stop: int) -> Rows:
        """Read the jets of the entries from ``start`` to ``stop``; equal arguments give equal jets.

        Files with globally unique event numbers give them as ``event_id``. Others give ``entry``, the number of the
        entry in this file, which may be omitted if each entry is a row.

        Raises:
            JetkitError: the file is damaged there.
        """

    @property
    def unknown(self) -> list[str]:
        """Return the branches that this reader does not know."""
        return sorted(set(self.names) - self.kept.keys() - self.dropped.keys())

    def need(self, *branches: str) -> None:
        """Refuse a file that lacks any of the given branches.

        Raises:
            JetkitError: a branch is missing; the message names the first.
        """
        for name in branches:
            if name not in self.names:
                found = ", ".join(sorted(self.names)[:12])
                raise JetkitError(f"{self.path} has no branch {name}, so it is of another format; it has {found}")

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()
