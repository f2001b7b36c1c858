"""Numbers of mean 0 and standard deviation 1, and back."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Standardisation(nn.Module):
    """(v − μ)/σ with μ and σ of the numbers that it was fitted to; before, μ = 0 and σ = 1.

    Args:
        numbers: F

    Example:
        >>> standard = Standardisation(1)
        >>> standard.fit(torch.tensor([[1.0], [3.0]]))
        >>> standard(torch.tensor([[5.0]])), standard.undone(torch.tensor([[3.0]]))
        (tensor([[3.]]), tensor([[5.]]))
    """

    mean: Float[Tensor, " F"]
    scale: Float[Tensor, " F"]

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(numbers))
        self.register_buffer("scale", torch.ones(numbers))

    @torch.no_grad()
    def fit(self, values: Float[Tensor, "M F"]) -> None:
        """Take mean and standard deviation of these rows."""
        self.mean.copy_(values.mean(0))
        self.scale.copy_(values.std(0, unbiased=False).clamp(min=1e-6))

    def forward(self, values: Float[Tensor, "*M F"]) -> Float[Tensor, "*M F"]:
        """Standardised numbers."""
        return (values - self.mean) / self.scale

    def undone(self, values: Float[Tensor, "*M F"]) -> Float[Tensor, "*M F"]:
        """Inverse of a call."""
        return values * self.scale + self.mean
