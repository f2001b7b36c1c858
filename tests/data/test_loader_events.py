"""Loaders of events with two collections and links between them, and of plain tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jetkit.data.batch import Batch
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.loader import Loader
from jetkit.data.shards import write_shard
from jetkit.errors import JetkitError

SIZES = (1300, 450)


def events(rows: int, seed: int) -> dict[str, Any]:
    """Hits, each with a number of its own and the place of its particle, and particles with momenta."""
    random = np.random.default_rng(seed)
    hits, particles = random.integers(1, 13, rows), random.integers(0, 9, rows)
    at_hit, at_particle = (np.concatenate([[0], np.cumsum(counts)]) for counts in (hits, particles))
    link = random.integers(-1, np.repeat(particles, hits))
    px, py, pz = random.normal(0, 10, (3, at_particle[-1]))
    columns = {
        "hit_number": (np.arange(at_hit[-1]) + 10**5 * seed, at_hit),
        "hit_x": (random.normal(size=at_hit[-1]), at_hit),
        "hit_noise": (link < 0, at_hit),
        "hit_particle": (link, at_hit),
        "particle_number": (np.arange(at_particle[-1]) + 10**5 * seed, at_particle),
        "event_energy": random.uniform(1, 2, rows),
        "event_id": np.arange(rows) + 10**5 * seed,
        "jet_label": random.integers(0, 3, rows),
    }
    momenta = {"px": px, "py": py, "pz": pz, "energy": np.sqrt(px**2 + py**2 + pz**2 + 1)}
    return columns | {f"particle_{name}": (values, at_particle) for name, values in momenta.items()}


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    place = tmp_path_factory.mktemp("events")
    for seed, rows in enumerate(SIZES):
        write_shard(place / f"{seed}.parquet", events(rows, seed))
    return open_dataset(place)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Numbers alone, without any list."""
    place = tmp_path_factory.mktemp("table")
    for seed, rows in enumerate(SIZES):
        random = np.random.default_rng(seed)
        columns = {"mass": random.normal(size=rows), "charge": random.integers(-1, 2, rows)}
        write_shard(place / f"{seed}.parquet", columns | {"jet_label": random.integers(0, 2, rows)})
    return open_dataset(place)


OPTIONS: dict[str, Any] = {
    "features": ["hit_number", "particle_number", "event_energy"],
    "targets": ["event_energy", "hit_noise", "particle_number"],
    "links": ["hit_particle"],
    "event": True,
    "window": 500,
    "batch": 32,
}


def of_events(dataset: Dataset, **options: Any) -> Loader:
    return dataset.batches(**OPTIONS | options)


def of_table(dataset: Dataset, **options: Any) -> Loader:
    return dataset.batches(**{"features": ["mass", "charge"], "window": 500, "batch": 32} | options)


@pytest.fixture(params=["events", "table"])
def batches(request: pytest.FixtureRequest) -> Callable[..., Loader]:
    if request.param == "events":
        return lambda **options: of_events(request.getfixturevalue("detector"), **options)
    return lambda **options: of_table(request.getfixturevalue("table"), **options)


def rows_of(found: Iterable[Batch]) -> list[int]:
    return [row for batch in found if batch.index.row is not None for row in batch.index.row.tolist()]


def tensors(batch: Batch) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    batch.map(lambda tensor: (found.append(tensor), tensor)[1])
    return found


def same(first: Batch, second: Batch) -> bool:
    pairs = zip(tensors(first), tensors(second), strict=True)
    return all(a.dtype == b.dtype and torch.equal(a, b) for a, b in pairs)


def linked(batch: Batch) -> dict[int, int]:
    """Number of each hit → number of its particle, −1: none."""
    link, found = batch.links["hit", "particle"], {}
    for row, place in batch.sets["hit"].mask.nonzero().tolist():
        to = int(link[row, place])
        particle = -1 if to < 0 else int(batch.sets["particle"].x[row, to, 0])
        assert to < 0 or batch.sets["particle"].mask[row, to]
        found[int(batch.sets["hit"].x[row, place, 0])] = particle
    return found


def stored_links(dataset: Dataset) -> dict[int, int]:
    columns = dataset.read(["hit_number", "hit_particle", "particle_number"])
    hit, link, particle = (columns[name] for name in ("hit_number", "hit_particle", "particle_number"))
    start = np.repeat(particle.offsets[:-1], hit.counts)  # type: ignore[union-attr]
    numbers = np.append(particle.values, -1)  # type: ignore[union-attr]
    ends = numbers[np.where(link.values < 0, -1, start + link.values)]  # type: ignore[union-attr]
    return dict(zip(hit.values.tolist(), ends.tolist(), strict=True))  # type: ignore[union-attr]


@pytest.mark.parametrize("options", [{}, {"bucket": True}, {"shuffle": False}, {"batch": 1}, {"window": 10**6}])
def test_every_row_comes_exactly_once(batches: Callable[..., Loader], options: dict[str, Any]) -> None:
    loader = batches(**options)
    expected, found = len(loader), list(loader)
    assert sorted(rows_of(found)) == list(range(sum(SIZES)))
    assert len(found) == expected
    assert max(map(len, found)) <= loader.options.batch
    assert not loader.skipped


