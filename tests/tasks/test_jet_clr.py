"""JetCLR: what views of a jet keep, and contrasts whose value is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from jetkit.data.batch import Batch
from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Spec
from jetkit.models import ParT
from jetkit.physics import four_vectors as fv
from jetkit.registry import create
from jetkit.tasks.augmentations import View, batch_of, rotated, softened, split, translated, view_of
from jetkit.tasks.jet_clr import JetCLR, contrast
from jetkit.testing import random_batch

SPEC = Spec.of(tuple(feature.name for feature in FEATURE_SETS["full"]), classes=("QCD", "top"))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(4)


@pytest.fixture
def batch() -> Batch:
    return random_batch(SPEC, jets=10, particles=(2, 24), seed=5)


@pytest.fixture
def view(batch: Batch) -> View:
    return view_of(batch)


def distances(view: View) -> Tensor:
    """ΔR of all pairs, 0 where one is padded."""
    difference = [values.unsqueeze(1) - values.unsqueeze(2) for values in (view.deta, view.dphi)]
    return torch.hypot(*difference) * view.mask.unsqueeze(1) * view.mask.unsqueeze(2)


def momentum(view: View) -> Tensor:
    massless = fv.from_ptetaphim(view.pt, view.deta, view.dphi, torch.zeros_like(view.pt))
    return (massless * view.mask.unsqueeze(2)).sum(1)


def test_a_view_that_was_not_changed_has_the_features_of_the_jet(batch: Batch, view: View) -> None:
    again = batch_of(view, batch, SPEC)
    energy = [SPEC.features.index(name) for name in ("part_e_log", "part_logerel")]
    rest = [place for place in range(len(SPEC.features)) if place not in energy]
    torch.testing.assert_close(again.x[..., rest], batch.x[..., rest], rtol=0, atol=1e-9)
    torch.testing.assert_close(again.x[..., energy], batch.x[..., energy], rtol=0, atol=0.02)


def test_a_rotation_keeps_all_distances_and_the_axis(view: View) -> None:
    turned = rotated(view)
    torch.testing.assert_close(distances(turned), distances(view))
    torch.testing.assert_close(torch.hypot(turned.deta, turned.dphi), torch.hypot(view.deta, view.dphi))
    assert not torch.allclose(turned.deta[view.mask], view.deta[view.mask], atol=1e-3)


def test_a_translation_moves_all_constituents_alike_and_not_too_far(view: View) -> None:
    moved = translated(view, 0.5)
    torch.testing.assert_close(distances(moved), distances(view))
    for before, after in ((view.deta, moved.deta), (view.dphi, moved.dphi)):
        low, high = before.masked_fill(~view.mask, 9).amin(1), before.masked_fill(~view.mask, -9).amax(1)
        shift = torch.where(view.mask, after - before, math.nan).nanmean(1)
        assert (shift.abs() <= 0.5 * (high - low) + 1e-12).all()
        assert (shift.abs() > 0).any()
    assert not moved.deta[~view.mask].any()


def test_soft_constituents_are_smeared_more_than_hard_ones_and_keep_their_pt(view: View) -> None:
    many = View(*(part.repeat_interleave(400, 0) for part in view))
    smeared = softened(many, 0.1)
    assert torch.equal(smeared.pt, many.pt)
    pull = ((smeared.deta - many.deta) * many.pt.clamp(min=0.1) / 0.1)[many.mask]
    error = math.sqrt(2 / len(pull))
    assert abs(pull.var().item() - 1) < 5 * error
    assert not (smeared.deta - many.deta)[~many.mask].any()


def test_collinear_splittings_keep_the_momentum_of_the_jet(view: View) -> None:
    fine = split(split(view, 50), 50)
    assert (fine.mask.sum(1) > view.mask.sum(1)).all()
    assert (fine.mask.sum(1) <= 50).all()
    torch.testing.assert_close(momentum(fine), momentum(view))
    assert (fine.pt[fine.mask] > 0).all()
    assert not fine.pt[~fine.mask].any()


def test_what_was_split_stands_before_the_padding(batch: Batch, view: View) -> None:
    parts = split(split(view, 30), 30)
    found = batch_of(parts, batch, SPEC)
    count = parts.mask.sum(1)
    assert torch.equal(found.mask, torch.arange(int(count.max())) < count.unsqueeze(1))
    assert found.p4 is not None
    torch.testing.assert_close(fv.pt(found.p4)[found.mask], parts.pt[parts.mask])


@pytest.mark.parametrize(("count", "length", "parts"), [(30, 50, 50), (10, 50, 20), (50, 50, 50), (1, 50, 2)])
def test_as_many_are_split_as_there_is_room_for(count: int, length: int, parts: int) -> None:
    one = torch.ones(3, count)
    assert split(View(one, one, one, one[..., None], one > 0), length).mask.sum(1).tolist() == [parts] * 3


@pytest.mark.parametrize(("pairs", "wanted"), [(2, 9.1e-5), (4, 2.72e-4), (128, 0.011466)])
def test_the_contrast_of_orthogonal_pairs_is_known(pairs: int, wanted: float) -> None:
    z = torch.eye(pairs, dtype=torch.float64)
    exact = math.log1p((2 * pairs - 2) * math.exp(-10))
    assert exact == pytest.approx(wanted, rel=3e-3)
    assert contrast(z, 3 * z, 0.1).item() == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize(("pairs", "wanted"), [(2, 1.098612), (4, 1.945910), (128, 5.541264)])
def test_the_contrast_of_a_collapsed_encoder_is_known(pairs: int, wanted: float) -> None:
    z = torch.ones(pairs, 5)
    assert contrast(z, z, 0.1).item() == pytest.approx(wanted, abs=1e-5)
    assert wanted == pytest.approx(math.log(2 * pairs - 1), abs=1e-6)


def test_without_augmentations_both_views_are_the_jet(batch: Batch) -> None:
    task: JetCLR = create(
        "jet-clr", (ParT(SPEC, width=16, depth=1, heads=2), SPEC), {"augmentations": ()}, kind="task"
    ).double()
    first, second = task.views(batch)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    task.eval()
    assert task.loss(batch).parts["alignment"].item() == pytest.approx(0, abs=1e-9)


def test_views_of_a_jet_can_be_brought_together(batch: Batch) -> None:
    backbone = ParT(SPEC, width=16, depth=1, heads=2, dropout=0.0)
    task: JetCLR = create("jet-clr", (backbone, SPEC), {"width": 16}, kind="task")
    jets = random_batch(SPEC, jets=32, particles=(4, 20), seed=8).to(dtype=torch.float32)
    optimiser = torch.optim.Adam(task.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        found = task.train().loss(jets)
        found.total.backward()
        optimiser.step()
        losses.append(found.parts["contrast"].item())
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
