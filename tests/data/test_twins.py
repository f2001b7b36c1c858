"""Twins: whole pairs in every batch, whatever its size, and in every selection."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jetkit.data.batch import Batch
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.loader import LONELY, Loader
from jetkit.data.shards import write_shard
from jetkit.data.twins import twins_of
from jetkit.errors import JetkitError

Jets = Callable[..., dict[str, Any]]
PAIRS = {"QCD": 1150, "top": 301}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, make: Jets) -> Dataset:
    """Two shards of pairs, one of more than one row group; one or two pairs an event."""
    place = tmp_path_factory.mktemp("twins")
    random = np.random.default_rng(3)
    for number, (name, pairs) in enumerate(PAIRS.items()):
        rows = make(random.integers(1, 40, 2 * pairs), label=number, seed=number)
        event = np.sort(random.choice(pairs, pairs))
        numbers = {"pair": np.arange(pairs) + number * 2**32, "event_id": event + number * 2**32}
        rows |= {key: values.repeat(2) for key, values in numbers.items()}
        write_shard(place / f"{name}.parquet", rows | {"twin": np.tile([0, 1], pairs)})
    return open_dataset(place)


def batches(dataset: Dataset, **options: Any) -> Loader:
    return dataset.batches(**({"window": 900, "batch": 64, "targets": ("twin",), "twins": True} | options))


def pair_of(batch: Batch) -> torch.Tensor:
    assert batch.index.pair is not None
    return batch.index.pair


def pairs_in(dataset: Dataset) -> list[int]:
    return np.asarray(dataset.read(["pair"])["pair"]).tolist()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch": 2},
        {"batch": 3},
        {"batch": 7},
        {"batch": 10**4},
        {"window": 10**6, "batch": 33},
        {"bucket": True},
        {"shuffle": False, "batch": 5},
    ],
)
def test_a_batch_holds_whole_pairs_and_each_comes_once(dataset: Dataset, options: dict[str, Any]) -> None:
    loader = batches(dataset, **options)
    expected, seen = len(loader), []
    found = list(loader)
    for batch in found:
        assert 0 < len(batch) <= loader.options.batch
        assert torch.equal(pair_of(batch)[0::2], pair_of(batch)[1::2])
        assert batch.targets["twin"].tolist() == [0, 1] * (len(batch) // 2)
        seen += pair_of(batch)[0::2].tolist()
    assert sorted(seen) == sorted(set(pairs_in(dataset)))
    assert len(found) == expected
    assert not loader.skipped


def test_pairs_are_shuffled_with_each_other(dataset: Dataset) -> None:
    row = next(iter(batches(dataset, window=10**6))).index.row
    assert row is not None
    row = row[0::2]
    assert (row % 2 == 0).all()
    assert abs(np.corrcoef(row, np.arange(len(row)))[0, 1]) < 0.7
    assert row.max() - row.min() > 1500


def test_twins_of_about_equal_length_share_a_batch_where_asked(dataset: Dataset) -> None:
    def longest(**options: Any) -> float:
        return float(np.mean([batch.mask.shape[1] for batch in batches(dataset, **options)]))

    assert longest(bucket=True) < 0.85 * longest()


@pytest.mark.parametrize("world_size", [2, 3])
@pytest.mark.parametrize("drop_last", [False, True])
def test_processes_share_whole_pairs(dataset: Dataset, world_size: int, drop_last: bool) -> None:
    options = {"world_size": world_size, "drop_last": drop_last, "batch": 15}
    ranks = [list(batches(dataset, rank=rank, **options)) for rank in range(world_size)]
    pairs = [pair_of(batch) for found in ranks for batch in found]
    assert all(torch.equal(pair[0::2], pair[1::2]) for pair in pairs)
    seen = torch.cat(pairs)[0::2].tolist()
    assert len(set(seen)) == len(seen)
    assert len({len(found) for found in ranks}) == 1
    if drop_last:
        assert {len(pair) for pair in pairs} == {14}
    else:
        assert sorted(seen) == sorted(set(pairs_in(dataset)))


@pytest.mark.parametrize("stop", [0, 1, 13, 40])
def test_a_restored_position_goes_on_with_the_same_pairs(dataset: Dataset, stop: int) -> None:
    loader = batches(dataset)
    stream = iter(loader)
    for _ in range(stop):
        next(stream)
    state = json.loads(json.dumps(loader.state_dict()))
    rest = [batch.x for batch in stream]
    restored = batches(dataset)
    restored.load_state_dict(state)
    again = [batch.x for batch in restored]
    assert len(rest) == len(again) == len(batches(dataset)) - stop
    assert all(torch.equal(a, b) for a, b in zip(rest, again, strict=True))


def test_a_position_of_single_jets_is_refused(dataset: Dataset) -> None:
    state = batches(dataset, twins=False).state_dict()
    with pytest.raises(JetkitError, match="belongs to other data or options"):
        batches(dataset).load_state_dict(state)


def test_jets_whose_twin_is_not_there_are_left_out_and_counted(dataset: Dataset) -> None:
    def heavy(jets: Any) -> Any:
        return jets["jet_pt"] > 600

    chosen = dataset.where(heavy, ["jet_pt"])
    number, count = np.unique(pairs_in(chosen), return_counts=True)
    loader = batches(chosen)
    for _ in range(2):
        seen = [pair for batch in loader for pair in pair_of(batch)[0::2].tolist()]
        assert sorted(seen) == number[count == 2].tolist()
        assert dict(loader.skipped) == {LONELY: int((count == 1).sum())}


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_the_parts_hold_whole_pairs(dataset: Dataset, part: str) -> None:
    pairs = np.array(pairs_in(dataset.split(part)))
    assert len(pairs) > 200
    assert (pairs[0::2] == pairs[1::2]).all()


@pytest.mark.parametrize("balanced", [False, True])
def test_a_few_jets_are_taken_with_their_twins(dataset: Dataset, balanced: bool) -> None:
    few = dataset.take(400, balanced=balanced)
    pairs = np.array(pairs_in(few))
    assert len(pairs) == 400
    assert (pairs[0::2] == pairs[1::2]).all()


def test_a_dataset_without_twins_says_how_they_are_made(folder: Path) -> None:
    with pytest.raises(JetkitError, match=r"has no twins: make one with jetkit simulate RECIPE twin=rehadronise"):
        batches(open_dataset(folder), targets=())


def test_a_batch_has_room_for_a_pair(dataset: Dataset) -> None:
    with pytest.raises(JetkitError, match="batch should be at least 2 where jets come as twins"):
        batches(dataset, batch=1)


def test_pairs_are_neighbours_with_one_number() -> None:
    pair = (
        np.random.default_rng(0).choice(200, 150, replace=False).repeat(2)[np.random.default_rng(1).random(300) < 0.8]
    )
    slow = [[k, k + 1] for k in range(len(pair) - 1) if pair[k] == pair[k + 1]]
    assert twins_of(pair).tolist() == slow
    assert twins_of(pair[:0]).shape == (0, 2)
