"""ParTIRC: safe to all depths, which ParT and each of its own parts without the weights is not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.models.part import ParT
from jetkit.models.part_irc import ParTIRC
from jetkit.nn.attention import padding_bias
from jetkit.physics.four_vectors import delta_phi, eta, from_ptetaphim, phi, pt
from jetkit.tasks.classify import Classify
from jetkit.testing import assert_broken, assert_invariant, random_batch

SPEC = Spec.of(("part_pt_log", "part_dphi", "part_deta"), classes=("QCD", "W", "top"))
SMALL = {"width": 16, "depth": 2, "heads": 4}


@pytest.fixture(scope="module")
def batch() -> Batch:
    return random_batch(SPEC, jets=6, particles=(1, 25), seed=4)


def randomised(model: nn.Module) -> nn.Module:
    """Every parameter away from its initial value, so that logits are of order 1."""
    torch.manual_seed(8)
    for weight in model.parameters():
        weight.data += 0.3 * torch.randn_like(weight)
    return model.double().eval()


@pytest.mark.parametrize("change", ["soft", "collinear"])
def test_full_size_is_safe_and_part_is_not(batch: Batch, change: str) -> None:
    torch.manual_seed(1)
    assert_invariant(ParTIRC(SPEC), batch, change, 1e-9)
    assert_broken(ParT(SPEC), batch, change, 1e-4)


@pytest.mark.parametrize("change", ["soft", "collinear"])
@pytest.mark.parametrize("depth", [0, 1, 4])
def test_random_weights_of_any_depth_are_safe(batch: Batch, change: str, depth: int) -> None:
    task = randomised(Classify(ParTIRC(SPEC, **SMALL | {"depth": depth}), SPEC))
    with torch.no_grad():
        assert task(batch).std(0).min() > 1e-2
    assert_invariant(task, batch, change, 1e-9)


def with_hardest_split(batch: Batch, angle: float) -> Batch:
    """The hardest particle as 0.6 of itself and 0.4 turned away in η, with the directions of the features following."""
    hard = batch.p4[:, :1]
    turned = from_ptetaphim(0.4 * pt(hard), eta(hard) + angle, phi(hard), 0 * pt(hard))
    x = torch.cat([batch.x, batch.x[:, :1] + torch.tensor([0, 0, angle])], 1)
    p4 = torch.cat([0.6 * hard, batch.p4[:, 1:], turned], 1)
    return Batch.of(x, nn.functional.pad(batch.mask, (0, 1), value=True), p4)


def change_by_splitting(model: nn.Module, batch: Batch, angle: float) -> float:
    with torch.no_grad():
        return float((model(with_hardest_split(batch, angle)) - model(batch)).abs().max())


def test_a_splitting_of_one_particle_is_seen_as_far_as_its_angle(batch: Batch) -> None:
    model = randomised(ParTIRC(SPEC, **SMALL))
    wide, narrow, parallel = (change_by_splitting(model, batch, angle) for angle in (1e-3, 1e-6, 0.0))
    assert parallel < 1e-10 < narrow < 0.01 * wide


@pytest.mark.parametrize("method", ["biases", "aggregate"])
def test_without_the_weights_of_particles_or_class_token_it_is_unsafe(batch: Batch, method: str, monkeypatch) -> None:
    model = randomised(ParTIRC(SPEC, **SMALL))
    with_weights, equal = getattr(model, method), lambda batch, dtype: padding_bias(batch.mask, dtype)

    def without_weights(*arguments):
        with monkeypatch.context() as context:
            context.setattr(model, "key_bias", equal)
            found = with_weights(*arguments)
            return list(found) if method == "biases" else found

    monkeypatch.setattr(model, method, without_weights)
    assert change_by_splitting(model, batch, 0.0) > 1e-4
    assert_broken(model, batch, "soft", 1e-4)


def test_a_split_particle_is_two_copies_of_its_token(batch: Batch) -> None:
    model = randomised(ParTIRC(SPEC, **SMALL))
    halves = batch.with_cloud(
        x=batch.x.repeat(1, 2, 1), p4=0.5 * batch.p4.repeat(1, 2, 1), mask=batch.mask.repeat(1, 2)
    )
    with torch.no_grad():
        whole, split = model.tokens(batch)[batch.mask], model.tokens(halves).unflatten(1, (2, -1))
    for part in split.unbind(1):
        torch.testing.assert_close(part[batch.mask], whole, rtol=0, atol=1e-10)


def test_the_bias_is_the_logarithm_of_a_weight(batch: Batch) -> None:
    model = randomised(ParTIRC(SPEC, **SMALL))
    with torch.no_grad():
        (table,) = model.biases(batch, [(torch.arange(len(batch)), batch.mask.shape[1])])
        for jet, (p4, mask) in enumerate(zip(batch.p4, batch.mask, strict=True)):
            z = pt(p4) / pt(p4[mask]).sum()
            for i, j in torch.cartesian_prod(*2 * [mask.nonzero()[:, 0]]):
                delta2 = (eta(p4[i]) - eta(p4[j])) ** 2 + delta_phi(phi(p4[i]), phi(p4[j])) ** 2
                learned = model.pairs.layers((1 + delta2 / model.pairs.angle**2).log()[None] / 2)
                torch.testing.assert_close(table[jet, :, i, j], learned + z[j].log(), rtol=1e-9, atol=1e-9)


def test_of_the_features_only_the_direction_is_seen(batch: Batch) -> None:
    model = randomised(ParTIRC(SPEC, **SMALL))
    other = batch.x.clone()
    other[..., 0] += 1
    with torch.no_grad():
        assert torch.equal(model(batch.with_cloud(x=other)), model(batch))
        other[..., 1:] += torch.randn_like(other[..., 1:])
        assert (model(batch.with_cloud(x=other)) - model(batch)).abs().max() > 1e-3
