"""Dropout whose random numbers are cheap on a processor too."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.kernels import kernel, scrambled

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2⁶⁴ over the golden ratio, the step of splitmix64."""


class Dropout(nn.Dropout):
    """x/(1 − p) with probability 1 − p, else 0, in training; x otherwise.

    On a processor PyTorch's own dropout draws its numbers one after the other, which is a fifth of a training step of
    the Particle Transformer. Here its generator gives a seed alone, and the number of each place is a hash of seed and
    place, many of which are computed at a time. On other devices this is PyTorch's own.

    Example:
        >>> x = Dropout(0.25)(torch.ones(100, 100))
        >>> x.unique()
        tensor([0.0000, 1.3333])
    """

    @property
    def rate(self) -> float:
        """Probability of being dropped: p in training, else 0."""
        return self.p if self.training else 0.0

    def forward(self, input: Tensor) -> Tensor:
        """Of the shape and type of the input."""
        if self.rate in (0, 1) or input.device.type != "cpu":
            return F.dropout(input, self.p, self.training)
        factor = torch.empty(input.shape)
        _fill_factors(factor.view(-1).numpy(), draw(self.p))
        return input * factor.to(input.dtype)


class Draw(NamedTuple):
    """What decides on each place."""

    seed: np.uint64
    least: np.uint64
    """Kept is where the hash of seed and place is this or more."""
    kept: np.float32
    """Factor of the kept."""


def draw(p: float) -> Draw:
    """With probability p of being dropped, below 1, and a seed of PyTorch's generator (none is drawn for p = 0)."""
    seed = torch.randint(2**63 - 1, ()).item() if p else 0
    return Draw(np.uint64(seed), np.uint64(p * 2.0**64), np.float32(1 / (1 - p)))


@kernel
def factor_at(place: int, draw: Draw) -> Any:
    """``kept`` with probability 1 − p, else 0."""
    number = scrambled(draw.seed + np.uint64(place) * GOLDEN)
    return draw.kept if number >= draw.least else np.float32(0)


@kernel
def _fill_factors(factor: Float[np.ndarray, " M"], draw: Draw) -> None:
    for place in range(len(factor)):
        factor[place] = factor_at(place, draw)
