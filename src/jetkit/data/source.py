"""Files of a dataset with their selected rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from jetkit.data.ragged import Array, Values, take_rows
from jetkit.data.shards import Memory, ShardReader
from jetkit.errors import JetkitError


@dataclass(frozen=True)
class Source:
    """One file of a dataset and its selected rows (None: all)."""

    path: Path | Memory
    group_rows: tuple[int, ...]
    columns: Mapping[str, str]
    rows: Int[np.ndarray, " rows"] | None = None
    label: int | None = None
    """Class of all rows of the file, if they share one."""

    @property
    def index(self) -> Int[np.ndarray, " rows"]:
        """Selected rows, in rising order."""
        return np.arange(sum(self.group_rows)) if self.rows is None else self.rows

    @property
    def bytes(self) -> int:
        """Size of the file in bytes."""
        return self.path.stat().st_size if isinstance(self.path, Path) else len(self.path.content)

    def __len__(self) -> int:
        return sum(self.group_rows) if self.rows is None else len(self.rows)


def open_source(path: Path | Memory) -> Source:
    """Open a file with all its rows.

    Raises:
        JetkitError: the file is absent or damaged.
    """
    with ShardReader(path) as shard:
        return Source(path, tuple(shard.group_rows), shard.columns)


def shared_columns(sources: Sequence[Source]) -> tuple[str, ...]:
    """Return the columns that every file has, in the order of the first file."""
    first, *others = sources
    return tuple(name for name in first.columns if all(name in other.columns for other in others))


def places(rows: Any, size: int) -> int | Int[np.ndarray, " rows"]:
    """Return the places, among ``size`` rows, of an index, a slice, rising indices or a mask; negative from the end.

    Raises:
        IndexError: a row does not exist.
        JetkitError: the indices do not rise, or are not integers.

    Example:
        >>> places(-1, 5), places(slice(1, 3), 5), places([True, False, True], 3), places([0, -1], 5)
        (4, array([1, 2]), array([0, 2]), array([0, 4]))
    """
    found: Array = np.arange(size)[rows] if isinstance(rows, slice) else np.asarray(rows)
    if found.dtype == bool and found.shape == (size,):
        found = np.flatnonzero(found)
    found = found.astype(np.int64) if found.size == 0 else found
    if found.dtype.kind not in "iu" or found.ndim > 1:
        raise JetkitError(
            f"rows are named by an index, a slice, indices or a mask of {size} rows; read() takes columns"
        )
    absent = found[(found < -size) | (found >= size)]
    if absent.size:
        raise IndexError(f"there is no row {absent.flat[0]}: the dataset has {size} rows")
    found = np.where(found < 0, found + size, found).astype(np.int64)
    if found.ndim == 0:
        return int(found)
    if (np.diff(found) < 0).any():
        raise JetkitError("a dataset keeps its rows in stored order: let the indices rise, or use read(columns, rows)")
    return found


def groups_of(source: Source, rows: Array) -> list[tuple[int, Array]]:
    """Return the row groups that contain the given rising rows, each with row numbers from the start of the group."""
    edges = np.cumsum([0, *source.group_rows])
    cuts = np.searchsorted(rows, edges)
    return [
        (group, rows[cuts[group] : cuts[group + 1]] - edges[group])
        for group in range(len(source.group_rows))
        if cuts[group + 1] > cuts[group]
    ]


def read_source(source: Source, columns: Sequence[str], rows: Array) -> list[dict[str, Values]]:
    """Read columns for the given rising rows of one file, one part per row group.

    Raises:
        JetkitError: an absent column, one that cannot be read, a damaged file.
    """
    with ShardReader(source.path) as shard:
        groups = groups_of(source, rows)
        if not groups:
            return [shard.read(columns, [])]
        parts = [(shard.read(columns, [group]), chosen) for group, chosen in groups]
    return [{name: take_rows(column, chosen) for name, column in part.items()} for part, chosen in parts]
