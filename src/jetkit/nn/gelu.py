"""GELU and the dropout behind it."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.nn.backend import in_compiled_loop
from jetkit.nn.dropout import Dropout
from jetkit.nn.fast.gelu import dropped_gelu


class GELU(nn.Module):
    """x Φ(x), with Φ the cumulative distribution of the normal distribution, and dropout behind it.

    On a processor, in training with few threads and single precision, it is `jetkit.nn.fast.gelu`.

    Source: Gaussian Error Linear Units (GELUs), 2016, arXiv:1606.08415.

    Args:
        dropout: probability

    Example:
        >>> import torch
        >>> GELU()(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([-0.1587,  0.0000,  0.8413])
    """

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return a tensor of the shape and type of the input."""
        if self.dropout.rate < 1 and in_compiled_loop(x, self.dropout):
            return dropped_gelu(x, self.dropout.rate)
        dropped: Tensor = self.dropout(F.gelu(x))
        return dropped
