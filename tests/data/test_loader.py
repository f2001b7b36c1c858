from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jetkit.data.batch import Batch
from jetkit.data.batching import Batching, Piece, share_of, windows_of
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.loader import Loader, dealt
from jetkit.data.source import Source
from jetkit.errors import JetkitError


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Dataset:
    return open_dataset(folder)


def batches(dataset: Dataset, **options: Any) -> Loader:
    return dataset.batches(**({"window": 1500, "batch": 64} | options))


def rows_of(found: Iterable[Batch]) -> list[int]:
    return [row for batch in found for row in places(batch).tolist()]


def places(batch: Batch) -> torch.Tensor:
    assert batch.index.row is not None
    return batch.index.row


def same(first: Batch, second: Batch) -> bool:
    assert first.p4 is not None
    assert second.p4 is not None
    pairs = [(first.x, second.x), (first.p4, second.p4), (first.mask, second.mask), (first.label, second.label)]
    return all(torch.equal(a, b) for a, b in [*pairs, (places(first), places(second))])


@pytest.mark.parametrize("options", [{}, {"bucket": True}, {"shuffle": False}, {"batch": 1}, {"window": 10**6}])
def test_every_row_comes_exactly_once(dataset: Dataset, options: dict[str, Any]) -> None:
    loader = batches(dataset, **options)
    expected = len(loader)
    found = list(loader)
    assert sorted(rows_of(found)) == list(range(4000))
    assert len(found) == expected
    assert max(len(batch) for batch in found) <= loader.options.batch


def test_without_shuffling_rows_come_as_stored(dataset: Dataset) -> None:
    assert rows_of(batches(dataset, shuffle=False)) == list(range(4000))


def test_a_cloud_holds_the_columns_of_its_rows(dataset: Dataset) -> None:
    batch = next(iter(batches(dataset, targets=("part_d0val",), event=True, weight="jet_pt")))
    columns = dataset.read(["part_pz", "part_d0val", "jet_pt", "jet_label", "event_id"], places(batch).numpy())
    assert batch.p4 is not None
    mask = batch.mask.numpy()
    np.testing.assert_array_equal(batch.p4.numpy()[mask][:, 3], columns["part_pz"].values)  # type: ignore[union-attr]
    np.testing.assert_array_equal(batch.cloud.targets["part_d0val"].numpy()[mask], columns["part_d0val"].values)  # type: ignore[union-attr]
    for found, name in [(batch.weight, "jet_pt"), (batch.label, "jet_label"), (batch.index.event, "event_id")]:
        np.testing.assert_array_equal(found, columns[name])  # type: ignore[arg-type]
    assert not batch.x.numpy()[~mask].any()
    assert not batch.p4.numpy()[~mask].any()


def test_momenta_can_be_left_out(dataset: Dataset) -> None:
    assert next(iter(batches(dataset, p4=False))).p4 is None


def test_every_window_takes_from_every_shard_at_an_even_pace() -> None:
    sources = [Source(Path(f"{label}.parquet"), (100,) * 5, {}) for label in range(4)]
    windows = windows_of(sources, Batching(window=400), epoch=0)
    assert [sorted(piece.source for piece in window) for window in windows] == [[0, 1, 2, 3]] * 5
    assert len({tuple(piece.source for piece in window) for window in windows}) > 1


def test_every_window_takes_from_every_class_at_an_even_pace_where_a_shard_is_one_row_group() -> None:
    sources = [Source(Path(f"{number}.parquet"), (100,), {}, label=number % 5) for number in range(40)]
    for epoch in range(20):
        windows = windows_of(sources, Batching(window=1000), epoch)
        counts = [np.bincount([piece.source % 5 for piece in window], minlength=5) for window in windows]
        assert np.abs(np.array(counts) - 2).max() <= 1, "four windows, eight shards a class"


def test_classes_of_separate_shards_are_mixed(dataset: Dataset) -> None:
    first = next(iter(batches(dataset, window=4000, batch=1000)))
    shares = np.bincount(first.label, minlength=3) / 1000
    assert np.abs(shares - [0.625, 0.3, 0.075]).max() < 0.08


