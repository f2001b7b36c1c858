"""What the readers of foreign files have in common."""

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
"""Column of jetkit → a value or a list per jet."""


class Reader(ABC):
    """A foreign file, open; made as ``cls(path, *, options)`` and registered with ``kind="reader"``.

    A reader translates branches of the file into columns of jetkit: it neither judges jets nor makes up columns that
    the file does not have; `jetkit.data.readers.complete` does that for all of them.

    Attributes:
        entries: what the file holds, one or more jets each (or none)
        names: all branches that the file has
        classes: names of the classes; the index is ``jet_label``
        skipped: reason → jets or entries left out in `read`
        companions: further files that `read` looks into; the card has their checksums too
    """

    suffixes: ClassVar[tuple[str, ...]]
    """How the files' names end."""
    kept: ClassVar[Mapping[str, str]] = {}
    """Branch → what becomes of it."""
    dropped: ClassVar[Mapping[str, str]] = {}
    """Branch → why it is left out. Branches in neither mapping are unknown, and listed in the card."""
    objects: ClassVar[str] = "part"
    """What a row is a list of: particles, or ``hit``, ``cell``; how the columns of lists begin."""
    columns: ClassVar[Mapping[str, Column]] = {}
    """Columns that only this format has."""
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
        """Jets of the entries from ``start`` to ``stop``; equal arguments give equal jets.

        The number of the event is ``event_id`` where the file has one that no other event has, else ``entry``, that of
        the entry in this file, which may be left out where each entry is a row.

        Raises:
            JetkitError: the file is damaged there.
        """

    @property
    def unknown(self) -> list[str]:
        """Branches of the file of which this reader knows nothing."""
        return sorted(set(self.names) - self.kept.keys() - self.dropped.keys())

    def need(self, *branches: str) -> None:
        """Refuse a file that lacks one of these.

        Raises:
            JetkitError: it names the first that is missing.
        """
        for name in branches:
            if name not in self.names:
                found = ", ".join(sorted(self.names)[:12])
                raise JetkitError(f"{self.path} has no branch {name}, so it is of another format; it has {found}")

    @abstractmethod
    def close(self) -> None:
        """Let the file go."""

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()
