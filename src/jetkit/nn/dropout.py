"""Dropout whose random numbers are cheap on a processor too."""

from __future__ import annotations

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

    def forward(self, input: Tensor) -> Tensor:
        """Of the shape and type of the input."""
        if not self.training or self.p in (0, 1) or input.device.type != "cpu":
            return F.dropout(input, self.p, self.training)
        seed = np.uint64(torch.randint(2**63 - 1, ()).item())
        factor = torch.empty(input.shape)
        _fill_factors(factor.view(-1).numpy(), seed, np.uint64(self.p * 2.0**64), np.float32(1 / (1 - self.p)))
        return input * factor.to(input.dtype)


@kernel
def _fill_factors(factor: Float[np.ndarray, " M"], seed: np.uint64, least: np.uint64, kept: np.float32) -> None:
    """``kept`` where a hash is ``least`` or more, else 0."""
    for place in range(len(factor)):
        number = scrambled(seed + np.uint64(place) * GOLDEN)
        factor[place] = kept if number >= least else np.float32(0)
