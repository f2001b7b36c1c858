"""Sums and linear maps of tables of pairs, in the memory of one array of tables at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

if TYPE_CHECKING:
    from jetkit.nn.pair_tables import PairTables

SLOPE = 0.01
"""Slope of the LeakyReLU where it is negative."""


def aggregate(
    x: Float[Tensor, "P C"], weight: Float[Tensor, "M 1"], tables: PairTables
) -> tuple[Float[Tensor, "M C"], Float[Tensor, "M C"], Float[Tensor, "M C"]]:
    """Return columns, rows and diagonal (`jetkit.nn.pair_tables.aggregate`)."""
    columns, rows, diagonal = _Aggregate.apply(x, weight.to(x.dtype), tables)  # type: ignore[no-untyped-call]
    return columns, rows, diagonal


class _Aggregate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, tables: PairTables) -> tuple[Tensor, Tensor, Tensor]:
        ctx.save_for_backward(weight)
        ctx.tables, ctx.shape = tables, x.shape
        columns, rows, diagonal = x.new_empty(3, len(weight), x.shape[1])
        for pair, w, column, row, own in _arrays(tables, [x], [weight, columns, rows, diagonal]):
            column.copy_((w.mT @ pair.flatten(2)).view_as(column))
            row.copy_((w.mT.unsqueeze(1) @ pair).squeeze(2))
            own.copy_(_diagonal(pair))
        return columns, rows, diagonal

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *of_sums: Tensor) -> tuple[Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        of_x = weight.new_empty(ctx.shape)
        for of_pair, w, column, row, own in _arrays(ctx.tables, [of_x], [weight, *of_sums]):
            torch.mul(w.unsqueeze(1), row.unsqueeze(2), out=of_pair)
            of_pair.addcmul_(w.unsqueeze(2), column.unsqueeze(1))
            _diagonal(of_pair).add_(own)
        return of_x, None, None


def _arrays(tables: PairTables, of_pairs: list[Tensor], of_particles: list[Tensor]) -> Iterator[tuple[Tensor, ...]]:
    """The dense arrays of several quantities together."""
    return zip(*map(tables.pairs, of_pairs), *map(tables.particles, of_particles), strict=True)


def _diagonal(pair: Tensor) -> Tensor:
    """The diagonals (G, n, D) of tables (G, n, n, D), a view."""
    return pair.diagonal(dim1=1, dim2=2).mT


def combine(
    x: Float[Tensor, "P C"],
    weights: Float[Tensor, "2 C H"],
    row: Float[Tensor, "M H"],
    column: Float[Tensor, "M H"],
    diagonal: Float[Tensor, "M H"] | None,
    tables: PairTables,
) -> Float[Tensor, "P H"]:
    """Return the new table (`jetkit.nn.pair_tables.combine`)."""
    weights, row, column = (part.to(x.dtype) for part in (weights, row, column))
    on_diagonal = None if diagonal is None else diagonal.to(x.dtype)
    combined: Tensor = _Combine.apply(x, weights, row, column, on_diagonal, tables)  # type: ignore[no-untyped-call]
    return combined


class _Combine(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weights: Tensor, row: Tensor, column: Tensor, diagonal: Tensor | None, tables: PairTables
    ) -> Tensor:
        y = x.new_empty(len(x), weights.shape[2])
        on_diagonal = torch.zeros_like(row) if diagonal is None else diagonal
        for pair, out, i, j, d in _arrays(tables, [x, y], [row, column, on_diagonal]):
            flat = out.flatten(0, 2)
            torch.mm(pair.flatten(0, 2), weights[0], out=flat)
            flat.addmm_(pair.transpose(1, 2).flatten(0, 2), weights[1])
            out.add_(i.unsqueeze(2)).add_(j.unsqueeze(1))
            _diagonal(out).add_(d)
            F.leaky_relu_(out, SLOPE)
        ctx.save_for_backward(x, weights, y)
        ctx.tables, ctx.has_diagonal = tables, diagonal is not None
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_y: Tensor) -> tuple[Tensor | None, ...]:
        x, weights, y = ctx.saved_tensors
        of_x, of_weights = torch.empty_like(x), torch.zeros_like(weights)
        row, column, diagonal = x.new_empty(3, len(ctx.tables.jet), y.shape[1])
        pairs, particles = [x, of_x, y, of_y.contiguous()], [row, column, diagonal]
        for pair, of_pair, out, of_out, i, j, d in _arrays(ctx.tables, pairs, particles):
            linear = torch.ops.aten.leaky_relu_backward(of_out, out, SLOPE, True)
            torch.sum(linear, 2, out=i)
            torch.sum(linear, 1, out=j)
            d.copy_(_diagonal(linear))
            linear = linear.flatten(0, 2)
            torch.mm(linear, weights[0].T, out=of_pair.flatten(0, 2))
            of_pair.add_((linear @ weights[1].T).view_as(pair).transpose(1, 2))
            of_weights[0].addmm_(pair.flatten(0, 2).T, linear)
            of_weights[1].addmm_(pair.transpose(1, 2).flatten(0, 2).T, linear)
        return of_x, of_weights, row, column, diagonal if ctx.has_diagonal else None, None