@pytest.mark.parametrize("stop", [0, 1, 23, 40])
def test_a_restored_position_goes_on_with_the_same_bits(batches: Callable[..., Loader], stop: int) -> None:
    loader = batches()
    stream = iter(loader)
    for _ in range(stop):
        next(stream)
    state = json.loads(json.dumps(loader.state_dict()))
    rest = list(stream)
    restored = batches()
    restored.load_state_dict(state)
    again = list(restored)
    assert len(rest) == len(again) == len(batches()) - stop
    assert all(same(a, b) for a, b in zip(rest, again, strict=True))
    assert same(next(iter(loader)), next(iter(restored)))


def test_a_position_of_other_options_is_refused(batches: Callable[..., Loader], table: Dataset) -> None:
    with pytest.raises(JetkitError, match="belongs to other data or options"):
        batches(targets=["jet_label"]).load_state_dict(batches().state_dict())
    first, second = ({"row": [{"column": "mass", "scale": scale}]} for scale in (1, 2))
    with pytest.raises(JetkitError, match="belongs to other data or options"):
        of_table(table, features=second).load_state_dict(of_table(table, features=first).state_dict())


@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_share_the_rows(batches: Callable[..., Loader], world_size: int) -> None:
    ranks = [list(batches(rank=rank, world_size=world_size)) for rank in range(world_size)]
    rows = [set(rows_of(found)) for found in ranks]
    assert sum(map(len, rows)) == len(set.union(*rows)) == sum(SIZES)
    assert len({len(found) for found in ranks}) == 1


def test_epochs_differ_and_are_decided_by_the_seed(batches: Callable[..., Loader]) -> None:
    loader, again = batches(seed=3), batches(seed=3)
    first, second = rows_of(loader), rows_of(loader)
    assert first != second
    assert [rows_of(again), rows_of(again)] == [first, second]


def test_an_event_holds_what_is_stored(detector: Dataset) -> None:
    stored = detector.read(["hit_number", "hit_noise", "particle_number", "particle_pz", "event_energy", "event_id"])
    for batch in of_events(detector, batch=100):
        row = batch.index.row
        assert row is not None
        for name, column in (("hit", "hit_number"), ("particle", "particle_number")):
            cloud, counts = batch.sets[name], stored[column].counts[row]  # type: ignore[union-attr]
            assert cloud.mask.sum(1).tolist() == counts.tolist()
            assert cloud.mask.shape[1] == max(counts.max(), 1)
            assert not cloud.x[~cloud.mask].any()
        chosen = detector.read(list(stored), row.numpy())
        hit, particle = batch.sets["hit"], batch.sets["particle"]
        assert hit.p4 is None
        assert particle.p4 is not None
        for found, name in [
            (hit.x[hit.mask][:, 0], "hit_number"),
            (hit.targets["hit_noise"][hit.mask], "hit_noise"),
            (particle.targets["particle_number"][particle.mask], "particle_number"),
            (particle.p4[particle.mask][:, 3], "particle_pz"),
        ]:
            values = chosen[name].values  # type: ignore[union-attr]
            np.testing.assert_array_equal(found, values.astype(found.numpy().dtype))
        for found, name in [(batch.row[:, 0], "event_energy"), (batch.targets["event_energy"], "event_energy")]:
            np.testing.assert_array_equal(found, np.asarray(chosen[name]).astype(found.numpy().dtype))
        assert batch.index.event is not None
        np.testing.assert_array_equal(batch.index.event, chosen["event_id"])  # type: ignore[arg-type]


def test_links_lead_to_the_stored_objects(detector: Dataset) -> None:
    found: dict[int, int] = {}
    for batch in of_events(detector):
        assert (batch.links["hit", "particle"][~batch.sets["hit"].mask] == -1).all()
        found |= linked(batch)
    assert found == stored_links(detector)


@pytest.mark.parametrize("length", [1, 3, 6])
def test_links_follow_their_objects_where_a_collection_is_cut(detector: Dataset, length: int) -> None:
    """The hardest particles are kept, and all hits, which have no momenta."""
    kept, found = set(), {}
    for batch in of_events(detector, length=length):
        particle = batch.sets["particle"]
        assert particle.mask.sum(1).max() <= length
        assert torch.equal(particle.targets["particle_number"], particle.x[..., 0].long())
        kept |= set(particle.targets["particle_number"][particle.mask].tolist())
        found |= linked(batch)
    stored = detector.read(["particle_number", "particle_px", "particle_py"])
    offsets = stored["particle_px"].offsets  # type: ignore[union-attr]
    px, py, number = (stored[f"particle_{name}"].values for name in ("px", "py", "number"))  # type: ignore[union-attr]
    hardest = set()
    for low, high in pairwise(offsets):
        hardest |= set(number[low:high][np.argsort(-(px**2 + py**2)[low:high])[:length]].tolist())
    assert kept == hardest
    assert found == {hit: to if to in kept else -1 for hit, to in stored_links(detector).items()}


