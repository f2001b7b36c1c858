"""softmax(q·k/√d + bias) v in few operations, and in few passes over a processor's memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from jetkit.kernels import decay, kernel
from jetkit.nn.backend import in_compiled_loop
from jetkit.nn.fast.masks import Draw, draw, factor_at
from jetkit.nn.packing import Packing

if TYPE_CHECKING:
    from jetkit.nn.dropout import Dropout


def attended(
    query: Float[Tensor, "*tokens D"],
    key: Float[Tensor, "*others D"],
    bias: Float[Tensor, "B #heads #Q K"],
    packing: Packing | None,
    heads: int,
    project: nn.Linear,
    dropout: Dropout,
) -> Float[Tensor, "*tokens D"]:
    """Return what `jetkit.nn.attention.Attention` has before its last matrix."""
    if query is key:
        projected: Tensor = project(query)
        if dropout.rate < 1 and in_compiled_loop(projected):
            shape = packing or Packing(None, (query.shape[0], query.shape[1]))
            rows = packed_attention(projected.view(-1, projected.shape[-1]), bias, shape, heads, dropout.rate)
            return rows.view(query.shape)
        q, k, v = (packing.pad(projected) if packing else projected).chunk(3, dim=-1)
    elif query.shape[1] == 1:
        return one_query(query, key, bias, heads, project, dropout)
    else:  # no queries of keys, nor keys and values of queries
        width = query.shape[-1]
        q = F.linear(query, project.weight[:width], project.bias[:width])
        k, v = F.linear(key, project.weight[width:], project.bias[width:]).chunk(2, dim=-1)
    q, k, v = (part.view(*part.shape[:2], heads, -1).transpose(1, 2) for part in (q, k, v))  # (B, heads, ·, D/heads)
    bias = bias.to(q.dtype)
    if dropout.rate:
        seen = dropout(torch.softmax((q / math.sqrt(q.shape[-1])) @ k.mT + bias, -1)) @ v
    else:
        seen = F.scaled_dot_product_attention(q, k, v, bias)
    seen = seen.transpose(1, 2).flatten(2)
    return packing.pack(seen) if packing else seen


def one_query(
    query: Float[Tensor, "B 1 D"],
    key: Float[Tensor, "B K D"],
    bias: Float[Tensor, "B #heads 1 K"],
    heads: int,
    project: nn.Linear,
    dropout: Dropout,
) -> Float[Tensor, "B 1 D"]:
    """Return what one query of each jet sees; no key or value of a particle is computed.

    With q·(W_k x + b_k) = (W_kᵀ q)·x + const, and Σ a W_v x = W_v Σ a x, the large matrices meet one vector a head
    of each jet in place of every particle.
    """
    ask, of_key, of_value = project.weight.chunk(3)
    ask_offset, _, value_offset = project.bias.chunk(3)
    by_head = (heads, -1, query.shape[-1])
    q = F.linear(query, ask, ask_offset).view(query.shape[0], heads, -1)  # (B, heads, d)
    asked = (q.transpose(0, 1) @ of_key.view(by_head)).transpose(0, 1) / math.sqrt(q.shape[-1])  # (B, heads, D)
    score = asked @ key.mT
    weight = dropout(torch.softmax(score + bias.squeeze(2).to(score.dtype), -1))
    seen = ((weight @ key).transpose(0, 1) @ of_value.view(by_head).mT).transpose(0, 1)  # (B, heads, d)
    seen = seen + weight.sum(-1, keepdim=True) * value_offset.view(heads, -1)
    found: Tensor = seen.flatten(1).unsqueeze(1)
    return found


def packed_attention(
    projected: Float[Tensor, "M three_D"],
    bias: Float[Tensor, "B #heads #N N"],
    packing: Packing,
    heads: int,
    p: float,
) -> Float[Tensor, "M D"]:
    """Values seen by each particle, from queries, keys and values side by side; weights are dropped with probability p.

    The rows go to a table of queries, keys and values by head in one pass each way, and no factor of dropout is kept:
    with weights w, dropped ones w̃, the gradient g of what is seen and w̃ v = s, that of the scores is w̃ (g·v) − w (g·s).
    For numbers in single precision on a processor; the gradient can not be differentiated again.

    Example:
        >>> projected = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 3.0]], requires_grad=True)
        >>> packed_attention(projected, torch.zeros(1, 1, 1, 2), Packing(None, (1, 2)), 1, 0.0).tolist()
        [[2.0], [2.0]]
    """
    found: Tensor = _Attention.apply(projected, bias, packing, heads, draw(p))  # type: ignore[no-untyped-call]
    return found


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, projected: Tensor, bias: Tensor, packing: Packing, heads: int, draw: Draw) -> Tensor:
        jets, n = packing.shape
        width = projected.shape[1] // 3
        ctx.places = torch.arange(jets * n) if packing.places is None else packing.places
        ctx.scale = 1 / math.sqrt(width // heads)
        table = _spread(projected, ctx.places, (3, jets, heads, n, width // heads))
        q, k, v = table[0].mul_(ctx.scale), table[1], table[2]
        weight = (q @ k.mT).add_(bias)
        dropped = torch.empty_like(weight) if draw.least else weight
        total = torch.empty(jets, heads, n, 1)
        _exponentials(_rows(weight), _rows(dropped), total.view(-1).numpy(), draw)
        seen = (dropped @ v).div_(total)
        ctx.save_for_backward(table, weight, dropped, total, seen)
        ctx.shape_of_bias = bias.shape
        return _collected(seen[None], ctx.places)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        table, weight, dropped, total, seen = ctx.saved_tensors
        q, k, v = table
        (of_seen,) = _spread(gradient, ctx.places, (1, *seen.shape))
        of_seen.div_(total)
        of_score = of_seen @ v.mT
        along = (of_seen * seen).sum(-1)
        _of_scores(_rows(weight), _rows(dropped), _rows(of_score), along.view(-1).numpy())
        found = torch.empty_like(table)
        torch.matmul(of_score, k, out=found[0])
        found[0].mul_(ctx.scale)
        torch.matmul(of_score.mT, q, out=found[1])
        torch.matmul(dropped.mT, of_seen, out=found[2])
        of_bias = of_score.sum_to_size(ctx.shape_of_bias) if ctx.needs_input_grad[1] else None
        return _collected(found, ctx.places), of_bias, None, None, None


def _rows(table: Float[Tensor, "B h n N"]) -> Float[np.ndarray, "R N"]:
    rows: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = table.view(-1, table.shape[-1]).numpy()
    return rows


def _spread(
    rows: Float[Tensor, "M W"], places: Int[Tensor, " M"], shape: tuple[int, ...]
) -> Float[Tensor, "P B h n d"]:
    """Rows as parts of heads, each at its place; 0 elsewhere."""
    parts, jets, heads, n, channels = shape
    table = torch.zeros(shape) if len(places) < jets * n else torch.empty(shape)
    _to_table(rows.contiguous().view(-1, parts, heads, channels).numpy(), places.numpy(), table.numpy())
    return table


def _collected(table: Float[Tensor, "P B h n d"], places: Int[Tensor, " M"]) -> Float[Tensor, "M W"]:
    """Inverse of :func:`_spread`."""
    parts, _, heads, _, channels = table.shape
    rows = torch.empty(len(places), parts, heads, channels)
    _from_table(table.numpy(), places.numpy(), rows.numpy())
    return rows.flatten(1)


@kernel
def _to_table(
    rows: Float[np.ndarray, "M P h d"], places: Int[np.ndarray, " M"], table: Float[np.ndarray, "P B h n d"]
) -> None:
    for row in range(len(rows)):
        jet, place = divmod(places[row], table.shape[3])
        for part in range(table.shape[0]):
            for head in range(table.shape[2]):
                for channel in range(table.shape[4]):
                    table[part, jet, head, place, channel] = rows[row, part, head, channel]


@kernel
def _from_table(
    table: Float[np.ndarray, "P B h n d"], places: Int[np.ndarray, " M"], rows: Float[np.ndarray, "M P h d"]
) -> None:
    for row in range(len(rows)):
        jet, place = divmod(places[row], table.shape[3])
        for part in range(table.shape[0]):
            for head in range(table.shape[2]):
                for channel in range(table.shape[4]):
                    rows[row, part, head, channel] = table[part, jet, head, place, channel]


@kernel
def _exponentials(
    score: Float[np.ndarray, "R n"], dropped: Float[np.ndarray, "R n"], total: Float[np.ndarray, " R"], draw: Draw
) -> None:
    """e^{score − largest} in place of the scores of each row, dropped ones (without dropout the same), and their sum
    before any is dropped."""
    for row in range(len(score)):
        of_row = score[row]
        top = of_row[0]
        for value in of_row:
            top = value if value > top else top
        for key in range(len(of_row)):
            of_row[key] = top - of_row[key]
    flat, others = score.reshape(-1), dropped.reshape(-1)
    if draw.least:
        for place in range(len(flat)):
            flat[place] = decay(flat[place])
            others[place] = flat[place] * factor_at(place, draw)
    else:
        for place in range(len(flat)):
            flat[place] = decay(flat[place])
    for row in range(len(score)):
        whole = np.float32(0)
        for value in score[row]:
            whole += value
        total[row] = whole


@kernel
def _of_scores(
    weight: Float[np.ndarray, "R n"],
    dropped: Float[np.ndarray, "R n"],
    gradient: Float[np.ndarray, "R n"],
    along: Float[np.ndarray, " R"],
) -> None:
    """Gradients of the scores in place of those of the dropped weights."""
    for row in range(len(weight)):
        for key in range(weight.shape[1]):
            gradient[row, key] = dropped[row, key] * gradient[row, key] - weight[row, key] * along[row]
