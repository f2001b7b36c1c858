"""A Particle Transformer of which one attention head is told which particles have the same origin."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.part import ParT
from jetkit.nn.attention import Block
from jetkit.nn.grouping import length_groups, ungroup
from jetkit.nn.packing import Packing
from jetkit.nn.transformer import CACHE
from jetkit.registry import register


@register(
    "part-supervised",
    paper="Supervised Attention for Jet Classification, 2021, talk at ML4Jets",
    symmetries=("permutation",),
    broken=("collinear",),
    tiny={"width": 16, "depth": 2, "heads": 2, "pair_widths": (8,), "dropout": 0.0, "supervised_block": 1},
)
class ParTSupervised(ParT):
    """Particle Transformer whose training adds to the loss what one head's attention misses of the particles' origins.

    No description of the talk's method was published: this construction is jetkit's own, and no published number can
    be compared with it. The network and its parameters are those of `ParT`; trained with the task
    ``supervised-attention``, which needs the column ``part_origin`` of the data: a number of the parton, vertex or
    parent that a particle comes from, negative where unknown. Where data hold the decay products of the hard process
    instead, it is the number of the nearest one (`jetkit.data.origins`). Once trained it needs neither.

    Args:
        supervision: weight λ of the attention's loss; 0 trains as `ParT` does, to the bit
        supervised_block: place of the block, counted from 0, one of whose heads is supervised
        supervised_head: place of that head

    Raises:
        JetkitError: there is no such block or head.

    Example:
        >>> model = ParTSupervised(Spec.of(features=("z",), classes=("QCD", "top")), depth=2, supervised_block=1)
        >>> mask, p4 = torch.ones(6, 9, dtype=torch.bool), torch.tensor([5.0, 3.0, 4.0, 0.0]).expand(6, 9, 4)
        >>> encoded, log_attention = model.with_attention(Batch.of(x=torch.randn(6, 9, 1), mask=mask, p4=p4))
        >>> encoded.shape, log_attention.shape
        (torch.Size([6, 128]), torch.Size([6, 9, 9]))
    """

    def __init__(
        self,
        spec: Spec,
        *,
        supervision: float = 1.0,
        supervised_block: int = 7,
        supervised_head: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(spec, **options)
        if supervision < 0:
            raise JetkitError(f"supervision should not be negative, got {supervision}")
        heads = len(cast(Block, self.blocks[0]).head_scale)
        if not (0 <= supervised_block < len(self.blocks) and 0 <= supervised_head < heads):
            raise JetkitError(
                f"supervised_block and supervised_head should be below {len(self.blocks)} and {heads}, "
                f"got {supervised_block} and {supervised_head}"
            )
        self.supervision = supervision
        self.supervised_block, self.supervised_head = supervised_block, supervised_head

    def with_attention(self, batch: Batch) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B N N"]]:
        """Return the vectors of the jets, and ln A_ij of the supervised head: how much i looks at j.

        Where one of the two is padded, it is arbitrary.
        """
        parts: list[Tensor] = []

        def look(block: nn.Module, inputs: tuple[Tensor, Tensor, Packing]) -> None:
            x, bias, packing = inputs
            parts.append(log_attention(cast(Block, block), packing.pad(x), bias, self.supervised_head))

        watch = self.blocks[self.supervised_block].register_forward_pre_hook(look)
        try:
            encoded = self.encode(batch)
        finally:
            watch.remove()
        length = batch.mask.shape[1]
        rows = [rows for rows, _ in length_groups(batch.mask, length, 4, CACHE)]
        return encoded, ungroup([F.pad(part, (0, length - part.shape[2])) for part in parts], rows, length)


def log_attention(
    block: Block, x: Float[Tensor, "B N D"], bias: Float[Tensor, "B heads N N"], head: int
) -> Float[Tensor, "B N N"]:
    """ln softmax_j(q_i·k_j/√d + bias_ij) of one head of a block, before any dropout."""
    attention = block.attention
    width = x.shape[-1] // attention.heads
    ours = slice(head * width, (head + 1) * width)
    weights, offsets = attention.project.weight.chunk(3), attention.project.bias.chunk(3)
    normed = block.norm_attention(x)
    q, k = (F.linear(normed, weights[part][ours], offsets[part][ours]) for part in (0, 1))
    return torch.log_softmax(q @ k.mT / math.sqrt(width) + bias[:, head], -1)
