"""Gated messages between all pairs of particles, few jets at a time and in little memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from jetkit.nn.grouping import length_groups
from jetkit.nn.precision import full_precision
from jetkit.nn.shared_batch_norm import remember

CACHE = 2**20
"""Bytes of a processor's cache that one tensor of pairs should fill."""


class Pairs(NamedTuple):
    """Linear function of a pair, a_i + b_j + Σ_f w_f q_ijf, in its parts; A channels."""

    row: Float[Tensor, "B N A"]
    column: Float[Tensor, "B N A"]
    weight: Float[Tensor, "f A"]
    quantity: Float[Tensor, "B N N f"]

    def of(self, rows: Int[Tensor, " G"], n: int) -> Pairs:
        """The same of the first n particles of some jets."""
        return Pairs(self.row[rows, :n], self.column[rows, :n], self.weight, self.quantity[rows, :n, :n])


class Message(NamedTuple):
    """Weights W, b of a message and w, c of its gate."""

    weight: Float[Tensor, "A A"]
    bias: Float[Tensor, " A"]
    gate: Float[Tensor, "1 A"]
    gate_bias: Float[Tensor, " 1"]


class Size(NamedTuple):
    """Weights V, d, v of a number that a message gives."""

    weight: Float[Tensor, "A A"]
    bias: Float[Tensor, " A"]
    out: Float[Tensor, "1 A"]


Tensors = tuple[Pairs, Message, Size | None]


class Edges(NamedTuple):
    """What the P pairs of a few jets become on their way."""

    first: Float[Tensor, "P A"]
    open: Float[Tensor, "P A"]
    gate: Float[Tensor, "P 1"]
    gated: Float[Tensor, "P A"]
    hidden: Float[Tensor, "P A"] | None


def lorentz_messages(
    h: Float[Tensor, "B N A"],
    quantity: Float[Tensor, "B N N f"],
    pairs: Bool[Tensor, "B N N"],
    dtype: torch.dtype,
    layers: Sequence[nn.Module],
) -> tuple[Float[Tensor, "B N A"], Float[Tensor, "B N N"] | None]:
    """Return what `jetkit.nn.minkowski.LorentzBlock` collects of its messages, and the size of each shift if it moves.

    Its first layer is linear, so it acts on particles and on quantities of pairs, but not on pairs of particles; and
    φ_x begins with a linear layer, so that the gate may come before.
    """
    width, linears = h.shape[-1], cast(Sequence[nn.Linear], layers)
    of_row, of_column, of_quantity = torch.split(linears[0].weight, [width, width, quantity.shape[-1]], dim=1)
    message = Message(linears[2].weight, linears[2].bias, linears[3].weight, linears[3].bias)
    size = Size(linears[4].weight, linears[4].bias, linears[5].weight) if len(layers) > 4 else None
    with full_precision(h):
        linear = Pairs(h @ of_row.T, h @ of_column.T, of_quantity.T, quantity)
        linear = normalised_pairs(linear, pairs, cast(nn.BatchNorm1d, layers[1]))
        collected, sizes = gated_messages(linear, message, size, pairs, dtype)
    return collected, None if size is None else sizes


def normalised_pairs(pairs: Pairs, mask: Bool[Tensor, "B N N"], norm: nn.BatchNorm1d) -> Pairs:
    """Return a linear function of pairs after batch normalisation over the real pairs, without writing it down.

    Mean and variance of a_i + b_j + Σ_f w_f q_ijf are sums over particles: the cost is that of the particles, not of
    their pairs.
    """
    if norm.training:
        mean, variance, count = _moments(pairs, mask)
        remember(norm, mean, variance, count)
    else:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        mean, variance = norm.running_mean, norm.running_var
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    row = pairs.row * scale + (norm.bias - mean * scale)
    return Pairs(row, pairs.column * scale, pairs.weight * scale, pairs.quantity)


