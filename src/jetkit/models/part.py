"""Particle Transformer: attention that knows the kinematics of each pair of particles."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import Batch, four_momenta
from jetkit.data.spec import Needs, Spec
from jetkit.models.model import Backbone
from jetkit.nn.attention import Block, padding_bias
from jetkit.nn.gelu import GELU
from jetkit.nn.grouping import length_groups, ungroup
from jetkit.nn.packing import Packing
from jetkit.nn.shared_batch_norm import normalised_linear
from jetkit.physics.pairs import kinematics_of
from jetkit.registry import register

Pairs = tuple[Int[Tensor, " P"], Int[Tensor, " P"], Int[Tensor, " P"]]
"""Jet and two places of each pair."""
CACHE = 2**20
"""Bytes of a processor's cache that the attention of a group of jets should fill."""


class PairEmbedding(nn.Module):
    """An attention bias per head from (ln kT, ln z, ln Δ, ln m²) of a pair: layers with batch normalisation and GELU.

    Only pairs of real particles are computed, and of (i, j) and (j, i) only one.

    Args:
        widths: widths of the layers; the last is the number of heads
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.BatchNorm1d(4)]
        for a, b in pairwise([4, *widths]):
            layers += [nn.Linear(a, b), nn.BatchNorm1d(b), GELU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, p4: Float[Tensor, "B N 4"], pairs: Pairs) -> Float[Tensor, "P heads"]:
        """Bias of each pair."""
        jet, i, j = pairs
        with torch.no_grad():
            kinematics = kinematics_of(p4, (jet, i), (jet, j))
        norm, *layers = self.layers
        if self.training:
            first = normalised_linear(kinematics, cast(nn.BatchNorm1d, norm), cast(nn.Linear, layers[0]))
            embedded: Tensor = self.layers[2:](first)
            return embedded
        x: Tensor = norm(kinematics)
        linears, norms = cast(list[nn.Linear], layers[::3]), cast(list[nn.BatchNorm1d], layers[1::3])
        for linear, norm in zip(linears, norms, strict=True):
            x = F.gelu(F.linear(x, *folded(linear, norm)))
        return x


def folded(linear: nn.Linear, norm: nn.BatchNorm1d) -> tuple[Float[Tensor, "B A"], Float[Tensor, "B"]]:
    """Matrix and bias of a linear layer and the batch normalisation behind it, as one layer in evaluation mode.

    Example:
        >>> linear, norm = nn.Linear(2, 3), nn.BatchNorm1d(3).eval()
        >>> x = torch.randn(5, 2)
        >>> torch.allclose(F.linear(x, *folded(linear, norm)), norm(linear(x)), atol=1e-6)
        True
    """
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return linear.weight * scale[:, None], (linear.bias - norm.running_mean) * scale + norm.bias


def unordered_pairs(mask: Bool[Tensor, "B N"]) -> Pairs:
    """Jet and places i ≥ j of each pair of real particles, jet by jet; in a graph that is exported, all i and j."""
    if torch.compiler.is_exporting():
        sides = [torch.arange(size, device=mask.device) for size in (*mask.shape, mask.shape[1])]
        jet, i, j = (place.flatten() for place in torch.meshgrid(sides, indexing="ij"))
        return jet, i, j
    jet, i, j = (mask.unsqueeze(1) & mask.unsqueeze(2)).tril().nonzero(as_tuple=True)
    return jet, i, j


def symmetric_bias(
    bias: Float[Tensor, "P heads"], pairs: Pairs, shape: tuple[int, int]
) -> Float[Tensor, "B heads N N"]:
    """That of (i, j) and (j, i) from one number for both, 0 for other pairs; `shape` is (B, N)."""
    jet, i, j = pairs
    jets, length = shape
    if torch.compiler.is_exporting():
        return bias.view(jets, length, length, -1).permute(0, 3, 1, 2)
    table = bias.new_zeros(jets, length, length, bias.shape[-1])
    table[jet, i, j] = bias
    table[jet, j, i] = bias
    return table.permute(0, 3, 1, 2).contiguous()


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
        whole = Packing.of(batch.mask)
        x = whole.pad(self.embed(self.norm(whole.pack(batch.x))))
        groups = list(length_groups(batch.mask, self.heads, 4, CACHE))
        found = []
        for (rows, n), bias in zip(groups, self.biases(batch, groups), strict=True):
            packing = Packing.of(batch.mask[rows, :n])
            tokens = packing.pack(x[rows, :n])
            for block in self.blocks:
                tokens = block(tokens, bias, packing)
            found.append(packing.pad(tokens))
        return ungroup(found, [rows for rows, _ in groups], batch.mask.shape[1])

    def biases(
        self, batch: Batch, groups: Sequence[tuple[Int[Tensor, " G"], int]]
    ) -> Iterator[Float[Tensor, "G heads n n"]]:
        """What is added to the attention of each group of jets; all pairs of the batch are embedded together."""
        order, jets = torch.cat([rows for rows, _ in groups]), [rows.shape[0] for rows, _ in groups]
        mask = batch.mask[order]
        pairs = unordered_pairs(mask)
        embedded = self.pairs(four_momenta(batch)[order], pairs)
        keys = self.key_bias(batch, embedded.dtype)[order]
        if len(groups) == 1:
            yield symmetric_bias(embedded, pairs, (mask.shape[0], groups[0][1])) + keys[..., : groups[0][1]]
            return
        particles = mask.sum(1)
        pairs_of = torch.split(particles * (particles + 1) // 2, jets)
        sizes = [int(count.sum()) for count in pairs_of]
        parts = [torch.split(values, sizes) for values in (embedded, *pairs)]
        first = 0
        for (rows, n), bias, jet, i, j in zip(groups, *parts, strict=True):
            jets_here = slice(first, first + len(rows))
            yield symmetric_bias(bias, (jet - first, i, j), (len(rows), n)) + keys[jets_here, ..., :n]
            first += len(rows)

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
