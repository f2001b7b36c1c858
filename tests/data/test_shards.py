from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jetkit.data.columns import COLUMNS
from jetkit.data.shards import ShardReader, write_shard
from jetkit.errors import JetkitError

Jets = Callable[..., dict[str, Any]]


def read(path: Path, *columns: str) -> dict[str, Any]:
    with ShardReader(path) as shard:
        return shard.read(columns)


def written(path: Path, name: str, array: pa.Array) -> Path:
    pq.write_table(pa.table({name: array}), path)
    return path


def test_columns_come_back_with_the_types_of_the_public_files(tmp_path: Path, make: Jets) -> None:
    columns = make([3, 1, 0, 4])
    write_shard(tmp_path / "a.parquet", columns)
    back = read(tmp_path / "a.parquet", *columns)
    for name, column in columns.items():
        found = back[name]
        values, stored = (column[0], found.values) if isinstance(column, tuple) else (column, found)
        assert stored.dtype == COLUMNS[name].dtype
        np.testing.assert_array_equal(stored, values.astype(stored.dtype))
        if isinstance(column, tuple):
            np.testing.assert_array_equal(found.offsets, column[1])


def test_the_shard_describes_the_file(tmp_path: Path, make: Jets) -> None:
    shard = write_shard(tmp_path / "a.parquet", make([2, 2], label=1))
    content = (tmp_path / "a.parquet").read_bytes()
    assert (shard.name, shard.rows, shard.classes) == ("a.parquet", 2, [0, 2])
    assert (shard.bytes, shard.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_equal_columns_give_equal_bytes_in_any_order(tmp_path: Path, make: Jets) -> None:
    columns = make([2, 5])
    first = write_shard(tmp_path / "a.parquet", columns, {"x": "1", "y": "2"})
    second = write_shard(tmp_path / "a.parquet", dict(reversed(columns.items())), {"y": "2", "x": "1"})
    assert first == second


def test_the_public_file_is_rewritten_with_its_own_schema(tmp_path: Path, real: Path) -> None:
    with ShardReader(real) as shard:
        columns = shard.read(list(shard.columns))
    write_shard(tmp_path / "a.parquet", columns)
    assert pq.read_table(tmp_path / "a.parquet").equals(pq.read_table(real))
    assert pq.read_schema(tmp_path / "a.parquet").remove_metadata().equals(pq.read_schema(real).remove_metadata())
    assert list(COLUMNS)[:54] == list(columns)


def test_metadata_are_kept(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.parquet", {"jet_pt": np.ones(1)}, {"seed": "7"})
    assert pq.read_schema(tmp_path / "a.parquet").metadata == {b"seed": b"7"}


def test_rows_are_grouped_by_the_thousand(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.parquet", {"jet_pt": np.arange(2500.0)})
    with ShardReader(tmp_path / "a.parquet") as shard:
        assert shard.group_rows == [1000, 1000, 500]
        assert shard.read(["jet_pt"], [2, 0])["jet_pt"][[0, 500]].tolist() == [2000.0, 0.0]


def test_an_empty_shard_can_be_written_and_read(tmp_path: Path, make: Jets) -> None:
    write_shard(tmp_path / "a.parquet", make([]))
    assert len(read(tmp_path / "a.parquet", "part_px")["part_px"].values) == 0


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"jet_pt": np.ones(2), "jet_eta": np.ones(3)}, "unequal numbers of rows"),
        ({"part_px": (np.ones(2), np.array([0, 1]))}, "offsets of column part_px should rise from 0 to 2"),
        ({"part_px": (np.ones(2), np.array([0, 3, 2]))}, "offsets of column part_px should rise from 0 to 2"),
        ({"jet_label": np.ones(2)}, "column jet_label should be int32, got float64"),
        ({"part_isMuon": (np.ones(1), np.array([0, 1]))}, "column part_isMuon should be bool, got float64"),
        ({"name": np.array(["a"])}, "column name should hold numbers along one axis"),
        ({"jet_pt": np.ones((2, 2))}, "column jet_pt should hold numbers along one axis"),
        ({"part_px": (np.array([np.nan]), np.array([0, 1]))}, "column part_px holds NaN or infinity"),
        ({"part_energy": (np.array([np.inf]), np.array([0, 1]))}, "column part_energy holds NaN or infinity"),
    ],
)
def test_a_wrong_column_is_named_and_nothing_is_written(tmp_path: Path, columns: Any, message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        write_shard(tmp_path / "a.parquet", columns)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shard(tmp_path / "a.parquet", {"jet_pt": np.ones(1)})
    before = (tmp_path / "a.parquet").read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(JetkitError, match=r"a.parquet cannot be written: No space left on device"):
        write_shard(tmp_path / "a.parquet", {"jet_pt": np.zeros(5)})
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.parquet", before)]


LISTS = [[1, 2], [], [3]]


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.float32()),
        pa.list_(pa.float64()),
        pa.list_(pa.float16()),
        pa.list_(pa.int32()),
        pa.list_(pa.uint8()),
        pa.large_list(pa.float32()),
        pa.list_(pa.field("item", pa.float32(), nullable=False)),
    ],
    ids=str,
)
def test_lists_of_any_number_type_are_read(tmp_path: Path, kind: pa.DataType) -> None:
    column = read(written(tmp_path / "a.parquet", "v", pa.array(LISTS, kind)), "v")["v"]
    assert column.values.tolist() == [1, 2, 3]
    assert column.offsets.tolist() == [0, 2, 2, 3]


