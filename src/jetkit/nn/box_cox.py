"""Powers with learned exponents, for quantities that span orders of magnitude."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

CACHE = 2**20
"""Bytes of a processor's cache that the numbers of one step should fill."""


class BoxCox(nn.Module):
    """((ε + |u|)^a − 1)/a of u = w x + b, with w, b and a = α² + 10⁻⁶ learned for each channel.

    It lies between ln(ε + |u|), for a → 0, and |u|. With ε = 1 it has the sign of u. What the backward pass needs is
    computed again, so that nothing but the result is kept.

    Source: An Analysis of Transformations, 1964, of G. Box and D. Cox, as used in arXiv:2307.16506.

    Args:
        channels: of the result
        offset: ε

    Example:
        >>> BoxCox(2)(torch.tensor([[0.0], [-20.0]])).detach()
        tensor([[ 0.0000,  0.0000],
                [-3.0561, -4.5628]])
    """

    def __init__(self, channels: int, offset: float = 1.0) -> None:
        super().__init__()
        self.offset = offset
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.alpha = nn.Parameter(torch.linspace(0.05, 0.5, channels))

    def forward(self, x: Float[Tensor, "P 1"]) -> Float[Tensor, "P C"]:
        """Of each x."""
        rows = CACHE // (4 * len(self.alpha)) + 1 if x.device.type == "cpu" else max(len(x), 1)
        parts = [
            checkpoint(self._powers, part, use_reentrant=False, preserve_rng_state=False)
            for part in torch.split(x, rows)
        ]
        return torch.cat(parts)

    def _powers(self, x: Float[Tensor, "p 1"]) -> Float[Tensor, "p C"]:
        u, a = x * self.weight + self.bias, self.alpha.square() + 1e-6
        if self.offset == 1:
            return torch.expm1(a * u.abs().log1p()) * (u.sign() / a)
        return torch.expm1(a * (self.offset + u.abs()).log()) / a
