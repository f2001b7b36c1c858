"""Parquet shards to and from NumPy arrays: the one file that knows pyarrow."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jetkit.data.atomic import partial_of
from jetkit.data.card import Shard, sha256_of
from jetkit.data.columns import COLUMNS, P4_COLUMNS
from jetkit.data.ragged import Array, Ragged, Values
from jetkit.errors import JetkitError

ROW_GROUP = 1000
"""Rows that are read at once: small enough to mix shards, large enough to be fast."""


def write_shard(
    path: str | os.PathLike[str],
    columns: Mapping[str, Array | tuple[Array, Array]],
    metadata: Mapping[str, str] | None = None,
) -> Shard:
    """Write one Parquet file in one step, read it back and describe it.

    A column is a flat array or a pair ``(values, offsets)``: row i holds ``values[offsets[i]:offsets[i + 1]]``.
    Columns of ``COLUMNS`` are written with the type given there. Equal columns give equal bytes.

    Raises:
        JetkitError: columns of unequal length, wrong offsets or types, a particle that is not finite, a full disk.
    """
    target = Path(path)
    table = _table(columns, metadata or {}, target)
    partial = partial_of(target)
    try:
        _write(table, partial)
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
    """A Parquet file that was never written to a disk."""

    name: str
    content: bytes

    def __str__(self) -> str:
        return self.name


def shard_in_memory(name: str, columns: Mapping[str, Array | tuple[Array, Array]]) -> tuple[Memory, Shard]:
    """What `write_shard` would write, and its description.

    Raises:
        JetkitError: as `write_shard`.
    """
    sink = pa.BufferOutputStream()
    table = _table(columns, {}, Path(name))
    _write_table(table, sink)
    content = sink.getvalue().to_pybytes()
    digest = hashlib.sha256(content).hexdigest()
    return Memory(name, content), Shard(name, table.num_rows, len(content), digest, _count_classes(columns))


class ShardReader:
    """One Parquet file, open for reading row groups; use it in a ``with`` statement.

    Raises:
        JetkitError: the file is absent, empty, cut short or not Parquet.
    """

    def __init__(self, path: str | os.PathLike[str] | Memory) -> None:
        self.path = path if isinstance(path, Memory) else Path(path)
        if isinstance(self.path, Path):
            if not self.path.is_file():
                raise JetkitError(f"{self.path} does not exist")
            if self.path.stat().st_size == 0:
                raise JetkitError(f"{self.path} is empty: copy or make it again")
        place = self.path if isinstance(self.path, Path) else pa.BufferReader(self.path.content)
        with _reading(self.path):
            self._file = pq.ParquetFile(place, page_checksum_verification=True, pre_buffer=False)
            self._schema = self._file.schema_arrow
            footer = self._file.metadata
            self.group_rows = [int(footer.row_group(group).num_rows) for group in range(footer.num_row_groups)]
            rows = int(footer.num_rows)
        if rows != sum(self.group_rows) or min(self.group_rows, default=0) < 0:
            raise JetkitError(f"{self.path} is damaged: its row groups do not add up to its {rows} rows")
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
        """Number of rows of the file."""
        return sum(self.group_rows)

    def read(self, columns: Sequence[str], groups: Sequence[int] | None = None) -> dict[str, Values]:
        """Read columns of some row groups (default: all), on one thread and without a copy where pyarrow allows it.

        Numbers, booleans and lists of them are read (lists of fixed or variable length, half floats as float32). A
        missing number becomes NaN, a missing list an empty one.

        Raises:
            JetkitError: an absent column, a type that is none of these, a damaged file.
        """
        missing = [name for name in columns if name not in self.columns]
        if missing:
            raise JetkitError(f"{self.path} has no column {', '.join(missing)}: it has {', '.join(self.columns)}")
        for name in columns:
            _check_type(self._schema.field(name).type, name, self.path)
        chosen = list(range(len(self.group_rows)) if groups is None else groups)
        with _reading(self.path):
            table = self._file.read_row_groups(chosen, columns=list(columns), use_threads=False)
            found = {name: _from_arrow(table.column(name)) for name in columns}
        rows = sum(self.group_rows[group] for group in chosen)
        for name, values in found.items():
            if _length(values) != rows:
                raise JetkitError(f"{self.path} is damaged: column {name} has {_length(values)} of {rows} rows")
        return found


def _length(values: Values) -> int:
    return len(values.offsets) - 1 if isinstance(values, Ragged) else len(values)


@contextmanager
def _reading(path: Path | Memory) -> Iterator[None]:
    """Turn whatever pyarrow raises on a damaged file into one sentence."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError, KeyError) as error:
        reason = str(error).strip().split("\n")[0][:200] or type(error).__name__
        raise JetkitError(f"{path} cannot be read as Parquet ({reason}): copy or make it again") from error


