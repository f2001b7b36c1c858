"""A stack of attention blocks among the particles of a jet, which knows no order."""

from __future__ import annotations

from collections.abc import Iterable

from jaxtyping import Bool, Float
from torch import Tensor, nn

from jetkit.nn.attention import Block, padding_bias
from jetkit.nn.grouping import Groups, length_groups, ungroup
from jetkit.nn.packing import Packing

CACHE = 2**20
"""Bytes that the attention weights of a group of jets should fill."""


class Transformer(nn.Module):
    """Blocks, and a normalisation at the end; what stands in padded places is not seen.

    Args:
        width: channels of a token
        depth: blocks
        heads: attention heads

    Example:
        >>> import torch
        >>> mask = torch.arange(5) < torch.tensor([[5], [2]])
        >>> Transformer(8, 2, heads=4)(torch.randn(2, 5, 8), mask).shape
        torch.Size([2, 5, 8])
    """

    def __init__(self, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, heads, 0.0) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B N D"]:
        """Tokens after all blocks."""
        found: Tensor = self.norm(through(self.blocks, x, mask))
        return found


def through(
    blocks: Iterable[nn.Module],
    x: Float[Tensor, "B N D"],
    mask: Bool[Tensor, "B N"],
    keys: Float[Tensor, "B N"] | None = None,
) -> Float[Tensor, "B N D"]:
    """Return tokens after blocks that are called with tokens, bias and packing, 0 where padded.

    Jets of about equal length are computed together. ``keys`` is added to the attention that a particle gets from all
    others.
    """
    bias = padding_bias(mask, x.dtype)
    if keys is not None:
        bias = bias + keys[:, None, None]
    groups = list(length_groups(mask, 1, x.element_size(), CACHE))
    return in_groups(blocks, x, mask, groups, (bias[rows, ..., :n] for rows, n in groups))


def in_groups(
    blocks: Iterable[nn.Module],
    x: Float[Tensor, "B N D"],
    mask: Bool[Tensor, "B N"],
    groups: Groups,
    biases: Iterable[Float[Tensor, "G #heads #n n"]],
) -> Float[Tensor, "B N D"]:
    """Return the same with groups of jets, and the bias of the attention in each."""
    found = []
    for (rows, n), bias in zip(groups, biases, strict=True):
        packing = Packing.of(mask[rows, :n])
        tokens = packing.pack(x[rows, :n])
        for block in blocks:
            tokens = block(tokens, bias, packing)
        found.append(packing.pad(tokens))
    return ungroup(found, [rows for rows, _ in groups], mask.shape[1])
