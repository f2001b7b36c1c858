"""The leading particles of a jet, for networks with an input for each rank."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from jetkit.physics.four_vectors import pt


def hardest(p4: Float[Tensor, "B N 4"], mask: Bool[Tensor, "B N"], count: int) -> Float[Tensor, "B count 4"]:
    """Momenta of the real particles with the largest pT, the hardest first; 0 where a jet has fewer.

    Example:
        >>> p4 = torch.tensor([[[1.0, 1.0, 0.0, 0.0], [3.0, 0.0, 3.0, 0.0], [9.0, 9.0, 0.0, 0.0]]])
        >>> hardest(p4, torch.tensor([[True, True, False]]), 3)[0, :, 0]
        tensor([3., 1., 0.])
    """
    ranking = pt(p4).masked_fill(~mask, -1).argsort(dim=1, descending=True, stable=True)[:, :count]
    rows = torch.arange(len(p4), device=p4.device).unsqueeze(1)
    chosen = p4[rows, ranking].masked_fill(~mask[rows, ranking].unsqueeze(-1), 0)
    return F.pad(chosen, (0, 0, 0, count - chosen.shape[1]))