# -- from Arrow ----------------------------------------------------------------------------------------------------


def _is_list(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _check_type(kind: Any, name: str, path: Path | Memory) -> None:
    """Refuse text, dates, dictionaries, structures and lists of lists."""
    value = kind.value_type if _is_list(kind) else kind
    if not (pa.types.is_integer(value) or pa.types.is_floating(value) or pa.types.is_boolean(value)):
        raise JetkitError(f"{path}: column {name} has type {kind}, which is neither numbers nor lists of numbers")


def _from_arrow(column: Any) -> Values:
    """NumPy view of a chunked Arrow column."""
    kind = column.type
    chunks = [_chunk(chunk) for chunk in column.chunks]
    if not _is_list(kind):
        return _joined([chunk for chunk in chunks if not isinstance(chunk, Ragged)], kind)
    lists = [chunk for chunk in chunks if isinstance(chunk, Ragged)]
    if len(lists) == 1:
        return lists[0]
    starts = np.cumsum([0, *(len(chunk.values) for chunk in lists)])
    offsets = [np.zeros(1, np.int64), *(chunk.offsets[1:] + start for chunk, start in zip(lists, starts, strict=False))]
    return Ragged(_joined([chunk.values for chunk in lists], kind.value_type), np.concatenate(offsets))


def _joined(parts: list[Array], kind: Any) -> Array:
    if not parts:
        return np.empty(0, np.dtype(kind.to_pandas_dtype()))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _chunk(chunk: Any) -> Values:
    """NumPy view of one Arrow array; offsets begin at 0."""
    if not _is_list(chunk.type):
        return _flat(chunk)
    if pa.types.is_fixed_size_list(chunk.type):
        if chunk.null_count:
            chunk = chunk.cast(pa.large_list(chunk.type.value_type))
        else:
            return Ragged(_flat(chunk.flatten()), np.arange(len(chunk) + 1, dtype=np.int64) * chunk.type.list_size)
    if chunk.null_count:  # the lists behind missing rows may be of any length: count what flatten() keeps
        lengths = chunk.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        return Ragged(_flat(chunk.flatten()), np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))
    offsets = chunk.offsets.to_numpy()
    return Ragged(_flat(chunk.values)[offsets[0] : offsets[-1]], offsets - offsets[0] if offsets[0] else offsets)


def _flat(array: Any) -> Array:
    if array.null_count:
        array = array.cast(pa.float64() if pa.types.is_float64(array.type) else pa.float32()).fill_null(float("nan"))
    values: Array = array.to_numpy(zero_copy_only=False)
    return values.astype(np.float32) if values.dtype == np.float16 else values


# -- to Arrow ------------------------------------------------------------------------------------------------------


