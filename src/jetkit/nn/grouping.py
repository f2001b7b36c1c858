"""Jets of a batch in groups of about equal length, so that little of the work is done on padding.

The batch itself stays a random one. To make batches of jets of equal length instead would be as fast, but ruins batch
normalisation: its statistics would then tell the multiplicity, and with it the class, of the jets around.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from jetkit.nn.backend import exporting

Groups = Sequence[tuple[Int[Tensor, " G"], int]]
"""Rows of each group of jets, and the place after its last real particle."""


def length_groups(
    mask: Bool[Tensor, "B N"], numbers: int, bytes_of_number: int, cache: int
) -> Iterator[tuple[Int[Tensor, " G"], int]]:
    """Rows of a group, and the place after its last real particle; the longest jets come first.

    On a processor a group has as many jets as leave a tensor of (G, N, N, ``numbers``) within ``cache`` bytes; on other
    devices, and in a graph that is exported, one group has all jets.

    Example:
        >>> mask = torch.arange(3) < torch.tensor([[1], [3], [2], [1]])
        >>> [(rows.tolist(), length) for rows, length in length_groups(mask, 1, 4, cache=32)]
        [([1], 3), ([2, 0], 2), ([3], 1)]
    """
    if mask.device.type != "cpu" or exporting():
        yield torch.arange(mask.shape[0], device=mask.device), mask.shape[1]
        return
    ends = (mask * torch.arange(1, mask.shape[1] + 1)).amax(1)
    lengths, rows = ends.sort(descending=True, stable=True)
    start = 0
    while start < len(rows):
        length = max(int(lengths[start]), 1)
        jets = max(1, cache // (length * length * numbers * bytes_of_number))
        yield rows[start : start + jets], length
        start += jets


def ungroup(
    parts: Sequence[Shaped[Tensor, "G ..."]], rows: Sequence[Int[Tensor, " G"]], length: int
) -> Shaped[Tensor, "B ..."]:
    """Results of the groups in the order of the batch; the axis after the jets' is padded with 0.

    Example:
        >>> parts = [torch.tensor([[3.0, 4.0]]), torch.tensor([[5.0]])]
        >>> ungroup(parts, [torch.tensor([1]), torch.tensor([0])], length=2)
        tensor([[5., 0.],
                [3., 4.]])
    """
    if exporting():
        return parts[0]
    padded = [F.pad(part, (0, 0) * (part.ndim - 2) + (0, length - part.shape[1])) for part in parts]
    return torch.cat(padded)[torch.cat(list(rows)).argsort()]
