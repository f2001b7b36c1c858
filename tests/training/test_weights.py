from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jetkit.data.card import Card, write_card
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.known_labels import known_labels
from jetkit.data.shards import write_shard
from jetkit.errors import JetkitError
from jetkit.store.options import nested
from jetkit.training.assembly import data_of
from jetkit.training.weights import KINEMATICS, class_weights, kinematic_weights


def remade(toy: Path, folder: Path, classes: list[str] | None = None, **changes: Any) -> Dataset:
    """The toy jets with some columns changed or, where None, left out."""
    columns: dict[str, Any] = open_dataset(toy).read(list(open_dataset(toy).columns))
    kept = {name: value for name, value in (columns | changes).items() if value is not None}
    folder.mkdir()
    write_card(
        folder,
        Card("odd", classes=classes or ["narrow", "wide"]).with_shards(
            [write_shard(folder / "0.parquet", kept)], complete=True
        ),
    )
    return open_dataset(folder)


def weighted(dataset: Dataset, weight: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Weights, labels, pT and soft-drop mass of all jets, as a loader yields them."""
    loader = dataset.batches(features="kin", batch=64, targets=KINEMATICS)
    parts = [(weight(c), c.label, c.row[:, 0], c.targets["jet_sdmass"]) for c in loader]
    return tuple(torch.cat(part).double().numpy() for part in zip(*parts, strict=True))  # type: ignore[return-value]


def test_class_weights_give_equal_sums_and_a_mean_of_1(toy: Path, tmp_path: Path) -> None:
    label = (np.arange(600) % 10 == 0).astype(np.int64)
    dataset = remade(toy, tmp_path / "d", jet_label=label)
    weight, label, _, _ = weighted(dataset, class_weights(dataset))
    assert weight[label == 0].sum() == pytest.approx(weight[label == 1].sum())
    assert weight.mean() == pytest.approx(1.0)


def test_kinematic_weights_give_equal_spectra(toy: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    label = (random.random(600) < 0.2).astype(np.int64)
    pt, mass = random.choice([510.0, 550.0], 600, p=[0.3, 0.7]), random.choice([20.0, 80.0], 600, p=[0.5, 0.5])
    pt[label == 1] = random.choice([510.0, 550.0], (label == 1).sum(), p=[0.7, 0.3])
    dataset = remade(toy, tmp_path / "d", jet_label=label, jet_pt=pt, jet_sdmass=mass)
    weight, label, pt, mass = weighted(dataset, kinematic_weights(dataset))
    for low_pt in (True, False):
        for low_mass in (True, False):
            here = ((pt < 530) == low_pt) & ((mass < 50) == low_mass)
            assert weight[here & (label == 0)].sum() == pytest.approx(weight[here & (label == 1)].sum(), rel=1e-5)
    assert weight.mean() == pytest.approx(1.0)


def test_kinematic_weights_of_the_toy_jets_have_equal_sums_and_no_giants(toy: Path) -> None:
    dataset = open_dataset(toy)
    weight, label, _, _ = weighted(dataset, kinematic_weights(dataset))
    assert weight[label == 0].sum() == pytest.approx(weight[label == 1].sum(), rel=1e-5)
    assert weight.mean() == pytest.approx(1.0)
    assert weight.min() > 0
    assert weight.max() < 30


def test_kinematic_weights_follow_numbers_of_double_precision(toy: Path) -> None:
    dataset = open_dataset(toy)
    batch = next(iter(dataset.batches(features="kin", batch=64, targets=KINEMATICS)))
    weight = kinematic_weights(dataset)
    assert torch.equal(weight(batch), weight(batch.to(dtype=torch.float64)))


def test_jets_without_a_mass_do_not_spoil_the_weights(toy: Path, tmp_path: Path) -> None:
    mass = np.where(np.arange(600) % 7 == 0, np.nan, 50.0 + np.arange(600) % 5)
    dataset = remade(toy, tmp_path / "d", jet_sdmass=mass)
    assert torch.isfinite(kinematic_weights(dataset).table).all()


def test_labels_that_are_no_class_are_minus_1(toy: Path, tmp_path: Path) -> None:
    label = np.array([0, 1, 5, -1, -7] * 120)
    dataset = remade(toy, tmp_path / "d", jet_label=label)
    assert known_labels(dataset).tolist() == [0, 1, -1, -1, -1] * 120
    assert class_weights(dataset).table.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("reweight", ["classes", "kinematics"])
def test_a_training_multiplies_them_with_the_jets_own(toy: Path, tmp_path: Path, reweight: str) -> None:
    label = (np.arange(600) % 10 == 0).astype(np.int64)
    own = 1 + 2.0 * (np.arange(600) % 3)
    dataset = remade(toy, tmp_path / "d", jet_label=label, jet_own=own)
    options = nested(
        {"model": "pfn", "data": str(tmp_path / "d"), "weight": "jet_own", "reweight": reweight}, "the test"
    )
    data = data_of(options)
    weight = {"classes": class_weights, "kinematics": kinematic_weights}[reweight](data.parts.train)
    plain = next(iter(data.parts.train.batches(**data.batching)))
    prepared = data.prepare(plain)
    assert set(plain.weight.tolist()) == {1.0, 3.0, 5.0}
    torch.testing.assert_close(prepared.weight, plain.weight * weight(plain))
    assert prepared.weight.unique().numel() > 3
    assert len(dataset) == 600


@pytest.mark.parametrize("weights", [class_weights, kinematic_weights])
def test_a_class_without_jets_is_named(toy: Path, tmp_path: Path, weights: Any) -> None:
    dataset = remade(toy, tmp_path / "d", classes=["narrow", "wide", "none"])
    with pytest.raises(JetkitError, match="there are no training jets of none: reweight=none would work"):
        weights(dataset)


def test_kinematic_weights_need_a_mass(toy: Path, tmp_path: Path) -> None:
    dataset = remade(toy, tmp_path / "d", jet_sdmass=None)
    with pytest.raises(JetkitError, match="reweight=kinematics needs the columns jet_sdmass: use reweight=classes"):
        kinematic_weights(dataset)


def test_data_without_labels_are_refused(toy: Path, tmp_path: Path) -> None:
    dataset = remade(toy, tmp_path / "d", jet_label=None)
    with pytest.raises(JetkitError, match="odd has no column jet_label: train on data with labels"):
        known_labels(dataset)
