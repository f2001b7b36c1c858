"""Values of a batch of a common mean and spread."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from jetkit.nn.packing import pad
from jetkit.nn.processes import shared_covariance, shared_moments


def standardised(
    values: Float[Tensor, "B *N D"], mask: Bool[Tensor, "B N"] | None = None, least: float = 1e-5
) -> Float[Tensor, "B *N D"]:
    """Each channel less its mean and over its standard deviation, in the batch of all processes; 0 where masked.

    Example:
        >>> standardised(torch.tensor([[1.0], [3.0]])).round(decimals=3)
        tensor([[-1.],
                [ 1.]])
    """
    rows = values if mask is None else values[mask]
    mean, variance = shared_moments(rows if rows.dtype == torch.float64 else rows.float())
    found = (rows - mean.to(rows.dtype)) * (variance + least).rsqrt().to(rows.dtype)
    return found if mask is None else pad(found, mask)


def whitened(values: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"], least: float = 1e-4) -> Float[Tensor, "B N D"]:
    """C^(-1/2) (x - ⟨x⟩) of each unmasked x, with C the covariance in the batch of all processes; 0 where masked.

    No two channels are then correlated, and each has variance 1: what few channels share counts as much as what many
    do. Directions whose variance is below `least` times the mean one are stretched as if they had that, and then all
    are, to a mean variance of 1.

    Source: Whitening for Self-Supervised Representation Learning, 2020, arXiv:2007.06346 (by a Cholesky factor there).

    Example:
        >>> x = torch.tensor([[[1.0, 0.0], [0.0, 0.1], [-1.0, 0.0], [0.0, -0.1]]])
        >>> whitened(x, torch.ones(1, 4, dtype=torch.bool)).round(decimals=3)
        tensor([[[ 1.4140,  0.0000],
                 [ 0.0000,  1.4140],
                 [-1.4140,  0.0000],
                 [ 0.0000, -1.4140]]])
    """
    rows = values[mask].double()
    mean, covariance = shared_covariance(rows)
    variances, directions = torch.linalg.eigh(covariance)
    scale = variances.clamp(min=least * variances.mean()).rsqrt()
    scale = scale / (variances * scale.square()).mean().sqrt()
    found = (rows - mean) @ (directions * scale) @ directions.T
    return pad(found.to(values.dtype), mask)
