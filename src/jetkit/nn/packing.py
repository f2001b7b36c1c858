"""Real particles without their padding, and back."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def packed(values: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "M D"]:
    """Rows of the M real particles; of all places in a graph that is exported, whose shapes may not depend on the mask.

    Example:
        >>> packed(torch.tensor([[[1.0], [9.0]], [[2.0], [3.0]]]), torch.tensor([[True, False], [True, True]]))[:, 0]
        tensor([1., 2., 3.])
    """
    return values.flatten(0, 1) if torch.compiler.is_exporting() else values[mask]


def pad(values: Float[Tensor, "M D"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B N D"]:
    """Inverse of :func:`packed`: rows for the M real particles, 0 where padded (arbitrary in an exported graph).

    Example:
        >>> mask = torch.tensor([[True, False], [True, True]])
        >>> pad(torch.tensor([[1.0], [2.0], [3.0]]), mask)[..., 0]
        tensor([[1., 0.],
                [2., 3.]])
    """
    if torch.compiler.is_exporting():
        return values.view(*mask.shape, values.shape[-1])
    padded = values.new_zeros(*mask.shape, values.shape[-1])
    padded[mask] = values
    return padded


def row_numbers(mask: Bool[Tensor, "B N"]) -> Int[Tensor, "B N"]:
    """Row of each real particle in what :func:`packed` gives, −1 where padded.

    Example:
        >>> row_numbers(torch.tensor([[True, False], [True, True]]))
        tensor([[ 0, -1],
                [ 1,  2]])
    """
    counted = torch.ones_like(mask) if torch.compiler.is_exporting() else mask
    return torch.where(mask, counted.flatten().cumsum(0).view_as(mask) - 1, -1)


def masked_mean(values: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B D"]:
    """Mean over the real particles of a jet (0 for a jet without particles)."""
    weight = mask.unsqueeze(-1).to(values.dtype)
    return (values * weight).sum(1) / weight.sum(1).clamp(min=1)


def masked_sum(values: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B D"]:
    """Sum over the real particles of a jet."""
    return (values * mask.unsqueeze(-1).to(values.dtype)).sum(1)
