"""Masked particle modelling: what may be seen, and targets whose end is known."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from jetkit.data.batch import Batch
from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models import PFN, VQVAE, ParT
from jetkit.registry import create
from jetkit.tasks.hidden_particles import hidden
from jetkit.tasks.hidden_targets import NOISE, Clusters, FlowMatching, Regression, Splines, Tokens
from jetkit.tasks.mpm import MPM
from jetkit.testing import random_batch

SPEC = Spec.of(tuple(feature.name for feature in FEATURE_SETS["full"]), classes=("QCD", "top"))
TARGETS = ("regression", "flow-matching", "spline-flow", "k-means", "tokens")


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(7)


@pytest.fixture
def batch() -> Batch:
    return random_batch(SPEC, jets=12, particles=(1, 20), seed=3)


def made(target: str = "flow-matching", **options: Any) -> MPM:
    backbone = ParT(SPEC, width=16, depth=1, heads=2, pair_widths=(8,), dropout=0.0)
    values = {"target": target, "width": 16, "depth": 1, "heads": 2, "clusters": 6} | options
    parts = {"parts": {"tokeniser": tokeniser(SPEC)}} if target == "tokens" else {}
    task: MPM = create("mpm", (backbone, SPEC), values, kind="task", **parts)
    return task.double()


def tokeniser(spec: Spec) -> VQVAE:
    """One with eight codes that are all in use."""
    model = VQVAE(spec, width=16, depth=1, heads=2, latent=4, codes=8)
    jets = random_batch(spec, jets=64, seed=9).to(dtype=torch.float32)
    with torch.no_grad():
        model.quantiser.start(model.latent(jets))
    return model.eval()


@pytest.mark.parametrize("target", TARGETS)
def test_no_gradient_reaches_what_is_hidden_through_the_prediction(batch: Batch, target: str) -> None:
    task, at = made(target), hidden(batch.mask, (0.4, 0.4))
    assert batch.p4 is not None
    free = batch.with_cloud(x=batch.x.clone().requires_grad_(), p4=batch.p4.clone().requires_grad_())
    task.train().predicted(free, at)[free.cut(at).mask].square().sum().backward()
    assert free.x.grad is not None
    assert not free.x.grad[at].any()
    assert free.x.grad[~at & batch.mask].any()


def test_swapping_two_context_particles_changes_nothing(batch: Batch) -> None:
    task = made().eval()
    large = batch.select(batch.mask.sum(1) >= 8)
    at = torch.zeros_like(large.mask)
    at[:, 4:6] = True
    turn = torch.tensor([1, 0, *range(2, large.mask.shape[1])])
    assert large.p4 is not None
    turned = large.with_cloud(x=large.x[:, turn], mask=large.mask[:, turn], p4=large.p4[:, turn])
    torch.testing.assert_close(task.predicted(turned, at), task.predicted(large, at))


@pytest.mark.parametrize("target", TARGETS)
def test_the_loss_is_finite_and_falls(target: str) -> None:
    task = made(target).float()
    jets = random_batch(SPEC, jets=64, particles=(1, 15), seed=4).to(dtype=torch.float32)
    task.prepare([jets])
    optimiser = torch.optim.Adam(task.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        found = task.train().loss(jets)
        found.total.backward()
        optimiser.step()
        losses.append(found.parts["particles"].item())
    assert all(math.isfinite(loss) for loss in losses)
    assert sum(losses[-10:]) < 0.97 * sum(losses[:10])
    assert all(weight.grad is not None for name, weight in task.named_parameters() if not unused(name))


def unused(name: str) -> bool:
    """What a backbone has for jets, and not for particles, and what has learned before."""
    return any(part in name for part in ("model.class_", "model.final_norm", "tokeniser."))


def test_the_token_of_a_hidden_particle_is_its_code_in_the_complete_jet(batch: Batch) -> None:
    task = made("tokens").eval()
    assert isinstance(task.target, Tokens)
    assert task.tokeniser is not None
    torch.manual_seed(1)
    loss = task.loss(batch).parts["particles"].item()
    torch.manual_seed(1)
    at = hidden(batch.mask, (0.4, 0.4))
    found, codes = task.predicted(batch, at), task.tokeniser.codes(batch)
    each = []
    for jet in range(len(batch)):
        for number, place in enumerate(at[jet].nonzero().squeeze(1).tolist()):
            logits = task.target.net(found[jet, number])
            each.append(logits.logsumexp(0) - logits[codes[jet, place]])
    assert loss == pytest.approx(torch.stack(each).mean().item(), rel=1e-5)


def test_the_tokeniser_stays_as_it_is(batch: Batch) -> None:
    task = made("tokens").float()
    assert task.tokeniser is not None
    before = {name: value.clone() for name, value in task.tokeniser.state_dict().items()}
    optimiser = torch.optim.SGD((weight for weight in task.parameters() if weight.requires_grad), lr=0.1)
    for _ in range(12):
        task.train().loss(batch.to(dtype=torch.float32)).total.backward()
        optimiser.step()
    assert all(torch.equal(value, before[name]) for name, value in task.tokeniser.state_dict().items())


def test_a_tokeniser_that_does_not_fit_is_refused_in_a_sentence() -> None:
    backbone = PFN(SPEC)

    def wants(part: nn.Module | None, target: str = "tokens") -> None:
        parts = {} if part is None else {"parts": {"tokeniser": part}}
        create("mpm", (backbone, SPEC), {"target": target}, kind="task", **parts)

    with pytest.raises(JetkitError, match="needs a tokeniser: give tokeniser=RUN"):
        wants(None)
    with pytest.raises(JetkitError, match="the tokeniser knows other features than the backbone"):
        wants(tokeniser(Spec.of(SPEC.features[:5] + SPEC.features[-2:], classes=SPEC.classes)))
    with pytest.raises(JetkitError, match="what jetkit pretrain vq-vae has made"):
        wants(backbone)
    with pytest.raises(JetkitError, match=r"write method\.target=tokens"):
        wants(tokeniser(SPEC), "k-means")


def test_cross_entropy_of_tokens_falls_to_the_entropy_that_neighbours_leave() -> None:
    """A chain of two states that stays with 0.9, one of three hidden: 0.178772 nats, exactly."""
    chains = torch.cartesian_prod(*[torch.arange(2)] * 3)
    changes = (chains[:, 1:] != chains[:, :-1]).sum(1)
    chains = chains.repeat_interleave(torch.tensor([405, 45, 5])[changes], 0)
    around = torch.nn.functional.one_hot(2 * chains[:, 0] + chains[:, 2], 4).float()
    target = Tokens(4, 2)
    optimiser = torch.optim.Adam(target.parameters(), lr=0.1)
    losses = []
    for _ in range(400):
        optimiser.zero_grad()
        losses.append(target.loss(around, chains[:, 1]))
        losses[-1].backward()
        optimiser.step()
    assert min(losses).item() == pytest.approx(0.178772, abs=1e-6)


def test_splines_see_noise_on_impact_parameters_alone() -> None:
    target = made("spline-flow").float().target
    assert isinstance(target, Splines)
    assert target.noise.tolist() == pytest.approx([0, 0, 0, NOISE, NOISE, NOISE, NOISE])
    given, values = torch.zeros(2000, 16), torch.zeros(2000, 7)
    seen: list[Tensor] = []
    target.flow.log_prob = lambda x, c: seen.append(x) or torch.zeros(len(x))  # type: ignore[assignment, func-returns-value]
    target.loss(given, values)
    assert not seen[0][:, :3].any()
    torch.testing.assert_close(seen[0][:, 3:].std(0), torch.full((4,), NOISE), rtol=0, atol=5 * NOISE / 4000**0.5)


def test_numbers_are_standardised_over_the_jets_that_were_shown(batch: Batch) -> None:
    task = made()
    task.prepare([batch, batch])
    values = batch.x[..., task._numbers][batch.mask]
    torch.testing.assert_close(task.standard.mean, values.mean(0))
    torch.testing.assert_close(task.standard.scale, values.std(0, unbiased=False))


CENTRE, SPREAD = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 1.5])


def covariance(time: Tensor) -> tuple[Tensor, Tensor]:
    """Of x_t = (1 − t) x₀ + t x₁ with itself and with x₁ − x₀, for N(0, 1) and N(CENTRE, SPREAD²)."""
    return (1 - time) ** 2 + (time * SPREAD) ** 2, time * SPREAD**2 - (1 - time)


def test_the_exact_velocity_carries_noise_to_the_gaussian() -> None:
    flow = FlowMatching(1, 2)

    class Exact(torch.nn.Module):
        def forward(self, row: Tensor) -> Tensor:
            x, time = row[:, 1:3], row[:, 3:]
            own, common = covariance(time)
            return CENTRE + common / own * (x - time * CENTRE)

    flow.velocity = Exact()  # type: ignore[assignment]
    drawn = flow.sample(torch.zeros(40_000, 1))
    error = SPREAD / math.sqrt(40_000)
    assert ((drawn.mean(0) - CENTRE).abs() < 5 * error + 1e-3).all()
    assert ((drawn.std(0) - SPREAD).abs() < 5 * error / math.sqrt(2) + 3e-3).all()


def test_flow_matching_reaches_the_least_loss_that_there_is() -> None:
    flow = FlowMatching(1, 2, width=64)
    optimiser = torch.optim.Adam(flow.parameters(), lr=3e-3)
    for _ in range(400):
        optimiser.zero_grad()
        flow.loss(torch.zeros(1024, 1), CENTRE + SPREAD * torch.randn(1024, 2)).backward()
        optimiser.step()
    time = torch.randn(100_000, 1).sigmoid()
    own, common = covariance(time)
    least = (1 + SPREAD**2 - common**2 / own).mean().item()
    with torch.no_grad():
        found = flow.loss(torch.zeros(100_000, 1), CENTRE + SPREAD * torch.randn(100_000, 2)).item()
    assert 0.97 * least < found < 1.06 * least


def test_too_few_particles_for_so_many_clusters_are_refused() -> None:
    with pytest.raises(JetkitError, match="3 different particles are too few for 4 clusters"):
        Clusters(2, 1, 4).prepare(torch.tensor([[0.0], [1.0], [2.0], [2.0]]))


def test_regression_of_what_is_given_reaches_no_error() -> None:
    target = Regression(3, 2)
    given, map_ = torch.randn(256, 3), torch.randn(3, 2)
    values: Tensor = given @ map_
    optimiser = torch.optim.Adam(target.parameters(), lr=3e-2)
    for _ in range(400):
        optimiser.zero_grad()
        target.loss(given, values).backward()
        optimiser.step()
    assert target.loss(given, values).item() < 0.05


def test_any_backbone_will_do(batch: Batch) -> None:
    task: MPM = create("mpm", (PFN(SPEC), SPEC), {}, kind="task")
    assert task.loss(batch.to(dtype=torch.float32)).total.isfinite()
