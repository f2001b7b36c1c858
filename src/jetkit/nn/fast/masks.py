"""Random factors of dropout, many of which are computed at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from jetkit.kernels import kernel, scrambled

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2⁶⁴ over the golden ratio, the step of splitmix64."""


class Draw(NamedTuple):
    """Numbers that decide which places are kept."""

    seed: np.uint64
    least: np.uint64
    """Kept is where the hash of seed and place is this or more."""
    kept: np.float32
    """Factor of the kept."""


def draw(p: float) -> Draw:
    """Return a draw with probability p < 1 of being dropped, seeded by PyTorch's generator (untouched for p = 0)."""
    seed = torch.randint(2**63 - 1, ()).item() if p else 0
    return Draw(np.uint64(seed), np.uint64(p * 2.0**64), np.float32(1 / (1 - p)))


def factors(shape: torch.Size, draw: Draw) -> Float[Tensor, "*shape"]:
    """Return a factor for each place: ``kept`` with probability 1 − p, else 0."""
    factor = torch.empty(shape)
    _fill_factors(factor.view(-1).numpy(), draw)
    return factor


@kernel
def factor_at(place: int, draw: Draw) -> Any:
    """``kept`` with probability 1 − p, else 0."""
    number = scrambled(draw.seed + np.uint64(place) * GOLDEN)
    return draw.kept if number >= draw.least else np.float32(0)


@kernel
def _fill_factors(factor: Float[np.ndarray, " M"], draw: Draw) -> None:
    for place in range(len(factor)):
        factor[place] = factor_at(place, draw)
