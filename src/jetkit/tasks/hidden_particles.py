"""Which particles of a jet are hidden from an encoder, to be predicted from the others."""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor

from jetkit.nn.hardest import ranking


def hidden(mask: Bool[Tensor, "B N"], share: tuple[float, float]) -> Bool[Tensor, "B N"]:
    """Random particles of each jet: a share r of them, one r ~ U(share) for the batch, rounded.

    Of a jet with two particles or more at least one is hidden and one is not; of a jet with one particle none is.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> hidden(torch.arange(10) < torch.tensor([[10], [4], [2], [1]]), (0.3, 0.5)).sum(1)
        tensor([4, 2, 1, 0])
    """
    count, low, high = mask.sum(1), *share
    wanted = ((low + (high - low) * torch.rand(())) * count).round().long().clamp(min=1)
    wanted = torch.minimum(wanted, (count - 1).clamp(min=0))
    return ranking(torch.rand(mask.shape, device=mask.device), mask).argsort(1) < wanted.unsqueeze(1)
