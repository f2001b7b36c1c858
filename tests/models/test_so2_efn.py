"""SO2EFN: moments by hand, exact rotations and reflections about the jet axis, and safety."""

from __future__ import annotations

import cmath
import math

import pytest
import torch
from torch import nn

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.efn import EFN
from jetkit.models.so2_efn import SO2EFN
from jetkit.physics.four_vectors import pt
from jetkit.testing import assert_invariant, random_batch

SPEC = Spec.of(("part_pt_log", "part_dphi", "part_deta"), classes=("QCD", "W", "top"))


@pytest.fixture(scope="module")
def batch() -> Batch:
    return random_batch(SPEC, jets=6, particles=(1, 25), seed=4)


def seen(model: nn.Module, batch: Batch) -> nn.Module:
    """After a step of training, so that the invariants are of order 1."""
    for module in model.double().modules():
        if isinstance(module, nn.BatchNorm1d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(batch)
    return model.eval()


def turned(batch: Batch, angle: float, reflected: bool = False) -> Batch:
    """Every jet turned about its axis, after a reflection Δη → −Δη."""
    dphi, deta = batch.x[..., 1], batch.x[..., 2] * (-1 if reflected else 1)
    cos, sin = math.cos(angle), math.sin(angle)
    return batch.with_cloud(x=torch.stack([batch.x[..., 0], cos * dphi + sin * deta, cos * deta - sin * dphi], -1))


def change(model: nn.Module, batch: Batch, other: Batch) -> float:
    with torch.no_grad():
        return float((model(other) - model(batch)).abs().max())


def test_moments_are_sums_over_particles(batch: Batch) -> None:
    model = SO2EFN(SPEC, orders=3, channels=2).double()
    with torch.no_grad():
        moments = model.moments(batch)
        for jet, (x, p4, mask) in enumerate(zip(batch.x, batch.p4, batch.mask, strict=True)):
            z = pt(p4[mask]) / pt(p4[mask]).sum()
            for m in range(4):
                total = torch.zeros(2, dtype=torch.complex128)
                for weight, (_, dphi, deta) in zip(z, x[mask], strict=True):
                    r, theta = cmath.polar(complex(deta, dphi))
                    phase = cmath.rect((r / math.hypot(r, 0.01)) ** m, m * theta)
                    scale = torch.tensor([math.log(1 + r**2 / 0.01**2) / 2], dtype=torch.float64)
                    total += weight * phase * model.radial(scale)[2 * m : 2 * m + 2]
                torch.testing.assert_close(moments[jet, m], total, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("reflections", [False, True])
@pytest.mark.parametrize("angle", [0.3, math.pi / 2, 2.0])
def test_a_turn_about_the_jet_axis_is_not_noticed(batch: Batch, reflections: bool, angle: float) -> None:
    torch.manual_seed(2)
    model = seen(SO2EFN(SPEC, reflections=reflections), batch)
    assert change(model, batch, turned(batch, angle)) < 1e-10
    assert change(seen(EFN(SPEC), batch), batch, turned(batch, angle)) > 1e-6


def test_a_reflection_is_a_symmetry_where_asked(batch: Batch) -> None:
    torch.manual_seed(2)
    mirrored = turned(batch, 0.7, reflected=True)
    assert change(seen(SO2EFN(SPEC, reflections=True), batch), batch, mirrored) < 1e-10
    assert change(seen(SO2EFN(SPEC), batch), batch, mirrored) > 1e-4


@pytest.mark.parametrize("symmetry", ["soft", "collinear", "permutation"])
def test_invariants_of_order_1_are_safe(batch: Batch, symmetry: str) -> None:
    torch.manual_seed(2)
    model = seen(SO2EFN(SPEC), batch)
    with torch.no_grad():
        assert model.norm(model.invariants(model.moments(batch))).std() > 0.5
    assert_invariant(model, batch, symmetry, 1e-9)


@pytest.mark.parametrize(("order", "others"), [(1, (0, 2, 3)), (2, (0, 1, 3))])
def test_orders_turned_against_each_other_are_told_apart(batch: Batch, order: int, others: tuple[int, ...]) -> None:
    model = SO2EFN(SPEC, orders=3, channels=2).double()
    with torch.no_grad():
        moments = model.moments(batch)
        against = moments.clone()
        against[:, order] *= cmath.rect(1, 1.0)
        together = moments * torch.polar(torch.ones(4), torch.arange(4.0))[:, None]
        torch.testing.assert_close(model.invariants(together), model.invariants(moments), rtol=1e-6, atol=1e-8)
        assert (model.invariants(against) - model.invariants(moments)).abs().max() > 1e-6


def test_all_particles_on_the_axis_leave_but_order_0() -> None:
    model = SO2EFN(SPEC)
    batch = Batch.of(
        torch.zeros(1, 3, 3), torch.ones(1, 3, dtype=torch.bool), torch.tensor([5.0, 3, 4, 0]).expand(1, 3, 4)
    )
    moments = model.moments(batch)
    assert moments[:, 0].abs().min() > 0
    assert not moments[:, 1:].any()


def test_fewer_than_two_orders_are_refused() -> None:
    with pytest.raises(JetkitError, match="so2-efn needs orders >= 2, got 1"):
        SO2EFN(SPEC, orders=1)
