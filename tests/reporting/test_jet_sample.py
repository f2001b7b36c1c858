"""The sample behind pictures: the right jets, evenly spread, with the right quantities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.shards import write_shard
from jetkit.errors import JetkitError
from jetkit.reporting.jet_sample import JetSample, evenly, sample_jets


def test_everything_is_taken_where_it_fits(dataset: Dataset, jets: JetSample) -> None:
    assert len(jets) == len(dataset) == 120
    assert jets.classes == ("QCD", "top")
    assert jets.rows == (60, 60)
    assert jets.offsets[-1] == len(jets.p4) == len(jets.part_type) == len(jets.part_deta)


def test_each_class_is_sampled_from_every_shard(dataset: Dataset) -> None:
    few = sample_jets(dataset, per_class=6)
    assert np.bincount(few.label).tolist() == [6, 6]
    every = dataset.read(["jet_pt"])["jet_pt"]
    shards = {int(np.flatnonzero(every == pt)[0]) // 40 for pt in few.columns["pt"]}
    assert shards == {0, 1, 2}
    assert few.rows == (60, 60)


def test_particles_stay_with_their_jet(jets: JetSample) -> None:
    for j in (0, 57, 119):
        here = slice(jets.offsets[j], jets.offsets[j + 1])
        assert np.hypot(*jets.p4[here, 1:3].sum(axis=0)) == pytest.approx(jets.columns["pt"][j], rel=1e-5)


def test_mass_is_that_of_the_sum_of_the_particles(jets: JetSample) -> None:
    total = jets.p4[jets.offsets[5] : jets.offsets[6]].sum(axis=0)
    assert jets.columns["mass"][5] == pytest.approx(np.sqrt(total[0] ** 2 - (total[1:] ** 2).sum()), rel=1e-9)


def test_ratio_of_subjettiness_is_not_finite_where_its_denominator_is_zero(tmp_path: Path, dataset: Dataset) -> None:
    columns = dict(dataset.read(list(dataset.columns)))
    columns["jet_tau2"] = np.where(np.arange(120) == 3, 0, columns["jet_tau2"]).astype("f4")
    write_shard(tmp_path / "zero.parquet", {n: tuple(c) if isinstance(c, tuple) else c for n, c in columns.items()})
    tau32 = sample_jets(open_dataset(tmp_path / "zero.parquet")).columns["tau32"]
    assert np.flatnonzero(~np.isfinite(tau32)).tolist() == [3]


def test_selected_jets_keep_their_particles(jets: JetSample) -> None:
    tops = jets.select(jets.label == 1)
    assert len(tops) == 60
    first = int(np.flatnonzero(jets.label == 1)[0])
    assert np.array_equal(tops.p4[: tops.offsets[1]], jets.p4[jets.offsets[first] : jets.offsets[first + 1]])


def test_of_many_classes_the_ten_largest_are_kept_in_order(many_classes: Path) -> None:
    sample = sample_jets(open_dataset(many_classes))
    assert sample.classes == tuple(f"class{i}" for i in range(10))
    assert sample.rows == (12,) * 8 + (9,) * 2
    assert np.bincount(sample.label).tolist() == list(sample.rows)


def test_dataset_without_labels_is_one_class(tmp_path: Path, dataset: Dataset) -> None:
    columns = dataset.read(["part_energy", "part_px", "part_py", "part_pz", "part_deta", "part_dphi"])
    write_shard(tmp_path / "bare.parquet", {name: tuple(column) for name, column in columns.items()})
    sample = sample_jets(open_dataset(tmp_path / "bare.parquet"))
    assert sample.classes == ("jets",)
    assert set(sample.columns) == {"pt", "mass", "nparticles"}
    assert set(sample.part_type) == {-1}


def test_dataset_without_particles_is_refused(tmp_path: Path) -> None:
    write_shard(tmp_path / "flat.parquet", {"jet_pt": np.ones(3, "f4")})
    with pytest.raises(JetkitError, match="no column part_energy"):
        sample_jets(open_dataset(tmp_path / "flat.parquet"))


def test_empty_selection_is_refused(dataset: Dataset) -> None:
    with pytest.raises(JetkitError, match="no jets to show"):
        sample_jets(dataset.take(0))


@pytest.mark.parametrize(("rows", "count"), [(10, 3), (10, 10), (3, 10), (1000, 7)])
def test_even_spacing_differs_by_at_most_one(rows: int, count: int) -> None:
    chosen = evenly(np.arange(rows), count)
    assert len(chosen) == min(rows, count)
    assert np.ptp(np.diff(chosen)) <= 1
