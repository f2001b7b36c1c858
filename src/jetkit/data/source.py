"""One file of a dataset, and the rows of it that are meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from jetkit.data.ragged import Array, Values, take_rows
from jetkit.data.shards import Memory, ShardReader


@dataclass(frozen=True)
class Source:
    """One file of a dataset and the rows of it that are meant (None: all)."""

    path: Path | Memory
    group_rows: tuple[int, ...]
    columns: Mapping[str, str]
    rows: Int[np.ndarray, " rows"] | None = None
    label: int | None = None
    """Class of all rows of the file, where they have one."""

    @property
    def index(self) -> Int[np.ndarray, " rows"]:
        """Rows meant, in rising order."""
        return np.arange(sum(self.group_rows)) if self.rows is None else self.rows

    @property
    def bytes(self) -> int:
        """Size of the file."""
        return self.path.stat().st_size if isinstance(self.path, Path) else len(self.path.content)

    def __len__(self) -> int:
        return sum(self.group_rows) if self.rows is None else len(self.rows)


def open_source(path: Path | Memory) -> Source:
    """All rows of a file.

    Raises:
        JetkitError: the file is absent or damaged.
    """
    with ShardReader(path) as shard:
        return Source(path, tuple(shard.group_rows), shard.columns)


def shared_columns(sources: Sequence[Source]) -> tuple[str, ...]:
    """Names of the columns that every file has, in the order of the first."""
    first, *others = sources
    return tuple(name for name in first.columns if all(name in other.columns for other in others))


def groups_of(source: Source, rows: Array) -> list[tuple[int, Array]]:
    """Row groups that hold the given rows (rising), each with the rows counted from the start of the group."""
    edges = np.cumsum([0, *source.group_rows])
    cuts = np.searchsorted(rows, edges)
    return [
        (group, rows[cuts[group] : cuts[group + 1]] - edges[group])
        for group in range(len(source.group_rows))
        if cuts[group + 1] > cuts[group]
    ]


def read_source(source: Source, columns: Sequence[str], rows: Array) -> list[dict[str, Values]]:
    """Columns of some rows (rising) of one file, a part per row group.

    Raises:
        JetkitError: an absent column, one that cannot be read, a damaged file.
    """
    with ShardReader(source.path) as shard:
        groups = groups_of(source, rows)
        if not groups:
            return [shard.read(columns, [])]
        parts = [(shard.read(columns, [group]), chosen) for group, chosen in groups]
    return [{name: take_rows(column, chosen) for name, column in part.items()} for part, chosen in parts]
