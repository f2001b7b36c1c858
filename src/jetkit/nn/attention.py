"""Transformer blocks with normalisations after attention and inside the perceptron (NormFormer)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.errors import JetkitError
from jetkit.nn.backend import allows_fast
from jetkit.nn.dropout import Dropout
from jetkit.nn.fast.attention import attended
from jetkit.nn.gelu import GELU
from jetkit.nn.packing import Packing


class Memory(NamedTuple):
    """Keys and values of the tokens that a causal block has seen."""

    keys: Float[Tensor, "B heads n d"]
    values: Float[Tensor, "B heads n d"]

    def select(self, rows: Shaped[Tensor, " rows"]) -> Memory:
        """Those of some sequences."""
        return Memory(self.keys[rows], self.values[rows])


class Attention(nn.Module):
    """Multi-head attention, softmax(q·k/√d + bias) v, with one projection for queries, keys and values.

    Source: Attention Is All You Need, 2017, arXiv:1706.03762.

    Raises:
        JetkitError: the width is not a multiple of the heads.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise JetkitError(f"width should be a multiple of heads, got {width} and {heads}")
        self.heads = heads
        self.dropout = Dropout(dropout)
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self,
        query: Float[Tensor, "*tokens D"],
        key: Float[Tensor, "*others D"],
        bias: Float[Tensor, "B #heads #Q K"],
        packing: Packing | None = None,
    ) -> Float[Tensor, "*tokens D"]:
        """Return values of ``key`` (B, K, D) seen by ``query`` (B, Q, D), with a very low bias where a key is padded
        (:func:`padding_bias`); with a packing both are the same rows (M, D) of real particles."""
        if allows_fast(self.project, self.dropout):
            seen = attended(query, key, bias, packing, self.heads, self.project, self.dropout)
        else:
            q, k, v = self.by_head(query, packing)
            if key is not query:
                _, k, v = self.by_head(key)
            weight = torch.softmax((q / math.sqrt(q.shape[-1])) @ k.mT + bias.to(q.dtype), -1)
            seen = (self.dropout(weight) @ v).transpose(1, 2).flatten(2)
            seen = packing.pack(seen) if packing else seen
        out: Tensor = self.out(seen)
        return out

    def by_head(
        self, x: Float[Tensor, "*tokens D"], packing: Packing | None = None
    ) -> list[Float[Tensor, "B heads N d"]]:
        """Return queries, keys and values."""
        projected = self.project(x)
        parts = (packing.pad(projected) if packing else projected).chunk(3, dim=-1)
        return [part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts]

    def step(self, token: Float[Tensor, "B 1 D"], memory: Memory | None) -> tuple[Float[Tensor, "B 1 D"], Memory]:
        """Values seen by a token that comes after those of the memory, and the memory with it; nothing is dropped."""
        q, k, v = self.by_head(token)
        known = Memory(k, v)
        if memory is not None:
            known = Memory(*(torch.cat(pair, 2) for pair in zip(memory, known, strict=True)))
        seen = F.scaled_dot_product_attention(q, known.keys, known.values)
        return self.out(seen.transpose(1, 2).flatten(2)), known


class Block(nn.Module):
    """x ← x + LN(c ⊙ MHA(LN(x))), then x ← w ⊙ x + W₂ LN(GELU(W₁ LN(x))), with dropout after each.

    c is a factor per head (before the output is normalised), w one per channel.

    Source: NormFormer: Improved Transformer Pretraining with Extra Normalization, 2021, arXiv:2110.09456, as used in
    Particle Transformer for Jet Tagging, 2022, arXiv:2202.03772.

    Args:
        width: channels of a token
        heads: attention heads
        dropout: probability, in all places
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(width)
        self.attention = Attention(width, heads, dropout)
        self.norm_seen = nn.LayerNorm(width)
        self.norm_mlp = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.gelu = GELU(dropout)
        self.norm_wide = nn.LayerNorm(4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.dropout = Dropout(dropout)
        self.head_scale = nn.Parameter(torch.ones(heads))
        self.residual_scale = nn.Parameter(torch.ones(width))

    def forward(
        self, x: Float[Tensor, "*tokens D"], bias: Float[Tensor, "B #heads #N N"], packing: Packing | None = None
    ) -> Float[Tensor, "*tokens D"]:
        """Attention of all tokens (B, N, D) to each other, or of the real ones (M, D)."""
        normed = self.norm_attention(x)
        return self._rest(x, self.attention(normed, normed, bias, packing))

    def attend(
        self,
        token: Float[Tensor, "B 1 D"],
        x: Float[Tensor, "B N D"],
        bias: Float[Tensor, "B 1 1 1+N"],
    ) -> Float[Tensor, "B 1 D"]:
        """Attention of one token to itself and to all others, which stay as they are."""
        normed = self.norm_attention(torch.cat([token, x], 1))
        return self._rest(token, self.attention(token, normed, bias))

    def step(self, token: Float[Tensor, "B 1 D"], memory: Memory | None) -> tuple[Float[Tensor, "B 1 D"], Memory]:
        """What `forward` gives for the last of a sequence whose tokens see those before them, one at a time."""
        seen, memory = self.attention.step(self.norm_attention(token), memory)
        return self._rest(token, seen), memory

    def _rest(self, x: Float[Tensor, "*tokens D"], seen: Float[Tensor, "*tokens D"]) -> Float[Tensor, "*tokens D"]:
        by_head = seen.view(*seen.shape[:-1], len(self.head_scale), -1)
        scaled = (by_head * self.head_scale.unsqueeze(-1)).flatten(-2)
        x = x + self.dropout(self.norm_seen(scaled))
        wide = self.gelu(self.widen(self.norm_mlp(x)))
        return torch.addcmul(self.dropout(self.narrow(self.norm_wide(wide))), self.residual_scale, x)


def padding_bias(mask: Bool[Tensor, "B N"], dtype: torch.dtype) -> Float[Tensor, "B 1 1 N"]:
    """0 where a key is real, half of the lowest number where it is padded: weight 0, but no NaN in a jet without keys.

    Example:
        >>> padding_bias(torch.tensor([[True, False]]), torch.float32)
        tensor([[[[ 0.0000e+00, -1.7014e+38]]]])
    """
    bias = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return bias.masked_fill_(~mask, torch.finfo(dtype).min / 2)[:, None, None]
