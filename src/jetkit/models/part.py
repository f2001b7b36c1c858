"""Particle Transformer: attention that knows the kinematics of each pair of particles."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import pairwise
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import Batch, four_momenta
from jetkit.data.spec import Needs, Spec
from jetkit.models.model import Backbone
from jetkit.nn.attention import Block, padding_bias
from jetkit.nn.gelu import GELU
from jetkit.nn.grouping import Groups, length_groups
from jetkit.nn.packing import packed, pad
from jetkit.nn.pair_bias import PairEmbedding, pair_biases
from jetkit.nn.transformer import CACHE, in_groups
from jetkit.registry import register


@register(
    "part",
    paper="Particle Transformer for Jet Tagging, 2022, arXiv:2202.03772",
    symmetries=("permutation",),
    broken=("collinear",),
    tiny={"width": 16, "depth": 2, "heads": 2, "pair_widths": (8,), "dropout": 0.0},
)
class ParT(Backbone):
    """Tokens from features, blocks of attention biased by pair kinematics, blocks in which a class token looks at them.

    2,143,486 parameters for 17 features with a head for 10 classes, as the paper's. The batch normalisation of the
    features sees real particles only.

    Args:
        width: channels of a token
        depth: blocks of particle attention
        class_depth: blocks of class attention
        heads: attention heads
        pair_widths: widths of the layers that embed a pair
        dropout: probability in the blocks of particle attention

    Example:
        >>> model = ParT(Spec.of(features=("part_deta", "part_dphi"), classes=("QCD", "top")), width=32, depth=2)
        >>> p4 = torch.tensor([5.0, 3.0, 4.0, 0.0]).expand(6, 40, 4)
        >>> model(Batch.of(x=torch.randn(6, 40, 2), mask=torch.ones(6, 40, dtype=torch.bool), p4=p4)).shape
        torch.Size([6, 32])
    """

    aggregator = ("class_blocks", "class_token", "final_norm")
    needs = Needs(p4=True)

    def __init__(
        self,
        spec: Spec,
        *,
        width: int = 128,
        depth: int = 8,
        class_depth: int = 2,
        heads: int = 8,
        pair_widths: tuple[int, ...] = (64, 64, 64),
        dropout: float = 0.1,
    ) -> None:
        super().__init__(spec)
        self.width, self.heads = width, heads
        self.norm: nn.Module = nn.BatchNorm1d(len(spec.features))
        widths = [len(spec.features), width, 4 * width, width]
        self.embed = nn.Sequential(
            *(part for a, b in pairwise(widths) for part in (nn.LayerNorm(a), nn.Linear(a, b), GELU()))
        )
        self.pairs: nn.Module = PairEmbedding((*pair_widths, heads))
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(depth))
        self.class_blocks = nn.ModuleList(Block(width, heads, 0.0) for _ in range(class_depth))
        self.class_token = nn.Parameter(torch.empty(1, 1, width))
        self.final_norm = nn.LayerNorm(width)
        self.encoded = width
        self._initialise()

    @property
    def stages(self) -> tuple[tuple[str, ...], ...]:
        """Embedding, blocks of particle attention, blocks of class attention."""
        blocks = [(f"blocks.{number}",) for number in range(len(self.blocks))]
        blocks += [(f"class_blocks.{number}",) for number in range(len(self.class_blocks))]
        return (("norm", "embed", "pairs"), *blocks[:-1], (*blocks[-1], "class_token", "final_norm"))

    def tokens(self, batch: Batch) -> Float[Tensor, "B N D"]:
        """A vector per particle after all blocks of particle attention, 0 where padded."""
        x = pad(self.embed(self.norm(packed(batch.x, batch.mask))), batch.mask)
        groups = list(length_groups(batch.mask, self.heads, 4, CACHE))
        return in_groups(self.blocks, x, batch.mask, groups, self.biases(batch, groups))

    def biases(self, batch: Batch, groups: Groups) -> Iterator[Float[Tensor, "G heads n n"]]:
        """Bias of the attention in each group of jets, from its pairs and keys."""
        return pair_biases(self.pairs, four_momenta(batch), batch.mask, partial(self.key_bias, batch), groups)

    def aggregate(self, tokens: Float[Tensor, "B N D"], batch: Batch) -> Float[Tensor, "B D"]:
        """The class token after it has looked at the particles, normalised."""
        bias = F.pad(self.key_bias(batch, tokens.dtype), (1, 0))
        token = self.class_token.expand(tokens.shape[0], -1, -1)
        for block in cast(Iterable[Block], self.class_blocks):
            token = block.attend(token, tokens, bias)
        encoded: Tensor = self.final_norm(token.squeeze(1))
        return encoded

    def key_bias(self, batch: Batch, dtype: torch.dtype) -> Float[Tensor, "B 1 1 N"]:
        """Of each particle, where another one or the class token looks at it."""
        return padding_bias(batch.mask, dtype)

    def start_head(self, head: nn.Linear) -> None:
        """Xavier, bias 0."""
        nn.init.xavier_uniform_(head.weight)
        nn.init.zeros_(head.bias)

    def _initialise(self) -> None:
        """Xavier (queries, keys and values apart), biases 0; the ends of block ℓ divided by √(2ℓ)."""
        nn.init.trunc_normal_(self.class_token, std=0.02)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear) and not name.startswith("pairs"):
                self.start_head(module)
        for block in cast(Iterable[Block], [*self.blocks, *self.class_blocks]):
            for part in block.attention.project.weight.chunk(3):
                nn.init.xavier_uniform_(part)
        for number, block in enumerate(cast(Iterable[Block], self.blocks), start=1):
            for layer in (block.attention.out, block.narrow):
                layer.weight.data.div_(math.sqrt(2 * number))