def test_jets_of_one_batch_have_about_equal_length_where_asked(dataset: Dataset) -> None:
    def padding(**options: Any) -> float:
        masks = [batch.mask for batch in batches(dataset, **options)]
        return 1 - sum(int(mask.sum()) for mask in masks) / sum(mask.numel() for mask in masks)

    assert padding(bucket=True) < 0.06
    assert padding() > 0.4


def test_batches_are_not_sorted_by_length(dataset: Dataset) -> None:
    lengths = [batch.mask.shape[1] for batch in batches(dataset, window=10**6, bucket=True)]
    assert abs(np.corrcoef(lengths, np.arange(len(lengths)))[0, 1]) < 0.65


def test_padding_ends_with_the_longest_jet(dataset: Dataset) -> None:
    for batch in batches(dataset):
        assert batch.mask[:, -1].any()


def test_seed_and_epoch_decide_the_order(dataset: Dataset) -> None:
    first, again, other = (rows_of(batches(dataset, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    loader = batches(dataset, seed=1)
    assert [rows_of(loader), rows_of(loader)] == [first, rows_of(batches(dataset, seed=1, epoch=1))]
    assert loader.epoch == 2


def test_full_batches_only(dataset: Dataset) -> None:
    sizes = {len(batch) for batch in batches(dataset, drop_last=True)}
    assert sizes == {64}


@pytest.mark.parametrize("stop", [0, 1, 17, 24, 63])
def test_a_restored_position_goes_on_with_the_same_bits(dataset: Dataset, stop: int) -> None:
    loader = batches(dataset)
    stream = iter(loader)
    for _ in range(stop):
        next(stream)
    state = json.loads(json.dumps(loader.state_dict()))
    rest = list(stream)
    restored = batches(dataset)
    restored.load_state_dict(state)
    again = list(restored)
    assert len(rest) == len(again) == len(batches(dataset)) - stop
    assert all(same(a, b) for a, b in zip(rest, again, strict=True))
    assert same(next(iter(loader)), next(iter(restored)))


def test_a_position_in_other_data_is_refused(dataset: Dataset) -> None:
    state = batches(dataset).state_dict()
    for other in (batches(dataset, batch=32), batches(dataset.take(100))):
        with pytest.raises(JetkitError, match="belongs to other data or options"):
            other.load_state_dict(state)


def test_processes_that_share_the_rows_share_their_positions(dataset: Dataset) -> None:
    first, second = (batches(dataset, rank=rank, world_size=2) for rank in (0, 1))
    streams = iter(first), iter(second)
    for _ in range(10):
        for stream in streams:
            next(stream)
    state, rest = first.state_dict(), rows_of(streams[1])
    restored = batches(dataset, rank=1, world_size=2)
    restored.load_state_dict(state)
    assert rows_of(restored) == rest


def test_two_loaders_do_not_disturb_each_other(dataset: Dataset) -> None:
    alone = rows_of(batches(dataset))
    first, second = iter(batches(dataset)), iter(batches(dataset, seed=5))
    mixed = []
    for batch in first:
        mixed.append(batch)
        next(second)
    assert rows_of(mixed) == alone


def test_global_random_states_are_left_alone(dataset: Dataset) -> None:
    np.random.seed(3)
    torch.manual_seed(3)
    expected = np.random.random(), torch.rand(1).item()
    np.random.seed(3)
    torch.manual_seed(3)
    list(batches(dataset))
    assert (np.random.random(), torch.rand(1).item()) == expected


def test_batches_of_processes_are_equal_work_and_random_company(dataset: Dataset) -> None:
    def particles(epoch: int, **options: int) -> list[int]:
        return [int(batch.mask.sum()) for batch in batches(dataset, batch=20, epoch=epoch, **options)]

    shared = np.concatenate([np.array(particles(epoch, rank=0, world_size=2)) for epoch in range(4)])
    alone = np.concatenate([np.array(particles(epoch)) for epoch in range(4)])
    assert shared.std() / shared.mean() < 0.4 * alone.std() / alone.mean()

    units, work = np.arange(60), np.repeat(np.arange(10), 6)
    company = np.zeros((60, 60))
    for seed in range(400):
        for batch in dealt(units, work, 6, np.random.default_rng(seed)):
            assert np.unique(batch).size == len(batch) == 10
            company[np.ix_(batch, batch)] += 1
    apart = company[work[:, None] != work]
    assert abs(apart - 400 / 6).max() < 6.5 * np.sqrt(400 * 5 / 36)


@pytest.mark.parametrize("world_size", [2, 3, 7])
@pytest.mark.parametrize("window", [100, 1500, 10**6])
def test_ranks_share_the_rows_in_equal_numbers_of_batches(dataset: Dataset, world_size: int, window: int) -> None:
    ranks = [list(batches(dataset, rank=rank, world_size=world_size, window=window)) for rank in range(world_size)]
    assert sorted(row for found in ranks for row in rows_of(found)) == list(range(4000))
    assert len({len(found) for found in ranks}) == 1


@pytest.mark.parametrize("world_size", [2, 3, 5])
def test_ranks_have_the_same_classes(world_size: int) -> None:
    """The shards hold a class each, whose numbers of rows no number of ranks divides."""
    strata = [("class", 0), ("class", 1), ("class", 1), ("class", 2), ("class", 0)]
    pieces = [Piece(number, 0, np.arange(97 + 10 * number), 0, stratum) for number, stratum in enumerate(strata)]
    ranks = [share_of(pieces, Batching(rank=rank, world_size=world_size)) for rank in range(world_size)]
    counts = np.zeros((world_size, 3), int)
    for number, piece in enumerate(pieces):
        rows = [piece.rows[shares[number]] for shares in ranks]
        assert sorted(np.concatenate(rows)) == piece.rows.tolist()
        counts[:, piece.stratum[1]] += [len(part) for part in rows]
    assert np.ptp(counts, axis=0).max() <= 1
    assert np.ptp(counts.sum(axis=1)) <= 1
    stored = [share_of(pieces, Batching(rank=rank, world_size=2, shuffle=False)) for rank in (0, 1)]
    assert [share.stop > share.start for share in stored[0]] == [True, True, True, False, False]


def test_more_processes_than_rows_is_one_sentence(dataset: Dataset) -> None:
    with pytest.raises(JetkitError, match="fewer rows than the 8 processes"):
        list(batches(dataset.take(5), world_size=8))


def test_unusable_rows_are_counted_anew_each_epoch(dataset: Dataset) -> None:
    loader = batches(dataset)
    loader._reader.classes = 2  # the 300 jets of the third class now have no class
    for _ in range(2):
        assert 2 not in Counter(int(label) for batch in loader for label in batch.label)
        assert dict(loader.skipped) == {"a label that is not a class": 300}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "option batch should be at least 1, got 0"),
        ({"rank": 1}, "option rank should be from 0 to 0, got 1"),
        ({"batch": 1, "world_size": 2}, "option batch should be at least 2"),
        ({"colour": 1}, "unknown option colour: the options are batch, features"),
        ({"targets": ("jet_colour",)}, "no column jet_colour"),
        ({"row": ("jet_colour",)}, "no column jet_colour"),
        ({"weight": "colour"}, "no column colour"),
        ({"features": "all"}, "unknown feature set 'all'"),
    ],
)
def test_a_wrong_option_is_named_before_anything_is_read(
    dataset: Dataset, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(JetkitError, match=message):
        dataset.batches(**options)


def test_memory_does_not_grow_with_the_number_of_windows(dataset: Dataset) -> None:
    import tracemalloc

    def peak(epochs: int) -> int:
        loader = batches(dataset, window=500)
        tracemalloc.start()
        for _ in range(epochs):
            for _ in loader:
                pass
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    peak(1)
    assert peak(4) < 1.2 * peak(1)


def test_columns_of_particles_can_be_features_beside_momenta(dataset) -> None:
    raw = next(iter(dataset.batches(features=["part_energy", "part_charge"], shuffle=False, batch=5)))
    full = next(iter(dataset.batches(features="full", shuffle=False, batch=5)))
    assert torch.equal(raw.x[..., 0], raw.p4[..., 0])
    assert torch.equal(raw.x[..., 1], full.x[..., 5])
    assert torch.equal(raw.p4, full.p4)
