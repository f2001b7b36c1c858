"""Codes of clusters that are known, and the life of a code."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from jetkit.errors import JetkitError
from jetkit.nn.vector_quantiser import VectorQuantiser, perplexity

TRUTH = torch.tensor([[0.0, 0.0, 0.0], [5.0, 0.0, 1.0], [0.0, 5.0, 2.0], [5.0, 5.0, 3.0]], dtype=torch.float64)
SPREAD = 0.01


@pytest.fixture
def points() -> Tensor:
    torch.manual_seed(7)
    return TRUTH.repeat(1000, 1) + SPREAD * torch.randn(4000, 3, dtype=torch.float64)


@pytest.fixture
def quantiser(points: Tensor) -> VectorQuantiser:
    made = VectorQuantiser(4, 3).double()
    made.start(points)
    return made


def test_four_tight_clusters_have_a_code_each(quantiser: VectorQuantiser, points: Tensor) -> None:
    quantiser.train()(points)
    assert quantiser.usage.tolist() == [1000] * 4
    assert perplexity(quantiser.usage).item() == pytest.approx(4, abs=1e-12)


def test_codes_become_the_means_and_the_loss_is_sigma_squared(quantiser: VectorQuantiser, points: Tensor) -> None:
    optimiser = torch.optim.SGD(quantiser.parameters(), lr=5.0)
    for _ in range(100):
        optimiser.zero_grad()
        quantiser(points).loss.backward()
        optimiser.step()
    found = quantiser(points)
    means = points.reshape(1000, 4, 3).mean(0)
    torch.testing.assert_close(quantiser.vectors[found.codes[:4]].detach(), means, rtol=0, atol=1e-9)
    assert found.loss.item() == pytest.approx((points.reshape(1000, 4, 3) - means).square().mean().item())
    assert found.loss.item() == pytest.approx(SPREAD**2, rel=5 * (2 / 12_000) ** 0.5)


def test_the_gradient_goes_straight_through_and_the_loss_is_shared_by_beta() -> None:
    quantiser = VectorQuantiser(2, 2, beta=0.7).double()
    quantiser.vectors.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    z = torch.tensor([[0.8, 0.1]], dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([3.0, -2.0], dtype=torch.float64)
    found = quantiser(z)
    ((found.vectors * weight).sum() + found.loss).backward()
    away = z.detach() - quantiser.vectors.detach()[:1]
    torch.testing.assert_close(found.vectors.detach(), quantiser.vectors.detach()[:1])
    torch.testing.assert_close(z.grad, weight + 0.3 * away)
    torch.testing.assert_close(quantiser.vectors.grad, torch.cat([-0.7 * away, torch.zeros_like(away)]))


def test_a_dead_code_lives_again_after_so_many_steps(quantiser: VectorQuantiser, points: Tensor) -> None:
    quantiser.replace = 3
    quantiser.vectors.data[2] = 99.0
    quantiser.train()
    for _ in range(3):
        quantiser(points)
        assert (quantiser.vectors[2] == 99).all()
    quantiser(points)
    assert (quantiser.vectors[2] == points).all(1).any()
    assert quantiser.usage[2] > 0


def test_codes_that_are_used_stay(quantiser: VectorQuantiser, points: Tensor) -> None:
    before = quantiser.vectors.detach().clone()
    for _ in range(25):
        quantiser.train()(points)
    assert torch.equal(quantiser.vectors, before)


def test_more_dead_codes_than_vectors_wait_for_the_next_batch() -> None:
    quantiser = VectorQuantiser(6, 2, replace=1).train()
    quantiser.vectors.data += 100
    for _ in range(2):
        quantiser(torch.zeros(2, 2))
    assert int((quantiser.vectors == 0).all(1).sum()) == 2


def test_an_evaluation_changes_nothing(quantiser: VectorQuantiser, points: Tensor) -> None:
    quantiser.vectors.data[2] = 99.0
    before = copy.deepcopy(quantiser.state_dict())
    for _ in range(20):
        quantiser.eval()(points)
    assert all(torch.equal(value, before[name]) for name, value in quantiser.state_dict().items())


def test_a_beta_that_is_no_share_is_refused() -> None:
    with pytest.raises(JetkitError, match=r"from 0 to 1, got 1\.5"):
        VectorQuantiser(2, 2, beta=1.5)
