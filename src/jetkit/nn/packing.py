"""Real particles without their padding, and back."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor


def pad(values: Float[Tensor, "M D"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B N D"]:
    """Inverse of ``x[mask]``: rows for the M real particles, 0 where padded.

    Example:
        >>> import torch
        >>> mask = torch.tensor([[True, False], [True, True]])
        >>> pad(torch.tensor([[1.0], [2.0], [3.0]]), mask)[..., 0]
        tensor([[1., 0.],
                [2., 3.]])
    """
    padded = values.new_zeros(*mask.shape, values.shape[-1])
    padded[mask] = values
    return padded


def masked_mean(values: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B D"]:
    """Mean over the real particles of a jet (0 for a jet without particles)."""
    weight = mask.unsqueeze(-1).to(values.dtype)
    return (values * weight).sum(1) / weight.sum(1).clamp(min=1)


def masked_sum(values: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B D"]:
    """Sum over the real particles of a jet."""
    return (values * mask.unsqueeze(-1).to(values.dtype)).sum(1)
