"""Dropout whose random numbers are cheap on a processor too."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.kernels import scrambled
from jetkit.nn.backend import allows_fast
from jetkit.nn.fast import masks


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
        """Return the input with some of its numbers dropped."""
        if self.rate in (0, 1) or input.device.type != "cpu":
            return F.dropout(input, self.p, self.training)
        factors = masks.factors if allows_fast() else hashed_factors
        return input * factors(input.shape, masks.draw(self.p)).to(input.dtype)


def hashed_factors(shape: torch.Size, draw: masks.Draw) -> Float[Tensor, "*shape"]:
    """Return the factor of each place, from the hash of its number and the seed."""
    number = scrambled(draw.seed + np.arange(shape.numel(), dtype=np.uint64) * masks.GOLDEN)
    return torch.from_numpy(np.where(number >= draw.least, draw.kept, np.float32(0))).view(shape)
