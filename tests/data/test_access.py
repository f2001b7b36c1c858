"""A dataset as rows, as awkward arrays, as momenta, and through torch's own loader."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from jetkit.data.batch import Batch
from jetkit.data.card import Card, write_card
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.mapping import map_dataset
from jetkit.data.ragged import Ragged
from jetkit.data.shards import write_shard
from jetkit.errors import JetkitError
from jetkit.physics.shapes import angularity

Jets = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def jets(folder: Path) -> Dataset:
    return open_dataset(folder)


def events_of(dataset: Dataset) -> np.ndarray:
    return np.asarray(dataset.read(["event_id"])["event_id"])


# -- rows ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [0, 2499, 2500, 3999, -1, -4000, np.int64(17)])
def test_a_row_is_a_dictionary_of_numbers_and_arrays(jets: Dataset, row: int) -> None:
    found = jets[row]
    stored = jets.read(jets.columns, np.array([row % 4000]))
    assert tuple(found) == jets.columns
    for name, column in stored.items():
        if isinstance(column, Ragged):
            np.testing.assert_array_equal(found[name], column.values)
            assert found[name].dtype == column.values.dtype
        else:
            assert found[name] == column[0]
            assert isinstance(found[name], int | float | bool)


def test_a_row_leaves_out_columns_that_are_no_numbers(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = {"a": [1.5], "name": ["x"], "names": [["x"]], "many": [[1, 2]], "nested": [[[1]]], "half": [np.float16(2)]}
    table |= {
        "fixed": pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2)),
        "large": pa.array([[1]], pa.large_list(pa.uint8())),
    }
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    row = open_dataset(tmp_path)[0]
    assert {name: np.asarray(value).tolist() for name, value in row.items()} == {
        "a": 1.5,
        "many": [1, 2],
        "half": 2.0,
        "fixed": [1.0, 2.0],
        "large": [1],
    }


@pytest.mark.parametrize(
    "rows",
    [
        slice(10),
        slice(2490, 2510, 3),
        slice(-5, None),
        slice(4000, 5000),
        [],
        [0, 2500, 3999],
        [1, -1],
        [3, 3, 7],
        np.arange(4000) % 7 == 0,
        torch.tensor([5, 2600]),
    ],
)
def test_some_rows_are_a_dataset(jets: Dataset, rows: Any) -> None:
    some = jets[rows]
    wanted = np.asarray(rows) if not isinstance(rows, slice) else rows
    expected = events_of(jets)[wanted if len(np.atleast_1d(wanted)) else slice(0)]
    np.testing.assert_array_equal(events_of(some), expected)
    assert len(some) == len(expected)
    assert some.classes == jets.classes
    assert len(jets) == 4000


def test_rows_of_rows(jets: Dataset) -> None:
    np.testing.assert_array_equal(events_of(jets[100:3000][-500:][::50]), events_of(jets)[2500:3000:50])
    assert jets[100:200][-1].keys() == jets[0].keys()
    assert jets[:] is jets
    assert jets.split("val")[5]["event_id"] == events_of(jets.split("val"))[5]


def test_a_choice_of_rows_is_recorded(jets: Dataset) -> None:
    first, other = jets[:10], jets[10:20]
    assert first.history != other.history
    assert first.history == jets[list(range(10))].history
    with pytest.raises(JetkitError, match="belongs to other data or options"):
        other.batches().load_state_dict(first.batches().state_dict())


@pytest.mark.parametrize("row", [4000, -4001, [0, 4000]])
def test_a_row_that_is_not_there_is_one_sentence(jets: Dataset, row: Any) -> None:
    with pytest.raises(IndexError, match=r"there is no row -?400\d: the dataset has 4000 rows"):
        jets[row]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([3, 1], "a dataset keeps its rows in stored order: let the indices rise, or use read"),
        (slice(None, None, -1), "a dataset keeps its rows in stored order"),
        ("jet_pt", r"rows are named by an index, a slice, indices or a mask of 4000 rows; read\(\) takes columns"),
        (1.5, "rows are named by an index"),
        ([True, False], "a mask of 4000 rows"),
        ([[1, 2]], "rows are named by an index"),
    ],
)
def test_other_ways_to_name_rows_are_refused(jets: Dataset, rows: Any, message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        jets[rows]


def test_the_picture_of_a_dataset_is_short(jets: Dataset, tmp_path: Path, make: Jets) -> None:
    assert repr(jets) == "Dataset(sample: 4000 rows; classes QCD, W, top; 22 columns)"
    for names in ([f"class {number}" for number in range(188)], ["long name " * 30] * 3, []):
        shard = write_shard(tmp_path / "a.parquet", make([1, 2], label=0))
        write_card(tmp_path, Card("name " * 100, classes=names).with_shards([shard], complete=True))
        shown = repr(open_dataset(tmp_path))
        assert len(shown) < 300
        assert "2 rows" in shown
        assert ("188" in shown) == (len(names) == 188)


# -- arrays --------------------------------------------------------------------------------------------------------


def test_an_awkward_array_holds_the_columns(jets: Dataset) -> None:
    some = jets[2490:2510]
    array = some.awkward(["jet_pt", "part_px", "part_isMuon"])
    stored = some.read(["jet_pt", "part_px", "part_isMuon"])
    assert ak.fields(array) == ["jet_pt", "part_px", "part_isMuon"]
    assert len(array) == 20
    np.testing.assert_array_equal(ak.to_numpy(array.jet_pt), stored["jet_pt"])  # type: ignore[arg-type]
    for name in ("part_px", "part_isMuon"):
        column = stored[name]
        assert isinstance(column, Ragged)
        np.testing.assert_array_equal(ak.num(array[name]), column.counts)
        np.testing.assert_array_equal(ak.to_numpy(ak.flatten(array[name])), column.values)
    assert ak.fields(some.awkward()) == list(jets.columns)
    assert len(jets[:0].awkward(["part_px"])) == 0


def test_momenta_are_those_of_the_columns(jets: Dataset) -> None:
    some = jets[::100]
    p4, offsets = some.p4()
    stored = some.read(["part_energy", "part_px", "part_py", "part_pz"])
    assert (p4.shape, p4.dtype) == ((offsets[-1], 4), np.float64)
    for place, column in enumerate(stored.values()):
        assert isinstance(column, Ragged)
        np.testing.assert_array_equal(p4[:, place], column.values)
        np.testing.assert_array_equal(offsets, column.offsets)
    assert angularity(*some.p4(), kappa=1, beta=1).shape == (40,)


def test_momenta_of_other_collections(tmp_path: Path) -> None:
    momenta = {f"track_{name}": (np.arange(3.0), np.array([0, 1, 3])) for name in ("px", "py", "pz", "energy")}
    write_shard(tmp_path / "a.parquet", momenta)
    dataset = open_dataset(tmp_path)
    assert dataset.p4("track").values.tolist() == [[number] * 4 for number in (0.0, 1.0, 2.0)]
    with pytest.raises(JetkitError, match="has no momenta of part, which are the lists part_energy, part_px, part_py"):
        dataset.p4()


def test_momenta_of_unequal_lengths_are_refused(tmp_path: Path) -> None:
    columns = {f"part_{name}": (np.ones(3), np.array([0, 1, 3])) for name in ("px", "py", "pz")}
    write_shard(tmp_path / "a.parquet", columns | {"part_energy": (np.ones(3), np.array([0, 2, 3]))})
    with pytest.raises(JetkitError, match="part_energy, part_px, part_py, part_pz should hold lists of equal length"):
        open_dataset(tmp_path).p4()


# -- torch's loader ------------------------------------------------------------------------------------------------


def loaded(stream: Any, workers: int, **options: Any) -> list[Batch]:
    return list(DataLoader(stream, batch_size=None, num_workers=workers, **options))


def rows_of(found: Iterable[Batch]) -> list[int]:
    return [row for batch in found if batch.index.row is not None for row in batch.index.row.tolist()]


OPTIONS: dict[str, Any] = {"batch": 100, "features": "kin", "window": 1500}


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_workers_share_the_rows(jets: Dataset, workers: int) -> None:
    found = loaded(jets.torch(**OPTIONS), workers)
    assert sorted(rows_of(found)) == list(range(4000))
    assert max(map(len, found)) <= 100
    assert all(isinstance(batch, Batch) for batch in found)


def test_without_workers_batches_are_those_of_the_loader(jets: Dataset) -> None:
    stream, loader = jets.torch(**OPTIONS, seed=4), jets.batches(**OPTIONS, seed=4)
    assert stream.spec == loader.spec
    for _ in range(2):
        for ours, theirs in zip(loaded(stream, 0), loader, strict=True):
            assert torch.equal(ours.x, theirs.x)
            assert torch.equal(ours.label, theirs.label)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("persistent", [False, True])
def test_each_iteration_is_the_next_epoch(jets: Dataset, workers: int, persistent: bool) -> None:
    """Workers that are started anew go on as those that stay do."""
    options = {"persistent_workers": True} if workers and persistent else {}
    stream, again = jets.torch(**OPTIONS), jets.torch(**OPTIONS, epoch=1)
    loader = DataLoader(stream, batch_size=None, num_workers=workers, **options)
    first, second = rows_of(loader), rows_of(loader)
    assert first != second
    assert sorted(first) == sorted(second) == list(range(4000))
    assert second == rows_of(loaded(again, workers))


def test_an_epoch_left_early_is_over(jets: Dataset) -> None:
    stream = jets.torch(**OPTIONS)
    next(iter(DataLoader(stream, batch_size=None)))
    assert rows_of(loaded(stream, 0)) == rows_of(jets.batches(**OPTIONS, epoch=1))


def test_workers_of_processes_share_the_rows_of_each(jets: Dataset) -> None:
    ranks = [loaded(jets.torch(**OPTIONS, rank=rank, world_size=2), 2) for rank in (0, 1)]
    assert sorted(rows_of(ranks[0]) + rows_of(ranks[1])) == list(range(4000))
    assert len(ranks[0]) == len(ranks[1])


def test_workers_that_share_no_memory_get_the_dataset(jets: Dataset) -> None:
    stream = pickle.loads(ForkingPickler.dumps(jets[5:].torch(**OPTIONS)))
    assert sorted(rows_of(stream)) == list(range(3995))


def test_workers_read_mapped_files(folder: Path, tmp_path: Path) -> None:
    mapped = open_dataset(map_dataset(folder, tmp_path / "mapped"))
    assert sorted(rows_of(loaded(mapped.torch(**OPTIONS), 2))) == list(range(4000))


def test_wrong_options_are_refused_at_once(jets: Dataset) -> None:
    with pytest.raises(JetkitError, match="unknown option colour"):
        jets.torch(colour=1)
    with pytest.raises(JetkitError, match="unknown feature set 'all'"):
        jets.torch(features="all")


def test_more_workers_than_rows_are_one_sentence(jets: Dataset) -> None:
    with pytest.raises(JetkitError, match="fewer rows than the 2 processes that share it: use fewer processes"):
        loaded(jets[:1].torch(features="kin"), 2)
