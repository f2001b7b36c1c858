"""Damaged files and odd tables: one sentence or a counted row, never a crash and never a silent loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jetkit.data.batch import Batch
from jetkit.data.dataset import open_dataset
from jetkit.data.shards import write_shard
from jetkit.data.usable import REASONS
from jetkit.errors import JetkitError

Jets = Callable[..., dict[str, Any]]
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SIZES = [3, 1, 7, 2, 5]


def load(path: Path) -> tuple[dict[int, np.ndarray], int]:
    """Row → its features, and the number of rows left out."""
    loader = open_dataset(path).batches(batch=2, row=())
    batches = list(loader)
    found = {row: batch.x[i][batch.mask[i]].numpy() for batch in batches for i, row in enumerate(rows_of(batch))}
    return found, loader.skipped.total()


def rows_of(batch: Batch) -> list[int]:
    assert batch.index.row is not None
    return batch.index.row.tolist()


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> tuple[bytes, dict[int, Any]]:
    """Bytes of a good file and what is in it."""
    make = request.getfixturevalue("make")
    path = tmp_path_factory.mktemp("intact") / "a.parquet"
    write_shard(path, make(SIZES))
    return path.read_bytes(), load(path)[0]


def outcome_is_honest(path: Path, truth: dict[int, Any]) -> None:
    """Either one sentence that names the file, or exactly the jets that were written."""
    try:
        found, skipped = load(path)
    except JetkitError as error:
        assert str(path) in str(error)  # noqa: PT017
        return
    assert len(found) + skipped == len(truth)
    for row, x in found.items():
        np.testing.assert_array_equal(x, truth[row])


@QUICK
@given(data=st.data())
def test_a_file_cut_short_is_named(tmp_path: Path, intact: tuple[bytes, dict[int, Any]], data: st.DataObject) -> None:
    content, _ = intact
    path = tmp_path / "a.parquet"
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(JetkitError, match=r"a\.parquet"):
        load(path)


@QUICK
@given(data=st.data())
def test_flipped_bits_in_the_pages_are_found(
    tmp_path: Path, intact: tuple[bytes, dict[int, Any]], data: st.DataObject
) -> None:
    content, truth = intact
    pages = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(4, pages - 1))] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "a.parquet"
    path.write_bytes(damaged)
    outcome_is_honest(path, truth)


@QUICK
@given(data=st.data())
def test_flipped_bits_in_the_footer_never_crash(
    tmp_path: Path, intact: tuple[bytes, dict[int, Any]], data: st.DataObject
) -> None:
    content, _ = intact
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    damaged = bytearray(content)
    damaged[data.draw(st.integers(footer, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "a.parquet"
    path.write_bytes(damaged)
    try:
        found, skipped = load(path)
    except JetkitError:
        return
    assert len(found) + skipped == len(open_dataset(path))


NUMBERS = st.sampled_from([1.0, 2.5, 1e30, 1e300, 0.0, -1.0, math.nan, math.inf, -math.inf])
PARTICLE = st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS)


def usable(jet: list[tuple[float, ...]]) -> bool:
    """What the reader should think of a jet (E, px, py, pz), by the rules and not by its code."""
    with np.errstate(over="ignore"):
        rows = [np.array(particle, np.float32) for particle in jet]
    return bool(rows) and all(np.isfinite(p).all() and p[0] > 0 and (p[1] != 0 or p[2] != 0) for p in rows)


@settings(QUICK, max_examples=100)
@given(jets=st.lists(st.lists(PARTICLE, max_size=3), min_size=1, max_size=6))
def test_every_jet_is_yielded_or_counted(tmp_path: Path, jets: list[list[tuple[float, ...]]]) -> None:
    path = tmp_path / "odd.parquet"
    names = ["part_energy", "part_px", "part_py", "part_pz"]
    table = {n: pa.array([[p[i] for p in jet] for jet in jets], pa.list_(pa.float64())) for i, n in enumerate(names)}
    table |= {name: pa.array([1.0] * len(jets)) for name in ("jet_pt", "jet_eta", "jet_phi", "jet_energy")}
    pq.write_table(pa.table(table), path)
    dataset = open_dataset(path)
    loader = dataset.batches(features="kin")
    rows = [row for batch in loader for row in rows_of(batch)]
    allowed = {row for row, jet in enumerate(jets) if usable(jet)}
    overflowing = loader.skipped["a feature with NaN or infinity"]
    assert set(rows) <= allowed
    assert len(rows) + overflowing == len(allowed)
    assert len(rows) + loader.skipped.total() == len(jets)
    assert set(loader.skipped) <= set(REASONS)


@pytest.mark.parametrize(
    ("name", "place", "value", "reason"),
    [
        ("part_px", 0, np.nan, "a momentum with NaN or infinity"),
        ("part_energy", 5, 0.0, "a particle with E <= 0"),
        ("part_d0val", 1, np.inf, "a feature with NaN or infinity"),
        ("part_deta", 1, np.nan, "a feature with NaN or infinity"),
        ("jet_pt", 1, -1.0, "a feature with NaN or infinity"),
        ("jet_eta", 1, np.nan, "a jet column with NaN or infinity"),
        ("jet_label", 1, 7, "a label that is not a class"),
    ],
)
def test_an_unusable_row_is_counted_by_reason(
    tmp_path: Path, make: Jets, name: str, place: int, value: float, reason: str
) -> None:
    columns = make([4, 4])
    flat = columns[name][0] if isinstance(columns[name], tuple) else columns[name]
    path = tmp_path / "a.parquet"
    if name != "jet_label":
        flat[place] = value
    table = {key: list(np.split(c[0], c[1][1:-1])) if isinstance(c, tuple) else c for key, c in columns.items()}
    pq.write_table(pa.table(table), path)
    dataset = open_dataset(path)
    if name == "jet_label":
        flat[place] = value
        write_shard(path, columns)
    loader = dataset.batches()
    assert sum(len(batch) for batch in loader) == 1
    assert dict(loader.skipped) == {reason: 1}


def test_particle_lists_of_unequal_lengths_are_counted(tmp_path: Path, make: Jets) -> None:
    columns = make([3, 2, 4])
    values, _ = columns["part_d0err"]
    columns["part_d0err"] = (values, np.array([0, 3, 6, 9]))
    write_shard(tmp_path / "a.parquet", columns)
    loader = open_dataset(tmp_path / "a.parquet").batches(shuffle=False)
    (batch,) = loader
    assert rows_of(batch) == [0]
    assert dict(loader.skipped) == {"particle lists of unequal lengths": 2}


def test_jets_without_particles_are_counted(tmp_path: Path, make: Jets) -> None:
    write_shard(tmp_path / "a.parquet", make([0, 2, 0]))
    dataset = open_dataset(tmp_path / "a.parquet")
    assert dataset.skipped == {"no particles": 2}
    assert sum(len(batch) for batch in dataset.batches()) == 1


def test_a_jet_of_many_particles_keeps_the_hardest(tmp_path: Path, make: Jets) -> None:
    columns = make([12000, 3])
    shuffled = np.random.default_rng(0).permutation(12000)
    for name in ("part_px", "part_py", "part_pz", "part_energy"):
        columns[name][0][:12000] = columns[name][0][:12000][shuffled]
    write_shard(tmp_path / "a.parquet", columns)
    (batch,) = open_dataset(tmp_path / "a.parquet").batches(length=100, shuffle=False)
    pt = np.hypot(*(columns[name][0][:12000].astype(np.float32) for name in ("part_px", "part_py")))
    kept = np.sort(np.argsort(-pt, kind="stable")[:100])
    expected = columns["part_energy"][0][:12000][kept].astype(np.float32)
    assert batch.p4 is not None
    np.testing.assert_array_equal(batch.p4[0, :, 0].numpy(), expected)
    assert batch.mask.sum(dim=1).tolist() == [100, 3]


def test_a_list_where_a_number_belongs_is_refused(tmp_path: Path, make: Jets) -> None:
    columns = make([2])
    columns["jet_pt"] = (np.ones(2), np.array([0, 2]))
    write_shard(tmp_path / "a.parquet", columns)
    with pytest.raises(JetkitError, match="column jet_pt should hold one number per row"):
        list(open_dataset(tmp_path / "a.parquet").batches())
