"""P-JEPA: what the context may not see, what gets no gradient, and losses whose end is known."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from jetkit.data.batch import Batch
from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models import EFN, ParT
from jetkit.nn.whitening import standardised
from jetkit.registry import create
from jetkit.tasks.hidden_particles import hidden
from jetkit.tasks.p_jepa import PJEPA
from jetkit.testing import random_batch

SPEC = Spec.of(tuple(feature.name for feature in FEATURE_SETS["full"]), classes=("QCD", "top"))
SMALL: dict[str, Any] = {"width": 16, "depth": 2, "heads": 2, "pair_widths": (8,), "dropout": 0.0}


@pytest.fixture
def task() -> PJEPA:
    torch.manual_seed(1)
    made: PJEPA = create("p-jepa", (ParT(SPEC, **SMALL), SPEC), {"width": 8, "depth": 1, "heads": 2}, kind="task")
    return made.double()


@pytest.fixture
def batch() -> Batch:
    return random_batch(SPEC, jets=12, particles=(1, 20), seed=3)


def test_a_place_may_have_a_momentum(batch: Batch) -> None:
    task: PJEPA = create(
        "p-jepa", (ParT(SPEC, **SMALL), SPEC), {"place": ["part_deta", "part_dphi", "part_pt_log"]}, kind="task"
    )
    free = with_gradient(batch.to(dtype=torch.float32))
    at = hidden(batch.mask, (0.3, 0.5))
    task.predicted(free, at).tokens.sum().backward()
    seen = {name for name, column in zip(SPEC.features, free.x.grad[at].T, strict=True) if column.any()}
    assert seen == {"part_deta", "part_dphi", "part_pt_log"}
    with pytest.raises(JetkitError, match="part_colour"):
        create("p-jepa", (ParT(SPEC, **SMALL), SPEC), {"place": ["part_colour"]}, kind="task")


def with_gradient(batch: Batch) -> Batch:
    assert batch.p4 is not None
    return batch.with_cloud(x=batch.x.clone().requires_grad_(), p4=batch.p4.clone().requires_grad_())


def test_between_30_and_50_percent_are_hidden_and_some_are_left(batch: Batch) -> None:
    shares = []
    for seed in range(40):
        torch.manual_seed(seed)
        at = hidden(batch.mask, (0.3, 0.5))
        assert not (at & ~batch.mask).any()
        count = batch.mask.sum(1)
        assert (at.sum(1) < count).all()
        assert (at.sum(1)[count > 1] > 0).all()
        large = count >= 15
        shares += (at.sum(1)[large] / count[large]).tolist()
    assert 0.3 - 0.5 / 15 <= min(shares) < 0.35
    assert 0.45 < max(shares) <= 0.5 + 0.5 / 15


def test_hidden_particles_reach_the_prediction_by_their_directions_alone(task: PJEPA, batch: Batch) -> None:
    at = hidden(batch.mask, (0.3, 0.5))
    free = with_gradient(batch)
    task.train().predicted(free, at).tokens.square().sum().backward()
    assert free.x.grad is not None
    directions = [SPEC.features.index(name) for name in ("part_deta", "part_dphi")]
    others = [place for place in range(len(SPEC.features)) if place not in directions]
    assert not free.x.grad[at][:, others].any()
    assert free.x.grad[at][:, directions].any()
    assert free.x.grad[~at & batch.mask][:, others].any()
    assert free.p4 is not None
    assert free.p4.grad is None or not free.p4.grad[at].any()


def test_the_vector_of_the_jet_does_not_depend_on_what_is_hidden(task: PJEPA, batch: Batch) -> None:
    at = hidden(batch.mask, (0.3, 0.5))
    assert batch.p4 is not None
    other = batch.with_cloud(x=torch.where(at[..., None], 7.0, batch.x), p4=torch.where(at[..., None], 9.0, batch.p4))
    task.eval()
    torch.testing.assert_close(task.model.encode(batch.cut(~at)), task.model.encode(other.cut(~at)))


def test_another_order_of_hidden_particles_is_another_order_of_predictions(task: PJEPA, batch: Batch) -> None:
    at, turn = hidden(batch.mask, (0.3, 0.5)), torch.randperm(batch.mask.shape[1])
    assert batch.p4 is not None
    turned = batch.with_cloud(x=batch.x[:, turn], mask=batch.mask[:, turn], p4=batch.p4[:, turn])
    task.eval()
    place = torch.arange(batch.mask.shape[1]).expand_as(at)
    first, second = task.predicted(batch, at), task.predicted(turned, at[:, turn])
    for jet in range(len(batch)):
        before, after = place[jet][at[jet]], turn[at[jet, turn]]
        own = first.tokens[jet, : len(before)][before.argsort()]
        torch.testing.assert_close(second.tokens[jet, : len(after)][after.argsort()], own)


def test_the_target_encoder_gets_no_gradient_and_follows_slowly(task: PJEPA, batch: Batch) -> None:
    before = {name: value.clone() for name, value in task.target.named_parameters()}
    task.train().loss(batch).total.backward()
    assert all(weight.grad is None for weight in task.target.parameters())
    with torch.no_grad():
        for weight in task.model.parameters():
            weight.fill_(1.0)
    task.after_step(0.0)
    for name, value in task.target.named_parameters():
        torch.testing.assert_close(value, 0.996 * before[name] + 0.004)


def test_the_target_encoder_normalises_as_the_context_encoder_does(task: PJEPA, batch: Batch) -> None:
    task.train().loss(batch)
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

    def tokens(self, batch: Batch) -> Tensor:
        return batch.x[..., self.places] @ self.map.to(batch.x)


@pytest.mark.parametrize(("names", "told"), [(("part_deta", "part_dphi"), True), (("part_pt_log",), False)])
def test_what_positions_tell_is_learned_and_what_they_do_not_is_not(names: tuple[str, ...], told: bool) -> None:
    torch.manual_seed(2)
    task = PJEPA(ParT(SPEC, **SMALL), SPEC, width=32, depth=1, heads=2)
    task.target = Linear(*names)
    optimiser = torch.optim.Adam([*task.predictor.parameters(), *task.model.parameters()], lr=3e-3)

    def loss(seed: int) -> Tensor:
        jets = random_batch(SPEC, jets=256, particles=(8, 12), seed=seed).to(dtype=torch.float32)
        jets = jets.with_cloud(x=torch.randn_like(jets.x) * jets.mask[..., None])
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
        create("p-jepa", (EFN(SPEC), SPEC), {}, kind="task")
