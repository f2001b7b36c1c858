"""L-GATr in the package's own layout: every jet padded to the longest of the batch, the package's own settings."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn

from jetkit.data.batch import Batch
from jetkit.nn.attention import padding_bias
from jetkit.tasks.classify import Classify


class PaddedLGATr(nn.Module):
    """The function of an `LGATr` and its head, with their weights: the package's blocks on all tokens of a batch."""

    def __init__(self, task: Classify) -> None:
        super().__init__()
        copied = copy.deepcopy(task)
        self.net, self.head = copied.model, copied.head
        for block in self.net.blocks:
            for module in block.modules():
                if hasattr(module, "primitives"):
                    module.primitives = replace(module.primitives, sparse_gp=True)  # as the package has it by default

    def forward(self, batch: Batch) -> Tensor:
        """Logits."""
        tokens = self.net.tokens(batch)
        bias = padding_bias(tokens.mask, tokens.multivectors.dtype)
        mv, _ = self.net.embed(tokens.multivectors, scalars=tokens.scalars)
        s = self.net.embed_scalars(tokens.scalars)
        for block in self.net.blocks:
            mv, s = block(mv, scalars=s, attn_mask=bias)
        return self.head(torch.cat([mv[:, 0, :, 0], mv[:, 0, :, -1], s[:, 0]], -1))
