"""Jets that a model has drawn, as a batch."""

from __future__ import annotations

from jaxtyping import Bool, Float, Int
from torch import Tensor, zeros_like

from jetkit.data.batch import Batch
from jetkit.physics import four_vectors as fv

DRAWN = ("part_pt", "part_deta", "part_dphi")
"""Features of the particles of drawn jets."""


def drawn_jets(
    particles: Float[Tensor, "B N 3"], mask: Bool[Tensor, "B N"], label: Int[Tensor, " B"] | None = None
) -> Batch:
    """Return jets about an axis at η = φ = 0, of massless particles (pT/GeV, Δη, Δφ), 0 where padded.

    Example:
        >>> import torch
        >>> jets = drawn_jets(torch.tensor([[[2.0, 0.0, 0.0]]]), torch.ones(1, 1, dtype=torch.bool))
        >>> jets.p4
        tensor([[[2., 2., 0., 0.]]])
    """
    pt, eta, phi = particles.unbind(-1)
    p4 = fv.from_ptetaphim(pt, eta, phi, zeros_like(pt)) * mask.unsqueeze(-1)
    return Batch.of(particles, mask, p4, label=label)