def test_lists_of_booleans_are_read(tmp_path: Path) -> None:
    column = read(written(tmp_path / "a.parquet", "v", pa.array([[True], [False, True]])), "v")["v"]
    assert (column.values.dtype, column.values.tolist()) == (bool, [True, False, True])


@pytest.mark.parametrize("rows", [[[1, 2], [3, 4]], [[1, 2], None, [3, 4]]], ids=["full", "with a missing row"])
def test_lists_of_fixed_length_are_read(tmp_path: Path, rows: list[list[int] | None]) -> None:
    column = read(written(tmp_path / "a.parquet", "v", pa.array(rows, pa.list_(pa.float32(), 2))), "v")["v"]
    assert column.values.tolist() == [1, 2, 3, 4]
    assert column.counts.tolist() == [0 if row is None else 2 for row in rows]


def test_missing_numbers_become_nan_and_missing_lists_empty(tmp_path: Path) -> None:
    flat = read(written(tmp_path / "a.parquet", "v", pa.array([1, None, 3], pa.int32())), "v")["v"]
    np.testing.assert_array_equal(flat, [1, np.nan, 3])
    lists = read(written(tmp_path / "b.parquet", "v", pa.array([[1.0, None], None, [3.0]])), "v")["v"]
    np.testing.assert_array_equal(lists.values, [1, np.nan, 3])
    assert lists.offsets.tolist() == [0, 2, 2, 3]


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["a"]),
        pa.array([[[1]]]),
        pa.array([{"x": 1}]),
        pa.array([1], pa.timestamp("s")),
        pa.array(["a"]).dictionary_encode(),
        pa.array([None]),
    ],
    ids=lambda array: str(array.type),
)
def test_other_types_are_refused_by_name(tmp_path: Path, array: pa.Array) -> None:
    with pytest.raises(JetkitError, match="column v has type"):
        read(written(tmp_path / "a.parquet", "v", array), "v")


def test_an_absent_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(JetkitError, match="has no column w: it has v"):
        read(written(tmp_path / "a.parquet", "v", pa.array([1])), "w")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b"PAR1", "cannot be read as a table"),
        (b"<p>" * 99, "cannot be"),
    ],
)
def test_a_file_that_is_not_parquet_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "a.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(JetkitError, match=f"a.parquet {message}"):
        ShardReader(path)
