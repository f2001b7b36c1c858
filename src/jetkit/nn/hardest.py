"""The leading particles of a jet, for networks that see them in an order."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from jetkit.physics.four_vectors import pt


def ranking(values: Float[Tensor, "B N"], real: Bool[Tensor, "B N"]) -> Int[Tensor, "B N"]:
    """Places in falling order of a quantity that is not negative, the real ones first and equal ones in stored order.

    Example:
        >>> ranking(torch.tensor([[1.0, 5.0, 9.0, 5.0]]), torch.tensor([[True, True, False, True]]))
        tensor([[1, 3, 0, 2]])
    """
    return values.masked_fill(~real, -1).argsort(dim=1, descending=True, stable=True)


def hardest(p4: Float[Tensor, "B N 4"], mask: Bool[Tensor, "B N"], count: int) -> Float[Tensor, "B count 4"]:
    """Momenta of the real particles with the largest pT, the hardest first; 0 where a jet has fewer.

    Example:
        >>> p4 = torch.tensor([[[1.0, 1.0, 0.0, 0.0], [3.0, 0.0, 3.0, 0.0], [9.0, 9.0, 0.0, 0.0]]])
        >>> hardest(p4, torch.tensor([[True, True, False]]), 3)[0, :, 0]
        tensor([3., 1., 0.])
    """
    places = ranking(pt(p4), mask)[:, :count]
    rows = torch.arange(len(p4), device=p4.device).unsqueeze(1)
    chosen = p4[rows, places].masked_fill(~mask[rows, places].unsqueeze(-1), 0)
    return F.pad(chosen, (0, 0, 0, count - chosen.shape[1]))