def _table(columns: Mapping[str, Array | tuple[Array, Array]], metadata: Mapping[str, str], path: Path) -> Any:
    """Arrow table of the columns; the known ones come first, in the order of JetClass-II."""
    order = [name for name in COLUMNS if name in columns] + [name for name in columns if name not in COLUMNS]
    arrays = [_to_arrow(name, columns[name], path) for name in order]
    lengths = {name: len(array) for name, array in zip(order, arrays, strict=True)}
    if len(set(lengths.values())) > 1:
        raise JetkitError(f"{path}: the columns have unequal numbers of rows: {lengths}")
    fields = [pa.field(name, array.type, nullable=False) for name, array in zip(order, arrays, strict=True)]
    schema = pa.schema(fields, metadata=dict(sorted(metadata.items())))
    return pa.Table.from_arrays(arrays, schema=schema)


def _to_arrow(name: str, column: Array | tuple[Array, Array], path: Path) -> Any:
    if not isinstance(column, tuple):
        return pa.array(_cast(name, np.asarray(column), path))
    values, offsets = _cast(name, np.asarray(column[0]), path), np.asarray(column[1], dtype=np.int64)
    if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != len(values) or bool((np.diff(offsets) < 0).any()):
        raise JetkitError(f"{path}: the offsets of column {name} should rise from 0 to {len(values)}")
    if len(values) >= 2**31:
        raise JetkitError(f"{path}: column {name} has {len(values)} values: write smaller shards")
    items = pa.array(values)
    kind = pa.list_(pa.field("item", items.type, nullable=False))
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), items, type=kind)


def _cast(name: str, values: Array, path: Path) -> Array:
    """Values with the type of the column; refuse a change of kind (real to whole, number to yes/no)."""
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise JetkitError(
            f"{path}: column {name} should hold numbers along one axis, got {values.dtype} {values.shape}"
        )
    dtype = COLUMNS[name].dtype if name in COLUMNS else values.dtype
    if not np.can_cast(values.dtype, dtype, casting="same_kind"):
        raise JetkitError(f"{path}: column {name} should be {dtype}, got {values.dtype}")
    return np.ascontiguousarray(values, dtype=dtype)


def _write(table: Any, path: Path) -> None:
    with path.open("wb") as file:
        _write_table(table, file)
        file.flush()
        os.fsync(file.fileno())


def _write_table(table: Any, file: Any) -> None:
    floats = [_leaf(field) for field in table.schema if pa.types.is_floating(_value_type(field.type))]
    pq.write_table(
        table,
        file,
        row_group_size=ROW_GROUP,
        compression="lz4",  # read half as fast again as zstd, for a fifth more bytes
        use_dictionary=False,
        use_byte_stream_split=floats,  # groups the exponents of floats: smaller and faster
        write_statistics=[field.name for field in table.schema if not _is_list(field.type)],
        write_page_checksum=True,
        use_compliant_nested_type=False,  # items of lists are called as in the public files
    )


def _value_type(kind: Any) -> Any:
    return kind.value_type if _is_list(kind) else kind


def _leaf(field: Any) -> str:
    return f"{field.name}.list.item" if _is_list(field.type) else str(field.name)


def _check_written(path: Path, table: Any, target: Path) -> None:
    """Read the file back: same rows, same columns, finite particles."""
    with ShardReader(path) as shard:
        names = [name for name in P4_COLUMNS if name in shard.columns]
        if shard.rows != table.num_rows or list(shard.columns) != table.schema.names:
            raise JetkitError(f"{target} was not written as asked: the disk may be faulty")
        for name, column in shard.read(names).items():
            values = column.values if isinstance(column, Ragged) else column
            if not np.isfinite(values).all():
                raise JetkitError(f"{target}: column {name} holds NaN or infinity")


def _count_classes(columns: Mapping[str, Array | tuple[Array, Array]]) -> list[int]:
    """Rows of each class; a negative label (no class) is not counted."""
    labels = np.asarray(columns.get("jet_label", np.empty(0, np.int64)))
    return [int(count) for count in np.bincount(labels[labels >= 0])]


def _sync(folder: Path) -> None:
    """Make the new name of a file survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
