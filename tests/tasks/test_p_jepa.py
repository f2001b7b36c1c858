"""P-JEPA: what the context may not see, what gets no gradient, and losses whose end is known."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from jetkit.data.cloud import Cloud, CloudSpec
from jetkit.data.features import FEATURE_SETS
from jetkit.errors import JetkitError
from jetkit.models import EFN, ParT
from jetkit.nn.whitening import standardised
from jetkit.registry import create
from jetkit.tasks.hidden_particles import hidden
from jetkit.tasks.p_jepa import PJEPA
from jetkit.testing import random_cloud

SPEC = CloudSpec(tuple(feature.name for feature in FEATURE_SETS["full"]), classes=("QCD", "top"))
SMALL: dict[str, Any] = {"width": 16, "depth": 2, "heads": 2, "pair_widths": (8,), "dropout": 0.0}


@pytest.fixture
def task() -> PJEPA:
    torch.manual_seed(1)
    made: PJEPA = create("p-jepa", ParT(SPEC, **SMALL), {"width": 8, "depth": 1, "heads": 2}, kind="pretext")
    return made.double()


@pytest.fixture
def cloud() -> Cloud:
    return random_cloud(SPEC, jets=12, particles=(1, 20), seed=3)


def test_a_place_may_have_a_momentum(cloud: Cloud) -> None:
    task: PJEPA = create(
        "p-jepa", ParT(SPEC, **SMALL), {"place": ["part_deta", "part_dphi", "part_pt_log"]}, kind="pretext"
    )
    free = with_gradient(cloud.to(dtype=torch.float32))
    at = hidden(cloud.mask, (0.3, 0.5))
    task.predicted(free, at).tokens.sum().backward()
    seen = {name for name, column in zip(SPEC.features, free.x.grad[at].T, strict=True) if column.any()}
    assert seen == {"part_deta", "part_dphi", "part_pt_log"}
    with pytest.raises(JetkitError, match="part_colour"):
        create("p-jepa", ParT(SPEC, **SMALL), {"place": ["part_colour"]}, kind="pretext")


def with_gradient(cloud: Cloud) -> Cloud:
    assert cloud.p4 is not None
    return cloud.replace(x=cloud.x.clone().requires_grad_(), p4=cloud.p4.clone().requires_grad_())


def test_between_30_and_50_percent_are_hidden_and_some_are_left(cloud: Cloud) -> None:
    shares = []
    for seed in range(40):
        torch.manual_seed(seed)
        at = hidden(cloud.mask, (0.3, 0.5))
        assert not (at & ~cloud.mask).any()
        count = cloud.mask.sum(1)
        assert (at.sum(1) < count).all()
        assert (at.sum(1)[count > 1] > 0).all()
        large = count >= 15
        shares += (at.sum(1)[large] / count[large]).tolist()
    assert 0.3 - 0.5 / 15 <= min(shares) < 0.35
    assert 0.45 < max(shares) <= 0.5 + 0.5 / 15


def test_hidden_particles_reach_the_prediction_by_their_directions_alone(task: PJEPA, cloud: Cloud) -> None:
    at = hidden(cloud.mask, (0.3, 0.5))
    free = with_gradient(cloud)
    task.train().predicted(free, at).tokens.square().sum().backward()
    assert free.x.grad is not None
    directions = [SPEC.features.index(name) for name in ("part_deta", "part_dphi")]
    others = [place for place in range(len(SPEC.features)) if place not in directions]
    assert not free.x.grad[at][:, others].any()
    assert free.x.grad[at][:, directions].any()
    assert free.x.grad[~at & cloud.mask][:, others].any()
    assert free.p4 is not None
    assert free.p4.grad is None or not free.p4.grad[at].any()


def test_the_vector_of_the_jet_does_not_depend_on_what_is_hidden(task: PJEPA, cloud: Cloud) -> None:
    at = hidden(cloud.mask, (0.3, 0.5))
    assert cloud.p4 is not None
    other = cloud.replace(x=torch.where(at[..., None], 7.0, cloud.x), p4=torch.where(at[..., None], 9.0, cloud.p4))
    task.eval()
    torch.testing.assert_close(task.model.encode(cloud.particles(~at)), task.model.encode(other.particles(~at)))


def test_another_order_of_hidden_particles_is_another_order_of_predictions(task: PJEPA, cloud: Cloud) -> None:
    at, turn = hidden(cloud.mask, (0.3, 0.5)), torch.randperm(cloud.mask.shape[1])
    assert cloud.p4 is not None
    turned = cloud.replace(x=cloud.x[:, turn], mask=cloud.mask[:, turn], p4=cloud.p4[:, turn])
    task.eval()
    place = torch.arange(cloud.mask.shape[1]).expand_as(at)
    first, second = task.predicted(cloud, at), task.predicted(turned, at[:, turn])
    for jet in range(len(cloud)):
        before, after = place[jet][at[jet]], turn[at[jet, turn]]
        own = first.tokens[jet, : len(before)][before.argsort()]
        torch.testing.assert_close(second.tokens[jet, : len(after)][after.argsort()], own)


def test_the_target_encoder_gets_no_gradient_and_follows_slowly(task: PJEPA, cloud: Cloud) -> None:
    before = {name: value.clone() for name, value in task.target.named_parameters()}
    task.train().loss(cloud).total.backward()
    assert all(weight.grad is None for weight in task.target.parameters())
    with torch.no_grad():
        for weight in task.model.parameters():
            weight.fill_(1.0)
    task.after_step(0.0)
    for name, value in task.target.named_parameters():
        torch.testing.assert_close(value, 0.996 * before[name] + 0.004)


def test_the_target_encoder_normalises_as_the_context_encoder_does(task: PJEPA, cloud: Cloud) -> None:
    task.train().loss(cloud)
    own, others = dict(task.target.named_buffers()), dict(task.model.named_buffers())
    assert any(not torch.equal(own[name], others[name]) for name in own)
    task.after_step(0.0)
    assert all(torch.equal(own[name], others[name]) for name in own)


def test_a_thousand_steps_bring_the_average_as_near_as_they_should(task: PJEPA) -> None:
    with torch.no_grad():
        for weight in task.model.parameters():
            weight.fill_(1.0)
        for weight in task.target.parameters():
            weight.zero_()
    for _ in range(1000):
        task.after_step(0.0)
    found = next(task.target.parameters())
    torch.testing.assert_close(found, torch.full_like(found, 1 - 0.996**1000))
    task.after_step(1.0)
    torch.testing.assert_close(next(task.target.parameters()), torch.full_like(found, 0.98183), rtol=0, atol=1e-5)


def test_the_smooth_loss_is_quadratic_below_one_and_linear_above() -> None:
    losses = F.smooth_l1_loss(torch.tensor([0.5, 2.0]), torch.zeros(2), reduction="none")
    assert losses.tolist() == [0.125, 1.5]


class Linear(ParT):
    """Tokens are a fixed linear map of some features."""

    def __init__(self, *names: str) -> None:
        super().__init__(SPEC, **SMALL)
        self.places = [SPEC.features.index(name) for name in names]
        self.map = torch.linspace(-1, 1, len(names) * self.width).reshape(len(names), self.width)

    def tokens(self, cloud: Cloud) -> Tensor:
        return cloud.x[..., self.places] @ self.map.to(cloud.x)


@pytest.mark.parametrize(("names", "told"), [(("part_deta", "part_dphi"), True), (("part_pt_log",), False)])
def test_what_positions_tell_is_learned_and_what_they_do_not_is_not(names: tuple[str, ...], told: bool) -> None:
    torch.manual_seed(2)
    task = PJEPA(ParT(SPEC, **SMALL), width=32, depth=1, heads=2)
    task.target = Linear(*names)
    optimiser = torch.optim.Adam([*task.predictor.parameters(), *task.model.parameters()], lr=3e-3)

    def loss(seed: int) -> Tensor:
        jets = random_cloud(SPEC, jets=256, particles=(8, 12), seed=seed).to(dtype=torch.float32)
        jets = jets.replace(x=torch.randn_like(jets.x) * jets.mask[..., None])
        at = hidden(jets.mask, task.share)
        found = task.predicted(jets, at)
        wanted = standardised(task.target.tokens(jets)[at])
        return F.smooth_l1_loss(found.tokens[found.target.mask], wanted)

    for step in range(150):
        optimiser.zero_grad()
        loss(seed=step).backward()
        optimiser.step()
    floor = smooth_risk()
    found = loss(seed=1000).item()
    assert found < 0.25 * floor if told else found > 0.9 * floor


def smooth_risk() -> float:
    """⟨smooth-L1(x, 0)⟩ of x ~ N(0, 1): the loss of a prediction that knows nothing."""
    x = torch.linspace(-8, 8, 20001, dtype=torch.float64)
    density = torch.exp(-x.square() / 2) / math.sqrt(2 * math.pi)
    return float(torch.trapezoid(F.smooth_l1_loss(x, torch.zeros_like(x), reduction="none") * density, x))


def test_a_model_without_vectors_of_particles_is_refused() -> None:
    with pytest.raises(JetkitError, match="vector for each particle"):
        create("p-jepa", EFN(SPEC), {}, kind="pretext")
