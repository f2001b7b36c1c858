"""Densities that are normalised, and learned."""

from __future__ import annotations

import math

import pytest
import torch

from jetkit.nn.spline_flow import SplineFlow


def made(numbers: int, channels: int) -> SplineFlow:
    torch.manual_seed(3)
    return SplineFlow(numbers, channels).double()


@pytest.mark.parametrize("given", [-1.0, 2.0])
def test_a_density_of_one_number_integrates_to_one(given: float) -> None:
    x = torch.linspace(-9, 9, 4001, dtype=torch.float64)[:, None]
    with torch.no_grad():
        density = made(1, 2).log_prob(x, torch.full((len(x), 2), given, dtype=torch.float64)).exp()
    assert torch.trapezoid(density, x[:, 0]).item() == pytest.approx(1, abs=1e-4)
    gauss = (-(x[:, 0] ** 2) / 2).exp() / math.sqrt(2 * math.pi)
    assert (density - gauss).abs().max() > 0.1


def test_a_density_of_two_numbers_integrates_to_one() -> None:
    axis = torch.linspace(-8, 8, 321, dtype=torch.float64)
    x = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        density = made(2, 1).log_prob(x, torch.ones(len(x), 1, dtype=torch.float64)).exp().reshape(321, 321)
    assert torch.trapezoid(torch.trapezoid(density, axis), axis).item() == pytest.approx(1, abs=1e-3)


def test_it_learns_a_gaussian_whose_mean_is_given() -> None:
    """Least −ln p: the entropy ½ ln(2πe σ²) of each of two numbers."""
    torch.manual_seed(5)
    flow = SplineFlow(2, 1, transforms=2, width=16)
    optimiser = torch.optim.Adam(flow.parameters(), lr=1e-2)
    for step in range(251):
        if step == 200:
            optimiser.param_groups[0]["lr"] = 1e-3
        given = torch.rand(512, 1) * 2 - 1
        loss = -flow.log_prob(given + 0.5 * torch.randn(512, 2), given).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        given = torch.rand(20_000, 1) * 2 - 1
        found = -flow.log_prob(given + 0.5 * torch.randn(20_000, 2), given).mean().item()
        drawn = flow.sample(torch.full((20_000, 1), 0.5))
    entropy = math.log(2 * math.pi * math.e * 0.25)
    assert entropy - 5 / math.sqrt(20_000) < found < entropy + 0.1
    torch.testing.assert_close(drawn.mean(0), torch.full((2,), 0.5), rtol=0, atol=0.1)
    torch.testing.assert_close(drawn.std(0), torch.full((2,), 0.5), rtol=0, atol=0.1)
