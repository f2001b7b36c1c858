"""Diffusion at constant variance: data that turn into noise, and back along the velocity of the turn."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from jetkit.progress import Count, silent

LOG_SNR = 20.0
"""ln(α²/σ²) goes from here at time 0 to the negative at time 1."""
_FIRST = math.atan(math.exp(-LOG_SNR / 2))


class Turned(NamedTuple):
    """Data on their way to noise."""

    values: Float[Tensor, "B *any"]
    velocity: Float[Tensor, "B *any"]


def angle(time: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
    """φ of the cosine schedule, linear in time, with α = cos φ and σ = sin φ.

    Example:
        >>> angle(torch.tensor([0.0, 0.5, 1.0])).cos().round(decimals=3)
        tensor([1.0000, 0.7070, 0.0000])
    """
    return _FIRST + (math.pi / 2 - 2 * _FIRST) * time


def turned(values: Float[Tensor, "B *any"], noise: Float[Tensor, "B *any"], time: Float[Tensor, " B"]) -> Turned:
    """x_t = α x + σ ε and its velocity v = dx_t/dφ = α ε − σ x, which a network is to say.

    For data from N(0, s²) the best answer is linear, v = α σ (1 − s²) x_t/(α² s² + σ²).

    Source: Progressive Distillation for Fast Sampling of Diffusion Models, 2022, arXiv:2202.00512.

    Example:
        >>> turned(torch.ones(1, 2), torch.zeros(1, 2), torch.tensor([0.5])).values.round(decimals=3)
        tensor([[0.7070, 0.7070]])
    """
    phi = angle(time).reshape(-1, *(1 for _ in values.shape[1:]))
    return Turned(phi.cos() * values + phi.sin() * noise, phi.cos() * noise - phi.sin() * values)


def denoised(
    velocity: Callable[[Float[Tensor, "B *any"], Float[Tensor, " B"]], Float[Tensor, "B *any"]],
    noise: Float[Tensor, "B *any"],
    steps: int,
    report: Count = silent,
) -> Float[Tensor, "B *any"]:
    """Data from noise: dx/dφ = v(x, t) from time 1 to time 0, by a midpoint rule that is exact along a turn.

    x ← x − 2 sin(δ/2) v(x_½, t_½) with x_½ = cos(δ/2) x − sin(δ/2) v(x, t), where δ is the step in φ.

    Example:
        >>> denoised(lambda x, time: -x * angle(time).tan().reciprocal()[:, None], torch.ones(1, 1), 1).shape
        torch.Size([1, 1])
    """
    x, half = noise, (math.pi / 2 - 2 * _FIRST) / steps / 2
    for step in range(steps):
        now = torch.full((len(x),), 1 - step / steps, dtype=x.dtype, device=x.device)
        middle = math.cos(half) * x - math.sin(half) * velocity(x, now)
        x = x - 2 * math.sin(half) * velocity(middle, now - 0.5 / steps)
        report(step + 1, steps)
    return x
