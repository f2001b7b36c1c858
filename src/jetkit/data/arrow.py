"""Arrow tables in files and as NumPy arrays; the only module that depends on pyarrow.

Files are Parquet, or in Arrow's own format, which is memory-mapped and needs no decoding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jetkit.data.columns import COLUMNS
from jetkit.data.ragged import Array, Ragged, Values
from jetkit.errors import JetkitError

MAPPED = ".arrow"
"""Suffix of files in Arrow's own format."""
SIGNATURE = b"ARROW1"
"""First bytes of such files."""
ROW_GROUP = 1000
"""Rows read together: few enough to mix shards, enough to be fast."""


class TableFile(Protocol):
    """An open file with rows in groups."""

    schema: Any
    group_rows: list[int]
    rows: int
    """Number of rows stated in the file."""

    def read(self, groups: Sequence[int], columns: Sequence[str]) -> Any:
        """Read some columns of some groups as an Arrow table."""

    def close(self) -> None:
        """Close the file."""


class ParquetFile:
    """Parquet file of compressed columns with a checksum per page."""

    def __init__(self, place: Path | bytes) -> None:
        content = place if isinstance(place, Path) else pa.BufferReader(place)
        self._file = pq.ParquetFile(content, page_checksum_verification=True, pre_buffer=False)
        self.schema = self._file.schema_arrow
        footer = self._file.metadata
        self.group_rows = [int(footer.row_group(group).num_rows) for group in range(footer.num_row_groups)]
        self.rows = int(footer.num_rows)

    def read(self, groups: Sequence[int], columns: Sequence[str]) -> Any:
        """Read and decode columns on one thread."""
        return self._file.read_row_groups(list(groups), columns=list(columns), use_threads=False)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class MappedFile:
    """Memory-mapped file; what is read is a view of it, which the kernel loads page by page.

    Such files have no checksums. The offsets of their lists are checked, so that a damaged file cannot cause reads
    outside it.
    """

    def __init__(self, place: Path | bytes) -> None:
        self._file = pa.ipc.open_file(pa.memory_map(str(place)) if isinstance(place, Path) else pa.BufferReader(place))
        self.schema = self._file.schema
        groups = range(self._file.num_record_batches)
        self.group_rows = [int(self._file.get_batch(group).num_rows) for group in groups]
        self.rows = sum(self.group_rows)

    def read(self, groups: Sequence[int], columns: Sequence[str]) -> Any:
        """Return views of the columns, without a copy."""
        schema = pa.schema([self.schema.field(name) for name in columns])
        batches = [self._file.get_batch(group).select(list(columns)) for group in groups]
        for batch in batches:
            batch.validate(full=True)
        return pa.Table.from_batches(batches, schema=schema.with_metadata(self.schema.metadata))

    def close(self) -> None:
        """Do nothing: views that were read keep the file mapped while they exist."""


def open_table_file(place: Path | bytes) -> TableFile:
    """Open a file, or its content, in the format given by its first bytes.

    Raises:
        ArrowException, OSError: the file is damaged, or of another format.
    """
    with place.open("rb") if isinstance(place, Path) else pa.BufferReader(place) as file:
        mapped = file.read(len(SIGNATURE)) == SIGNATURE
    return MappedFile(place) if mapped else ParquetFile(place)


def write_table(table: Any, file: Any, name: str) -> None:
    """Write a table in the format given by the suffix of the name; equal tables give equal bytes."""
    if Path(name).suffix == MAPPED:
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=ROW_GROUP)
        return
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


@contextmanager
def reading(name: object) -> Iterator[None]:
    """Convert any error of pyarrow on a damaged file to one sentence.

    Raises:
        JetkitError: pyarrow raised an error.
    """
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError, KeyError) as error:
        reason = str(error).strip().split("\n")[0][:200] or type(error).__name__
        raise JetkitError(f"{name} cannot be read as a table ({reason}): copy or make it again") from error


def _is_list(kind: Any) -> bool:
    """Return whether an Arrow type is a list type."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _value_type(kind: Any) -> Any:
    return kind.value_type if _is_list(kind) else kind


def _leaf(field: Any) -> str:
    return f"{field.name}.list.item" if _is_list(field.type) else str(field.name)


# -- from Arrow ----------------------------------------------------------------------------------------------------


def check_numbers(kind: Any, name: str, where: object) -> None:
    """Refuse text, dates, dictionaries, structures and lists of lists.

    Raises:
        JetkitError: the type is neither a number nor a list of numbers.
    """
    value = _value_type(kind)
    if not (pa.types.is_integer(value) or pa.types.is_floating(value) or pa.types.is_boolean(value)):
        raise JetkitError(f"{where}: column {name} has type {kind}, which is neither numbers nor lists of numbers")


def from_arrow(column: Any) -> Values:
    """Convert a chunked Arrow column to NumPy, without a copy if possible."""
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
    """Convert one Arrow array to NumPy, with offsets from 0."""
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


def to_arrow(columns: Mapping[str, Array | tuple[Array, Array]], metadata: Mapping[str, str], path: Path) -> Any:
    """Convert columns to an Arrow table; known columns come first, in the order of JetClass-II.

    Raises:
        JetkitError: columns of unequal length, wrong offsets or types.
    """
    order = [name for name in COLUMNS if name in columns] + [name for name in columns if name not in COLUMNS]
    arrays = [_array(name, columns[name], path) for name in order]
    lengths = {name: len(array) for name, array in zip(order, arrays, strict=True)}
    if len(set(lengths.values())) > 1:
        raise JetkitError(f"{path}: the columns have unequal numbers of rows: {lengths}")
    fields = [pa.field(name, array.type, nullable=False) for name, array in zip(order, arrays, strict=True)]
    schema = pa.schema(fields, metadata=dict(sorted(metadata.items())))
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(name: str, column: Array | tuple[Array, Array], path: Path) -> Any:
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
    """Cast values to the type of their column; refuse to change their kind (real to integer, number to boolean)."""
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise JetkitError(
            f"{path}: column {name} should hold numbers along one axis, got {values.dtype} {values.shape}"
        )
    dtype = COLUMNS[name].dtype if name in COLUMNS else values.dtype
    if not np.can_cast(values.dtype, dtype, casting="same_kind"):
        raise JetkitError(f"{path}: column {name} should be {dtype}, got {values.dtype}")
    return np.ascontiguousarray(values, dtype=dtype)
