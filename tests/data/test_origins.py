"""Which decay product a particle is nearest to, and how a loader tells it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jetkit.data.card import Card, write_card
from jetkit.data.dataset import open_dataset
from jetkit.data.origins import nearest_decay_products
from jetkit.data.ragged import Ragged
from jetkit.data.shards import write_shard
from jetkit.errors import JetkitError
from jetkit.physics import four_vectors as fv

Make = Callable[..., dict[str, Any]]


def hard_process(jets: int, seed: int = 1) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """A resonance and three decay products for each jet, the resonance first."""
    random, offsets = np.random.default_rng(seed), 4 * np.arange(jets + 1)
    values = {"eta": random.normal(0, 1, 4 * jets), "phi": random.uniform(-np.pi, np.pi, 4 * jets)}
    values["isResDecayProd"] = np.arange(4 * jets) % 4 > 0
    return {f"aux_genpart_{name}": (value, offsets) for name, value in values.items()}


def by_hand(p4: np.ndarray, eta: np.ndarray, phi: np.ndarray) -> int:
    distance = (fv.eta(p4) - eta) ** 2 + fv.delta_phi(fv.phi(p4), phi) ** 2
    return int(np.argmin(distance[1:]))


@pytest.fixture
def folder(make: Make, tmp_path: Path) -> Path:
    """A class with a resonance and one without."""
    parts = {"top": make([9, 1, 30], label=1) | hard_process(3), "qcd": make([4, 4], label=0)}
    shards = [write_shard(tmp_path / f"{name}.parquet", columns) for name, columns in parts.items()]
    write_card(tmp_path, Card("toy", classes=["QCD", "top"], shards=shards, rows=5, complete=True))
    return tmp_path


def test_it_is_the_nearest_on_the_cylinder(make: Make) -> None:
    columns, decays = make([20, 0, 7], seed=5), hard_process(3)
    p4 = np.stack([columns[f"part_{name}"][0] for name in ("energy", "px", "py", "pz")])
    offsets = columns["part_px"][1]
    lists = [Ragged(*decays[f"aux_genpart_{name}"]) for name in ("eta", "phi", "isResDecayProd")]
    found = nearest_decay_products(p4[1:], offsets, *lists)
    for jet in range(3):
        own = slice(4 * jet, 4 * jet + 4)
        wanted = [by_hand(p4[:, i], lists[0].values[own], lists[1].values[own]) for i in range(*offsets[jet : jet + 2])]
        assert found[slice(*offsets[jet : jet + 2])].tolist() == wanted


def test_jets_of_a_class_without_a_resonance_have_none(folder: Path) -> None:
    (batch,) = open_dataset(folder).batches(features="kin", targets=("part_origin",), shuffle=False)
    origin, top = batch.cloud.targets["part_origin"], batch.label == 1
    assert origin.shape == batch.mask.shape
    assert (origin[~top][batch.mask[~top]] == -1).all()
    assert set(origin[top][batch.mask[top]].tolist()) == {0, 1, 2}


def test_origins_stay_with_their_particles_where_a_jet_is_cut(folder: Path) -> None:
    options: dict[str, Any] = {"features": "kin", "targets": ("part_origin",), "shuffle": False}
    (whole,), (cut,) = (open_dataset(folder).batches(length=length, **options) for length in (128, 6))
    for jet in range(5):
        kept = cut.mask[jet].sum()
        assert cut.cloud.targets["part_origin"][jet, :kept].equal(whole.cloud.targets["part_origin"][jet, :kept])


def test_a_dataset_that_tells_no_origin_says_so(make: Make, tmp_path: Path) -> None:
    write_shard(tmp_path / "qcd.parquet", make([4, 4]))
    with pytest.raises(JetkitError, match="no column part_origin"):
        open_dataset(tmp_path).batches(targets=("part_origin",))
