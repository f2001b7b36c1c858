"""Shards as Parquet or memory-mapped files, to and from NumPy arrays."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jetkit.data.arrow import check_numbers, from_arrow, open_table_file, reading, to_arrow, write_table
from jetkit.data.atomic import partial_of
from jetkit.data.card import Shard, sha256_of
from jetkit.data.columns import P4_COLUMNS
from jetkit.data.ragged import Array, Ragged, Values
from jetkit.errors import JetkitError


def write_shard(
    path: str | os.PathLike[str],
    columns: Mapping[str, Array | tuple[Array, Array]],
    metadata: Mapping[str, str] | None = None,
) -> Shard:
    """Write a shard atomically, read it back and describe it; ``.arrow`` gives a memory-mapped file, else Parquet.

    A column is a flat array or a pair ``(values, offsets)``: row i has ``values[offsets[i]:offsets[i + 1]]``. Columns
    in ``COLUMNS`` are written with the type given there. Equal columns give equal bytes.

    Raises:
        JetkitError: columns of unequal length, wrong offsets or types, a particle that is not finite, a full disk.
    """
    target = Path(path)
    table = to_arrow(columns, metadata or {}, target)
    partial = partial_of(target)
    try:
        _write(table, partial, target.name)
        _check_written(partial, table, target)
        shard = Shard(target.name, table.num_rows, partial.stat().st_size, sha256_of(partial), _count_classes(columns))
        partial.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise JetkitError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return shard


class Memory(NamedTuple):
    """A shard in memory, without a file."""

    name: str
    content: bytes

    def __str__(self) -> str:
        return self.name


def shard_in_memory(name: str, columns: Mapping[str, Array | tuple[Array, Array]]) -> tuple[Memory, Shard]:
    """Build in memory the shard that `write_shard` would write, with its description.

    Raises:
        JetkitError: as `write_shard`.
    """
    sink = BytesIO()
    table = to_arrow(columns, {}, Path(name))
    write_table(table, sink, name)
    content = sink.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    return Memory(name, content), Shard(name, table.num_rows, len(content), digest, _count_classes(columns))


class ShardReader:
    """One shard open for reading row groups; use it in a ``with`` statement.

    Raises:
        JetkitError: the file is absent, empty, cut short or of another format.
    """

    def __init__(self, path: str | os.PathLike[str] | Memory) -> None:
        self.path = path if isinstance(path, Memory) else Path(path)
        if isinstance(self.path, Path):
            if not self.path.is_file():
                raise JetkitError(f"{self.path} does not exist")
            if self.path.stat().st_size == 0:
                raise JetkitError(f"{self.path} is empty: copy or make it again")
        place = self.path if isinstance(self.path, Path) else self.path.content
        with reading(self.path):
            self._file = open_table_file(place)
        self._schema, self.group_rows = self._file.schema, self._file.group_rows
        if self._file.rows != sum(self.group_rows) or min(self.group_rows, default=0) < 0:
            raise JetkitError(f"{self.path} is damaged: its row groups do not add up to its {self._file.rows} rows")
        self.metadata = {
            key.decode(errors="replace"): value.decode(errors="replace")
            for key, value in (self._schema.metadata or {}).items()
        }
        names: list[str] = self._schema.names
        self.columns = {
            name: str(self._schema.field(name).type) for name in dict.fromkeys(names) if names.count(name) == 1
        }

    def __enter__(self) -> ShardReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def rows(self) -> int:
        """Number of rows in the file."""
        return sum(self.group_rows)

    def read(self, columns: Sequence[str], groups: Sequence[int] | None = None) -> dict[str, Values]:
        """Read columns of some row groups (default: all) on one thread, without a copy if pyarrow allows it.

        Supported types are numbers, booleans and lists of them (of fixed or variable length, with half floats as
        float32). A missing number becomes NaN, a missing list becomes empty.

        Raises:
            JetkitError: an absent column, a type that is none of these, a damaged file.
        """
        missing = [name for name in columns if name not in self.columns]
        if missing:
            raise JetkitError(f"{self.path} has no column {', '.join(missing)}: it has {', '.join(self.columns)}")
        for name in columns:
            check_numbers(self._schema.field(name).type, name, self.path)
        chosen = list(range(len(self.group_rows)) if groups is None else groups)
        with reading(self.path):
            table = self._file.read(chosen, columns)
            found = {name: from_arrow(table.column(name)) for name in columns}
        rows = sum(self.group_rows[group] for group in chosen)
        for name, values in found.items():
            if _length(values) != rows:
                raise JetkitError(f"{self.path} is damaged: column {name} has {_length(values)} of {rows} rows")
        return found


def _length(values: Values) -> int:
    return len(values.offsets) - 1 if isinstance(values, Ragged) else len(values)


def _write(table: Any, path: Path, name: str) -> None:
    with path.open("wb") as file:
        write_table(table, file, name)
        file.flush()
        os.fsync(file.fileno())


def _check_written(path: Path, table: Any, target: Path) -> None:
    """Read a file back, and check its rows, its columns and that particles are finite."""
    with ShardReader(path) as shard:
        names = [name for name in P4_COLUMNS if name in shard.columns]
        if shard.rows != table.num_rows or list(shard.columns) != table.schema.names:
            raise JetkitError(f"{target} was not written as asked: the disk may be faulty")
        for name, column in shard.read(names).items():
            values = column.values if isinstance(column, Ragged) else column
            if not np.isfinite(values).all():
                raise JetkitError(f"{target}: column {name} holds NaN or infinity")


def _count_classes(columns: Mapping[str, Array | tuple[Array, Array]]) -> list[int]:
    """Count the rows of each class; a negative label (no class) is not counted."""
    labels = np.asarray(columns.get("jet_label", np.empty(0, np.int64)))
    return [int(count) for count in np.bincount(labels[labels >= 0])]


def _sync(folder: Path) -> None:
    """Flush the folder, so that the new name of a file survives a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
