"""PELICAN: published sizes, Lorentz invariance, and the safety that only the IRC-safe construction has."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.pelican import Pelican, PelicanIRC, PelicanSO2
from jetkit.registry import create
from jetkit.tasks.classify import Classify
from jetkit.testing import assert_broken, assert_invariant, random_batch

SPEC = Spec.of(("part_deta", "part_dphi"), classes=("QCD", "top"))
SIZES = [
    ("pelican", {}, 208_652),
    ("pelican-so2", {}, 208_797),
    ("pelican-so2", {"width": 60, "channels": 35}, 48_482),
    ("pelican-so2", {"width": 42, "channels": 25}, 26_494),
    ("pelican-so2", {"width": 25, "channels": 15}, 11_347),
    ("pelican-so2", {"width": 16, "channels": 10}, 5_933),
    ("pelican-so2", {"width": 11, "channels": 7, "label_channels": 7}, 3_510),
]


@pytest.fixture(scope="module")
def batch() -> Batch:
    return random_batch(SPEC, jets=8, particles=(10, 25), seed=11)


def built(cls: type[Pelican], batch: Batch, **hyperparameters: Any) -> Classify:
    """A tagger whose normalisations have seen jets, so that its logits are of order 1."""
    torch.manual_seed(3)
    model = Classify(cls(SPEC, width=24, channels=12, depth=3, **hyperparameters), SPEC).double()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.momentum = 1.0
    with torch.no_grad():
        model(batch)
    return model.eval()


@pytest.mark.parametrize(("name", "values", "count"), SIZES)
def test_parameters_are_as_many_as_the_authors(name: str, values: dict[str, Any], count: int) -> None:
    assert Classify(create(name, SPEC, values), SPEC).size == count


@pytest.mark.parametrize("change", ["soft", "collinear"])
def test_only_the_safe_construction_is_safe(batch: Batch, change: str) -> None:
    assert_invariant(built(PelicanIRC, batch), batch, change, 1e-10)
    assert_broken(built(Pelican, batch), batch, change, 1e-3)


@pytest.mark.parametrize("cls", [Pelican, PelicanIRC])
def test_scores_are_the_same_in_every_frame(batch: Batch, cls: type[Pelican]) -> None:
    model = built(cls, batch)
    assert_invariant(model, batch, "lorentz", 1e-9)
    with torch.no_grad():
        assert model(batch).std(0).min() > 1e-2


def test_spurions_leave_rotations_about_the_beam(batch: Batch) -> None:
    model = built(PelicanSO2, batch)
    assert_invariant(model, batch, "rotation-about-beam", 1e-9)
    assert_broken(model, batch, "boost-along-beam", 1e-3)


def test_a_safe_table_holds_angles_in_the_rest_frame() -> None:
    """Two massless particles back to back: 2(1 − cos θ) is 0 with itself and 4 with the other, each has half."""
    p4 = torch.tensor([[[3.0, 3.0, 0.0, 0.0], [3.0, -3.0, 0.0, 0.0]]], dtype=torch.float64)
    model = PelicanIRC(SPEC, width=1, channels=2, depth=1).double()
    _, x, share = model.inputs(Batch.of(torch.zeros(1, 2, 2), torch.ones(1, 2, dtype=torch.bool), p4))
    expected = model.encoding(torch.tensor([[0.0], [4.0], [4.0], [0.0]], dtype=torch.float64))
    torch.testing.assert_close(x, expected)
    assert share.flatten().tolist() == [0.5, 0.5]


@pytest.mark.parametrize("cls", [Pelican, PelicanSO2, PelicanIRC])
def test_a_jet_of_one_massless_particle_or_none_has_a_score(cls: type[Pelican]) -> None:
    p4 = torch.tensor([[[5.0, 3.0, 4.0, 0.0]], [[0.0, 0.0, 0.0, 0.0]]])
    jets = Batch.of(torch.zeros(2, 1, 2), torch.tensor([[True], [False]]), p4)
    assert Classify(cls(SPEC), SPEC).eval()(jets).isfinite().all()


def test_half_precision_agrees(batch: Batch) -> None:
    model, single = built(Pelican, batch).float(), batch.to(dtype=torch.float32)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        half = model(single)
    with torch.no_grad():
        torch.testing.assert_close(half.float(), model(single), rtol=0.1, atol=0.1)


def test_labels_need_channels() -> None:
    with pytest.raises(JetkitError, match="label_channels should be below the width 10"):
        PelicanSO2(SPEC, width=10, label_channels=10)
