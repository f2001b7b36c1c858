"""Whether embeddings of jets have collapsed: their spread, rank, uniformity and alignment, and a linear probe."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from jetkit.errors import JetkitError

RIDGE = 1e-3
"""Penalty of the probe, in units of the mean variance of a channel times the number of jets."""
MOST = 2000
"""Most jets whose pairs make up the uniformity."""


def embedding_std(embedding: Float[Tensor, "B D"]) -> float:
    """Standard deviation of a channel over the jets, as root mean square over the channels; 0 where all are equal.

    Example:
        >>> round(embedding_std(torch.tensor([[1.0, 0.0], [-1.0, 0.0]])), 4)
        0.7071
    """
    return embedding.var(0, unbiased=False).mean().sqrt().item()


def effective_rank(embedding: Float[Tensor, "B D"]) -> float:
    """exp(−Σ_i p_i ln p_i), p_i the share of the i-th singular value of the centred embeddings; 1 … D.

    Source: The effective rank: A measure of effective dimensionality, 2007, EUSIPCO.

    Example:
        >>> round(effective_rank(torch.cat([torch.eye(4), -torch.eye(4)]).double()), 6)
        4.0
    """
    values = torch.linalg.svdvals(embedding - embedding.mean(0))
    if not values.sum():
        return 1.0
    shares = values / values.sum()
    return float(torch.special.entr(shares).sum().exp())


def uniformity(embedding: Float[Tensor, "B D"]) -> float:
    """ln ⟨e^(−2 |u_i − u_j|²)⟩ over pairs i < j of normalised embeddings u; 0 where all point one way, at least −8.

    Source: Understanding Contrastive Representation Learning through Alignment and Uniformity on the Hypersphere,
    2020, arXiv:2005.10242.

    Raises:
        JetkitError: there are fewer than two jets.

    Example:
        >>> uniformity(torch.tensor([[2.0, 0.0], [-1.0, 0.0]]))
        -8.0
    """
    unit = torch.nn.functional.normalize(embedding[:MOST], dim=1)
    if len(unit) < 2:
        raise JetkitError("uniformity needs two jets or more")
    return float(torch.pdist(unit).square().mul(-2).exp().mean().log())


def alignment(first: Float[Tensor, "B D"], second: Float[Tensor, "B D"]) -> float:
    """⟨|u_i − v_i|²⟩ of the normalised embeddings of two views of each jet; 0 … 4.

    Source: as `uniformity`.

    Example:
        >>> alignment(torch.eye(2), -torch.eye(2))
        4.0
    """
    u, v = (torch.nn.functional.normalize(view, dim=1) for view in (first, second))
    return (u - v).square().sum(1).mean().item()


def probe_accuracy(embedding: Float[Tensor, "B D"], label: Int[Tensor, " B"]) -> float:
    """Accuracy of linear regression onto the classes on every other jet, fitted on those between them.

    The channels are standardised on the jets of the fit, and the squares of the weights penalised.

    Example:
        >>> label = torch.tensor([0, 0, 1, 1, 0, 0, 1, 1])
        >>> probe_accuracy(torch.stack([3.0 * label, torch.zeros(8)], 1).double(), label)
        1.0
    """
    fit, test = embedding[0::2], embedding[1::2]
    mean, scale = fit.mean(0), fit.std(0, unbiased=False).clamp(min=1e-12)
    x, y = (fit - mean) / scale, torch.nn.functional.one_hot(label).to(fit)[0::2]
    ridge = RIDGE * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
    weights = torch.linalg.solve(x.T @ x + ridge, x.T @ (y - y.mean(0)))
    scores = (test - mean) / scale @ weights + y.mean(0)
    return float((scores.argmax(1) == label[1::2]).double().mean())
