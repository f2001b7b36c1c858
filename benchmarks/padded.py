"""L-GATr in the package's own layout: every jet padded to the longest of the batch, the package's own settings."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn

from jetkit.data.cloud import Cloud
from jetkit.models.l_gatr import LGATr
from jetkit.nn.attention import padding_bias


class PaddedLGATr(nn.Module):
    """The function of an `LGATr`, with its weights: the package's blocks on all tokens of a batch together."""

    def __init__(self, model: LGATr) -> None:
        super().__init__()
        self.net = copy.deepcopy(model)
        for block in self.net.blocks:
            for module in block.modules():
                if hasattr(module, "primitives"):
                    module.primitives = replace(module.primitives, sparse_gp=True)  # as the package has it by default

    def forward(self, cloud: Cloud) -> Tensor:
        """Logits."""
        tokens = self.net.tokens(cloud)
        bias = padding_bias(tokens.mask, tokens.multivectors.dtype)
        mv, _ = self.net.embed(tokens.multivectors, scalars=tokens.scalars)
        s = self.net.embed_scalars(tokens.scalars)
        for block in self.net.blocks:
            mv, s = block(mv, scalars=s, attn_mask=bias)
        return self.net.head(torch.cat([mv[:, 0, :, 0], mv[:, 0, :, -1], s[:, 0]], -1))