def _moments(pairs: Pairs, mask: Bool[Tensor, "B N N"]) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance over the real pairs, and their number."""
    real = mask.to(pairs.row.dtype)
    out, into = real.sum(2), real.sum(1)  # pairs that a particle begins and ends
    count = out.sum()
    q = pairs.quantity * real.unsqueeze(-1)
    of_row = torch.einsum("bn,bnd->d", out, pairs.row) / count
    of_column = torch.einsum("bn,bnd->d", into, pairs.column) / count
    of_quantity = q.sum((0, 1, 2)) / count
    mean = of_row + of_column + of_quantity @ pairs.weight
    row, column = pairs.row - of_row, pairs.column - of_column
    q = (pairs.quantity - of_quantity) * real.unsqueeze(-1)
    # Covariances; i and j: particles, f and g: quantities, d: channels.
    squares = torch.einsum("bi,bid->d", out, row.square()) + torch.einsum("bj,bjd->d", into, column.square())
    mixed = torch.einsum("bid,bid->d", row, real @ column)
    with_row = torch.einsum("bid,bif->fd", row, q.sum(2)) + torch.einsum("bjd,bjf->fd", column, q.sum(1))
    of_q = torch.einsum("bijf,bijg->fg", q, q)
    own = torch.einsum("fd,fg,gd->d", pairs.weight, of_q, pairs.weight)
    variance = ((squares + 2 * mixed + 2 * (pairs.weight * with_row).sum(0) + own) / count).clamp(min=0)
    return mean, variance, count


def gated_messages(
    linear: Pairs, message: Message, size: Size | None, pairs: Bool[Tensor, "B N N"], dtype: torch.dtype
) -> tuple[Float[Tensor, "B N A"], Float[Tensor, "B N N"]]:
    """Σ_j m_ij over ``pairs``, and the numbers s_ij (0 without ``size``).

    m_ij = σ(w·n_ij + c) n_ij with n_ij = ReLU(W ReLU(e_ij) + b), and s_ij = v·ReLU(V m_ij + d); e is the linear
    function ``linear``. Matrix products are taken in ``dtype``.

    Nothing of the size of all pairs times channels is stored: the backward pass computes it again, a few jets at a
    time, in the processor's cache. There are no second derivatives.
    """
    collected, numbers = _GatedMessages.apply(pairs, dtype, *linear, *message, *(size or ()))  # type: ignore[no-untyped-call]
    return collected, numbers


class _GatedMessages(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pairs: Tensor, dtype: torch.dtype, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(pairs, *tensors)
        ctx.dtype = dtype
        linear, message, size = _named(tensors, dtype)
        collected, numbers = torch.zeros_like(linear.row), torch.zeros_like(linear.quantity[..., 0])
        with full_precision(linear.row):
            for rows, n in _groups(linear, pairs):
                real = pairs[rows, :n, :n]
                edges = _edges(linear.of(rows, n), real, message, size)
                collected[rows, :n] = edges.gated.view(*real.shape, -1).sum(2).to(collected.dtype)
                if size is not None and edges.hidden is not None:
                    numbers[rows, :n, :n] = (edges.hidden @ size.out.T).view_as(real).to(numbers.dtype)
        return collected, numbers

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_collected: Tensor, of_numbers: Tensor) -> tuple[Tensor | None, ...]:
        pairs, *tensors = ctx.saved_tensors
        gradients = [torch.zeros_like(tensor) for tensor in tensors]
        (linear, message, size), (of_linear, of_message, of_size) = _named(tensors, ctx.dtype), _named(gradients)
        with full_precision(linear.row):
            for rows, n in _groups(linear, pairs):
                part, real = linear.of(rows, n), pairs[rows, :n, :n]
                edges = _edges(part, real, message, size)
                of_gated = of_collected[rows, :n].to(ctx.dtype).unsqueeze(2).expand(*real.shape, -1).flatten(0, 2)
                if size is not None and of_size is not None:
                    of_gated += _back_through_size(edges, size, of_numbers[rows, :n, :n].reshape(-1, 1), of_size)
                of_first = _back_through_message(edges, message, of_gated, of_message).to(linear.row.dtype)
                of_linear.quantity[rows, :n, :n] = (of_first @ linear.weight.T).view_as(part.quantity)
                of_linear.weight.add_(part.quantity.flatten(0, 2).T @ of_first)
                of_first = of_first.view(*real.shape, -1)
                of_linear.row[rows, :n] = of_first.sum(2)
                of_linear.column[rows, :n] = of_first.sum(1)
        return None, None, *gradients


def _named(tensors: Sequence[Tensor], dtype: torch.dtype | None = None) -> Tensors:
    """Tensors by their names; those of matrix products in ``dtype``."""
    linear, layers = Pairs(*tensors[:4]), tensors[4:]
    if dtype is not None:
        layers = [tensor.to(dtype) for tensor in layers]
    return linear, Message(*layers[:4]), Size(*layers[4:]) if layers[4:] else None


def _groups(linear: Pairs, pairs: Bool[Tensor, "B N N"]) -> Iterator[tuple[Int[Tensor, " G"], int]]:
    return length_groups(pairs.any(1) | pairs.any(2), linear.row.shape[-1], linear.row.element_size(), CACHE)


def _edges(linear: Pairs, pairs: Bool[Tensor, "G n n"], message: Message, size: Size | None) -> Edges:
    """From the linear function to the gated message and beyond."""
    first = linear.quantity @ linear.weight
    first += linear.row.unsqueeze(2)
    first += linear.column.unsqueeze(1)
    first = first.relu_().flatten(0, 2).to(message.weight.dtype)
    open_ = torch.addmm(message.bias, first, message.weight.T).relu_()
    gate = torch.addmm(message.gate_bias, open_, message.gate.T).sigmoid_()
    gate *= pairs.reshape(-1, 1)
    gated = open_ * gate
    hidden = None if size is None else torch.addmm(size.bias, gated, size.weight.T).relu_()
    return Edges(first, open_, gate, gated, hidden)


def _back_through_size(
    edges: Edges, size: Size, of_number: Float[Tensor, "P 1"], of_size: Size
) -> Float[Tensor, "P A"]:
    """Gradient of the gated messages; adds to those of the layers."""
    assert edges.hidden is not None
    of_number = of_number.to(edges.hidden.dtype)
    of_hidden = torch.ops.aten.threshold_backward(of_number * size.out, edges.hidden, 0)
    of_size.out.add_(of_number.T @ edges.hidden)
    of_size.weight.add_(of_hidden.T @ edges.gated)
    of_size.bias.add_(of_hidden.sum(0))
    of_gated: Tensor = of_hidden @ size.weight
    return of_gated


def _back_through_message(
    edges: Edges, message: Message, of_gated: Float[Tensor, "P A"], of_message: Message
) -> Float[Tensor, "P A"]:
    """Gradient of the linear function; adds to those of the layers."""
    of_gate = torch.linalg.vecdot(of_gated, edges.open).unsqueeze(1)
    of_gate *= edges.gate * (1 - edges.gate)
    of_message.gate.add_(of_gate.T @ edges.open)
    of_message.gate_bias.add_(of_gate.sum(0))
    of_open = (of_gated * edges.gate).addcmul_(of_gate, message.gate)
    of_open = torch.ops.aten.threshold_backward(of_open, edges.open, 0)
    of_message.weight.add_(of_open.T @ edges.first)
    of_message.bias.add_(of_open.sum(0))
    of_first: Tensor = torch.ops.aten.threshold_backward(of_open @ message.weight, edges.first, 0)
    return of_first
