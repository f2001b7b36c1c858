"""Convolution along sequences of unequal length, without padding between them."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.nn.packing import row_numbers


def windows(mask: Bool[Tensor, "B N"], stride: int = 1) -> Int[Tensor, "W 3"]:
    """Rows of the element before, at and after every stride-th place of each sequence.

    Rows count the M real elements of the batch, which stand before the padding of their sequence. Where there is no
    element, the row is M.

    Example:
        >>> windows(torch.tensor([[True, True, False], [True, True, True]]), stride=2).tolist()
        [[5, 0, 1], [5, 2, 3], [3, 4, 5]]
    """
    around = F.pad(row_numbers(mask), (1, 1), value=-1).unfold(1, 3, stride)[mask[:, ::stride]]
    return torch.where(around < 0, mask.sum(), around)


class SequenceConvolution(nn.Module):
    """y_i = b + Σ_{k = −1, 0, 1} W_k x_{i+k} with x = 0 beyond the ends, as a convolution of length 3 with padding.

    Args:
        features: width of the input
        width: width of the output

    Example:
        >>> convolution = SequenceConvolution(7, 32)
        >>> convolution(torch.randn(5, 7), windows(torch.ones(1, 5, dtype=torch.bool))).shape
        torch.Size([5, 32])
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(3 * features, width)

    def forward(self, x: Float[Tensor, "M D"], windows: Int[Tensor, "W 3"]) -> Float[Tensor, "W width"]:
        """A row for each window."""
        around = F.pad(x, (0, 0, 0, 1)).index_select(0, windows.flatten())
        y: Tensor = self.layer(around.view(len(windows), -1))
        return y
