"""Vectors replaced by the nearest of a list that is learned."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from jetkit.errors import JetkitError
from jetkit.nn.clusters import k_means, nearest
from jetkit.nn.precision import full_precision
from jetkit.nn.processes import processes, shared_mean, total

ROWS = 32
"""Vectors for each code, of which k-means finds where the codes begin."""


class Quantised(NamedTuple):
    """What a quantiser makes of M vectors."""

    vectors: Float[Tensor, "M D"]
    """The nearest code vectors; the gradient goes straight through to the vectors themselves."""
    codes: Int[Tensor, " M"]
    loss: Float[Tensor, ""]
    """How far the two are from each other."""


class VectorQuantiser(nn.Module):
    """k = argmin_k |z − e_k| of K learned vectors e; straight through, z_q = z + sg(e_k − z), sg without a gradient.

    The loss is (1 − β) |z − sg(e_k)|² + β |sg(z) − e_k|², squares averaged over numbers and vectors: of numbers of
    spread σ around their code it is σ². In training, every ``replace`` steps, each code that no vector has had since
    the last time is moved to a random vector of the batch. Only vectors of real particles should come in.

    Source: Neural Discrete Representation Learning, 2017, arXiv:1711.00937. The package vqtorch (Straightening Out the
    Straight-Through Estimator, 2023, arXiv:2305.08842) has two more options, which are left out here: ``affine_lr``, a
    learned scale and offset common to all codes, and ``sync_nu``, a share of the reconstruction's gradient that codes
    get. β stands where it does there; with β and 1 − β exchanged, and squares summed, the codes would pull the encoder
    much harder.

    Args:
        codes: K
        width: D
        beta: β
        replace: steps after which a code without vectors is moved

    Raises:
        JetkitError: β is not in 0 … 1.

    Example:
        >>> quantiser = VectorQuantiser(2, 1)
        >>> quantiser.start(torch.tensor([[0.0], [5.0]]))
        >>> found = quantiser(torch.tensor([[0.1], [4.8], [5.0]]))
        >>> found.vectors.detach().flatten(), round(found.loss.item(), 4)
        (tensor([0., 5., 5.]), 0.0167)
    """

    usage: Int[Tensor, " K"]
    """Vectors of each code since codes were last replaced."""
    steps: Int[Tensor, ""]
    """Since then."""

    def __init__(self, codes: int, width: int, *, beta: float = 0.9, replace: int = 10) -> None:
        super().__init__()
        if not 0 <= beta <= 1:
            raise JetkitError(f"beta of a vector quantiser should be from 0 to 1, got {beta}")
        self.beta, self.replace = beta, replace
        self.vectors = nn.Parameter(torch.randn(codes, width))
        self.register_buffer("usage", torch.zeros(codes, dtype=torch.long))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def start(self, z: Float[Tensor, "M D"]) -> None:
        """Put the codes where vectors are, by k-means.

        Raises:
            JetkitError: there are fewer different vectors than codes.
        """
        some = z[torch.randperm(len(z))[: ROWS * len(self.vectors)]]
        self.vectors.copy_(k_means(some.float(), len(self.vectors)))

    def codes(self, z: Float[Tensor, "M D"]) -> Int[Tensor, " M"]:
        """Number of the code nearest to each vector."""
        return nearest(z.detach(), self.vectors.detach())

    def forward(self, z: Float[Tensor, "M D"]) -> Quantised:
        """The vectors in terms of codes; in training, usage is counted and dead codes are replaced."""
        with full_precision(z):
            z = z.to(self.vectors.dtype)
            if self.training:
                self._revive(z.detach())
            codes = self.codes(z)
            if self.training:
                self.usage += total(torch.bincount(codes, minlength=len(self.usage)))
            chosen = self.vectors[codes]
            moved, codes_moved = (z - chosen.detach()).square(), (z.detach() - chosen).square()
            loss = (1 - self.beta) * shared_mean(moved) + self.beta * shared_mean(codes_moved)
            return Quantised(z + (chosen - z).detach(), codes, loss)

    @torch.no_grad()
    def _revive(self, z: Float[Tensor, "M D"]) -> None:
        """Every so many steps, move the codes that have not been used to vectors of the batch."""
        if self.steps >= self.replace:
            dead = (self.usage == 0).nonzero().squeeze(1)[: len(z)]
            self.vectors[dead] = z[torch.randperm(len(z), device=z.device)[: len(dead)]]
            if processes() > 1:
                torch.distributed.broadcast(self.vectors.data, 0)
            self.usage.zero_()
            self.steps.zero_()
        self.steps += 1


def perplexity(usage: Int[Tensor, " K"]) -> Float[Tensor, ""]:
    """exp(−Σ_k p_k ln p_k) of the shares p of codes: K where all are used alike, 1 where one is.

    Example:
        >>> perplexity(torch.tensor([7, 7, 0]))
        tensor(2., dtype=torch.float64)
    """
    share = usage.double() / usage.sum().clamp(min=1)
    found: Tensor = torch.special.entr(share).sum().exp()
    return found
