"""Rows of foreign Parquet files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jetkit.data.ragged import Values, concatenate, take_rows
from jetkit.data.readers.files import check_file
from jetkit.data.readers.root import Tree
from jetkit.data.shards import ShardReader


class ParquetTable:
    """A Parquet file open for reading; it caches the row groups read last.

    Raises:
        JetkitError: the file is absent, cut short, a web page or not Parquet.
    """

    def __init__(self, path: Path) -> None:
        check_file(path, "Parquet")
        self._shard = ShardReader(path)
        self.entries, self.names = self._shard.rows, list(self._shard.columns)
        self._bounds = np.concatenate([[0], np.cumsum(self._shard.group_rows, dtype=np.int64)])
        self._held: tuple[tuple[str, ...], int, dict[str, Values]] = ((), -1, {})

    def read(self, branches: Sequence[str], start: int, stop: int) -> dict[str, Values]:
        """Read columns for the rows from ``start`` to ``stop``: flat arrays, or `Ragged` for a list per row.

        Raises:
            JetkitError: the file is damaged, or a column is absent or neither numbers nor lists of numbers.
        """
        parts = []
        for group in np.flatnonzero((self._bounds[:-1] < stop) & (self._bounds[1:] > start)).tolist():
            first, last = max(start - self._bounds[group], 0), min(stop, self._bounds[group + 1]) - self._bounds[group]
            rows = np.arange(first, last)
            parts.append({name: take_rows(column, rows) for name, column in self._group(branches, group).items()})
        return {name: concatenate([part[name] for part in parts]) for name in branches}

    def close(self) -> None:
        """Close the file."""
        self._shard.__exit__()

    def _group(self, branches: Sequence[str], group: int) -> dict[str, Values]:
        if self._held[:2] != (tuple(branches), group):
            self._held = (tuple(branches), group, self._shard.read(branches, [group]))
        return self._held[2]


def open_table(path: Path, tree: str) -> Tree | ParquetTable:
    """Open a Parquet file or a tree of a ROOT file, depending on the suffix.

    Raises:
        JetkitError: the file is absent, cut short, a web page or of another kind, or has no such tree.
    """
    return Tree(path, tree) if path.suffix.lower() == ".root" else ParquetTable(path)