def test_links_begin_in_a_collection_that_is_cut(tmp_path: Path) -> None:
    """Particles that tell their mothers lose those that are too soft."""
    pt, offsets = np.array([9.0, 1.0, 8.0, 5.0, 2.0]), np.array([0, 5])
    momenta = {"px": pt, "py": 0 * pt, "pz": 0 * pt, "energy": pt}
    columns = {f"part_{name}": (values, offsets) for name, values in momenta.items()}
    write_shard(tmp_path / "a.parquet", columns | {"part_part": (np.array([-1, 0, 1, 2, 3]), offsets)})
    dataset = open_dataset(tmp_path)
    options: dict[str, Any] = {"features": ["part_px"], "links": ["part_part"], "shuffle": False}
    (whole,), (cut,) = (dataset.batches(**options, length=length) for length in (5, 3))
    assert whole.links["part", "part"].tolist() == [[-1, 0, 1, 2, 3]]
    assert cut.x[0, :, 0].tolist() == [9.0, 8.0, 5.0]
    assert cut.links["part", "part"].tolist() == [[-1, -1, 1]]
    keep = torch.tensor([[True, False, True, True, False]])
    assert whole.cut(keep).links["part", "part"].tolist() == [[-1, -1, 1]]


@pytest.mark.parametrize("wrong", [2, 10**6, -2])
@pytest.mark.parametrize("length", [1, 128])
def test_a_link_to_no_object_leaves_its_row_out(tmp_path: Path, wrong: int, length: int) -> None:
    at_hit, at_particle = np.array([0, 2, 4, 5]), np.array([0, 2, 4, 6])
    momenta = {f"particle_{name}": (np.arange(1.0, 7), at_particle) for name in ("px", "py", "pz", "energy")}
    columns = {"hit_x": (np.arange(5.0), at_hit), "hit_particle": (np.array([0, 1, 1, wrong, -1]), at_hit)}
    write_shard(tmp_path / "a.parquet", columns | momenta)
    loader = open_dataset(tmp_path).batches(features=["hit_x"], links=["hit_particle"], shuffle=False, length=length)
    (batch,) = loader
    assert rows_of([batch]) == [0, 2]
    assert dict(loader.skipped) == {"a link to an object that is not there": 1}


def test_links_of_rows_whose_lists_are_unequal_harm_no_other(tmp_path: Path) -> None:
    """The second row has one particle too few in one of its lists: it is left out, whatever its hits link to."""
    at_hit, at_particle = np.array([0, 2, 4, 6]), np.array([0, 2, 4, 6])
    columns: dict[str, Any] = {
        "hit_x": (np.arange(6.0), at_hit),
        "hit_particle": (np.array([0, 1, 1, 0, 1, 0]), at_hit),
        "particle_a": (np.arange(6.0), at_particle),
        "particle_b": (np.arange(5.0), np.array([0, 2, 3, 5])),
    }
    write_shard(tmp_path / "a.parquet", columns)
    loader = open_dataset(tmp_path).batches(
        features=["hit_x", "particle_a", "particle_b"], links=["hit_particle"], shuffle=False
    )
    (batch,) = loader
    assert rows_of([batch]) == [0, 2]
    assert batch.links["hit", "particle"].tolist() == [[0, 1], [1, 0]]
    assert dict(loader.skipped) == {"particle lists of unequal lengths": 1}


def test_only_the_first_collection_must_have_objects(tmp_path: Path) -> None:
    columns = {"hit_x": (np.arange(3.0), np.array([0, 2, 3, 3])), "track_x": (np.arange(2.0), np.array([0, 0, 1, 2]))}
    write_shard(tmp_path / "a.parquet", columns)
    for features, rows in ((["hit_x", "track_x"], [0, 1]), (["track_x", "hit_x"], [1, 2])):
        loader = open_dataset(tmp_path).batches(features=features, shuffle=False)
        assert rows_of(loader) == rows
        assert dict(loader.skipped) == {"no particles": 1}


def test_a_plain_table_holds_its_columns(table: Dataset) -> None:
    stored = table.read(["mass", "charge", "jet_label"])
    for batch in of_table(table):
        assert not batch.sets
        row = batch.index.row
        assert row is not None
        expected = np.stack([np.asarray(stored[name])[row] for name in ("mass", "charge")], axis=1)
        np.testing.assert_array_equal(batch.row, expected.astype(np.float32))
        np.testing.assert_array_equal(batch.label, np.asarray(stored["jet_label"])[row])
    assert of_table(table).spec.classes == ("class 0", "class 1")


def test_a_row_of_a_table_with_nan_is_counted(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.parquet", {"mass": np.array([1.0, np.nan, np.inf, 4.0])})
    loader = open_dataset(tmp_path).batches(features=["mass"], shuffle=False)
    assert [batch.row.tolist() for batch in loader] == [[[1.0], [4.0]]]
    assert dict(loader.skipped) == {"a jet column with NaN or infinity": 2}
    assert open_dataset(tmp_path).skipped == {}, "of momenta there are none"
