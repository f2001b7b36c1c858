"""Noise and back: of Gaussian data the best velocity is known, and with it the data come back."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from jetkit.nn.diffusion import LOG_SNR, angle, denoised, turned

SPREAD = 0.4


def best(x: Tensor, time: Tensor) -> Tensor:
    """α σ (1 − s²) x/(α² s² + σ²)."""
    phi = angle(time)[:, None]
    return phi.cos() * phi.sin() * (1 - SPREAD**2) * x / (phi.cos().square() * SPREAD**2 + phi.sin().square())


def test_the_schedule_is_the_cosine_of_the_log_snr() -> None:
    time = torch.linspace(0, 1, 11, dtype=torch.float64)
    first, last = math.atan(math.exp(-LOG_SNR / 2)), math.atan(math.exp(LOG_SNR / 2))
    log_snr = -2 * ((last - first) * time + first).tan().log()
    assert log_snr[[0, -1]].tolist() == pytest.approx([LOG_SNR, -LOG_SNR])
    torch.testing.assert_close(angle(time).cos().square(), log_snr.sigmoid())
    torch.testing.assert_close(angle(time).sin().square(), (-log_snr).sigmoid())


def test_the_velocity_is_the_derivative_in_the_angle() -> None:
    torch.manual_seed(1)
    x, noise = torch.randn(2, 5, 3, dtype=torch.float64)
    time = torch.rand(5, dtype=torch.float64)
    change = 1e-5
    before, after = (turned(x, noise, time + sign * change).values for sign in (-1, 1))
    slope = angle(time + change) - angle(time - change)
    torch.testing.assert_close((after - before) / slope[:, None], turned(x, noise, time).velocity, rtol=1e-6, atol=1e-8)


def test_a_regression_finds_the_best_velocity_of_gaussian_data() -> None:
    """Slope of v on x_t by least squares from 10⁶ pairs, at four times; five standard errors."""
    torch.manual_seed(2)
    for t in (0.1, 0.4, 0.7, 0.95):
        x, noise = SPREAD * torch.randn(10**6, 1, dtype=torch.float64), torch.randn(10**6, 1, dtype=torch.float64)
        time = torch.full((10**6,), t, dtype=torch.float64)
        found = turned(x, noise, time)
        norm = found.values.square().sum()
        slope = (found.values * found.velocity).sum() / norm
        rest = found.velocity - slope * found.values
        error = (rest.square().mean() / norm).sqrt()
        expected = best(torch.ones(1, 1, dtype=torch.float64), time[:1]).item()
        assert abs(slope.item() - expected) < 5 * error.item()


def test_a_network_learns_the_best_velocity() -> None:
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-2)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=1000)
    for _ in range(1000):
        time = torch.rand(1024)
        found = turned(SPREAD * torch.randn(1024, 1), torch.randn(1024, 1), time)
        loss = (net(torch.cat([found.values, time[:, None]], 1)) - found.velocity).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
    time = torch.linspace(0.05, 0.95, 10)
    x = torch.ones(10, 1) * SPREAD
    with torch.no_grad():
        off = (net(torch.cat([x, time[:, None]], 1)) - best(x, time)).abs().max()
    assert off < 0.1  # of values up to 0.4


def test_with_the_best_velocity_noise_becomes_the_data() -> None:
    noise = torch.linspace(-3, 3, 61, dtype=torch.float64)[:, None]
    torch.testing.assert_close(denoised(best, noise, 200), SPREAD * noise, rtol=2e-3, atol=1e-6)


def test_the_midpoint_rule_converges_at_least_with_the_square_of_the_step() -> None:
    noise = torch.ones(1, 1, dtype=torch.float64)
    wanted = denoised(best, noise, 2000)
    coarse, fine = ((denoised(best, noise, steps) - wanted).abs().item() for steps in (50, 100))
    assert coarse / fine > 3.5


def test_one_step_is_exact_where_data_and_noise_are_known() -> None:
    """With x̂ = 2 whatever x_t is, the turn ends within 1e-4 of 2, the remaining noise."""

    def velocity(x: Tensor, time: Tensor) -> Tensor:
        phi = angle(time)[:, None]
        return (phi.cos() * x - 2) / phi.sin()

    noise = torch.linspace(-3, 3, 7, dtype=torch.float64)[:, None]
    torch.testing.assert_close(denoised(velocity, noise, 1), torch.full_like(noise, 2), rtol=0, atol=1e-3)


def test_progress_is_told() -> None:
    seen: list[tuple[int, int]] = []
    denoised(best, torch.ones(1, 1), 3, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
