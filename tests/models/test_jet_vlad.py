"""JetVLAD: its sums written out, and what does not change them."""

from __future__ import annotations

import pytest
import torch

from jetkit.data.spec import Spec
from jetkit.models.jet_vlad import JetVLAD
from jetkit.tasks.classify import Classify
from jetkit.testing import random_batch

SPEC = Spec.of(("part_pt_log", "part_deta", "part_dphi"), classes=("light", "heavy"))


@pytest.fixture(scope="module")
def batch():
    return random_batch(SPEC, jets=6, particles=(1, 12), seed=4)


@pytest.mark.parametrize(("features", "count"), [(3, 40_856), (5, 111_608), (8, 283_076)])
def test_parameters_are_as_many_as_in_the_authors_code(features, count) -> None:
    spec = Spec.of(tuple(f"part_{i}" for i in range(features)), classes=("light", "heavy"))
    assert Classify(JetVLAD(spec), spec).size == count


def test_the_first_weights_of_a_head_are_orthogonal_as_those_of_the_layers() -> None:
    head = Classify(JetVLAD(SPEC), SPEC).head
    torch.testing.assert_close(head.weight @ head.weight.T, torch.eye(2), rtol=0, atol=1e-5)


def test_descriptors_are_the_sums_of_the_paper(batch) -> None:
    torch.manual_seed(1)
    vlad = JetVLAD(SPEC, clusters=4).double().eval().vlad
    vlad.norm.running_mean.normal_()
    for jet, mask, found in zip(batch.x, batch.mask, vlad(batch), strict=True):
        x = jet[mask]
        share = vlad.norm(x @ vlad.assign).softmax(1)
        sums = [sum(share[i, k] * (x[i] - vlad.centres[:, k]) for i in range(len(x))) for k in range(4)]
        expected = torch.stack([v / v.norm() for v in sums], 1).flatten() / 2
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_each_particle_twice_changes_nothing(batch) -> None:
    twice = batch.with_cloud(**{name: torch.cat([getattr(batch, name)] * 2, 1) for name in ("x", "p4", "mask")})
    model = JetVLAD(SPEC).double().eval()
    torch.testing.assert_close(model(twice), model(batch), rtol=0, atol=1e-10)


def test_padding_does_not_vote_in_training(batch) -> None:
    longer = batch.with_cloud(
        x=torch.nn.functional.pad(batch.x, (0, 0, 0, 5), value=99.0),
        p4=torch.nn.functional.pad(batch.p4, (0, 0, 0, 5), value=99.0),
        mask=torch.nn.functional.pad(batch.mask, (0, 5)),
    )
    model = JetVLAD(SPEC, dropout=0.0).double().train()
    torch.testing.assert_close(model(longer), model(batch), rtol=0, atol=1e-9)


def test_a_residual_unit_adds_its_input(batch) -> None:
    unit = JetVLAD(SPEC, clusters=2).double().eval().units[0]
    x = torch.randn(5, 6, dtype=torch.float64)
    first, second = unit.change[0], unit.change[3]
    inner = torch.nn.functional.celu(first(x)) / (1 + 1e-5) ** 0.5
    expected = torch.nn.functional.celu(x + second(inner)) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(unit(x), expected, rtol=1e-12, atol=1e-12)
