"""Tables of all pairs of particles of each jet, packed one after the other without padding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

CACHE = 2**20
"""Bytes of a processor's cache that one array of tables should fill."""
SLOPE = 0.01
"""Of the LeakyReLU where it is negative."""


@dataclass(frozen=True, eq=False)
class PairTables:
    """Where particles and pairs are: B jets with M particles and P = Σ n² ordered pairs.

    The jets stand in the order of their multiplicities n, so that those of equal n are dense arrays (G, n, n, ·): no
    place is padded, and nothing has to be masked.

    Example:
        >>> tables = PairTables.of(torch.tensor([[True, True], [True, False]]), numbers=1)
        >>> tables.order.tolist(), tables.shapes, tables.jet.tolist()
        ([1, 0], [(1, 1), (1, 2)], [0, 1, 1])
        >>> [array.shape for array in tables.pairs(torch.zeros(5, 7))]
        [torch.Size([1, 1, 1, 7]), torch.Size([1, 2, 2, 7])]
    """

    order: Int[Tensor, " B"]
    """Jets of the batch by multiplicity."""
    multiplicity: Int[Tensor, " B"]
    """Of the jets in this order."""
    jet: Int[Tensor, " M"]
    """The jet of each particle."""
    shapes: list[tuple[int, int]]
    """(G, n) of each dense array."""

    @classmethod
    def of(cls, mask: Bool[Tensor, "B N"], numbers: int) -> PairTables:
        """For tables of ``numbers`` a pair, in single precision; arrays are no larger than a processor's cache."""
        multiplicity, order = mask.sum(1).sort(stable=True)
        jet = torch.arange(len(mask), device=mask.device).repeat_interleave(multiplicity)
        shapes = []
        for n, jets in torch.stack(torch.unique_consecutive(multiplicity, return_counts=True), 1).tolist():
            most = max(1, CACHE // (4 * numbers * max(n, 1) ** 2)) if mask.device.type == "cpu" else jets
            shapes += [(min(most, jets - start), n) for start in range(0, jets, most)]
        return cls(order, multiplicity, jet, shapes)

    def pack(self, values: Shaped[Tensor, "B N *D"], mask: Bool[Tensor, "B N"]) -> Shaped[Tensor, "M *D"]:
        """Values of the real particles."""
        return values[self.order][mask[self.order]]

    def particles(self, values: Shaped[Tensor, "M D"]) -> list[Shaped[Tensor, "G n D"]]:
        """Dense arrays of a quantity of particles."""
        parts = torch.split(values, [jets * n for jets, n in self.shapes])
        return [part.view(*shape, values.shape[1]) for part, shape in zip(parts, self.shapes, strict=True)]

    def pairs(self, values: Shaped[Tensor, "P D"]) -> list[Shaped[Tensor, "G n n D"]]:
        """Dense arrays of a quantity of pairs."""
        parts = torch.split(values, [jets * n * n for jets, n in self.shapes])
        return [part.view(jets, n, n, values.shape[1]) for part, (jets, n) in zip(parts, self.shapes, strict=True)]

    @property
    def size(self) -> int:
        """Number of pairs."""
        return sum(jets * n * n for jets, n in self.shapes)

    def total(self, values: Float[Tensor, "M *D"]) -> Float[Tensor, "B *D"]:
        """Sum over the particles of each jet."""
        return values.new_zeros(len(self.order), *values.shape[1:]).index_add(0, self.jet, values)

    def powers(self, alpha: Float[Tensor, "*D"], mean_multiplicity: float) -> Float[Tensor, "B *D"]:
        """(n/n̄)^α for the multiplicity n of each jet."""
        ratio = self.multiplicity.clamp(min=1).to(alpha.dtype) / mean_multiplicity
        return ratio.view(-1, *(1,) * alpha.ndim) ** alpha


def aggregate(
    x: Float[Tensor, "P C"], weight: Float[Tensor, "M 1"], tables: PairTables
) -> tuple[Float[Tensor, "M C"], Float[Tensor, "M C"], Float[Tensor, "M C"]]:
    """Columns Σ_j w_j x_ji, rows Σ_j w_j x_ij and the diagonal x_ii for each particle i; w has no gradient.

    Example:
        >>> tables = PairTables.of(torch.ones(1, 2, dtype=torch.bool), numbers=1)
        >>> x = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
        >>> [part.flatten().tolist() for part in aggregate(x, torch.ones(2, 1), tables)]
        [[4.0, 6.0], [3.0, 7.0], [1.0, 4.0]]
    """
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
    """LeakyReLU(x_ij W₀ + x_ji W₁ + r_i + c_j + δ_ij d_i).

    Example:
        >>> tables = PairTables.of(torch.ones(1, 2, dtype=torch.bool), numbers=1)
        >>> x, one = torch.tensor([[1.0], [2.0], [3.0], [4.0]]), torch.tensor([[[1.0]], [[0.0]]])
        >>> combine(x, one, torch.tensor([[10.0], [20.0]]), torch.zeros(2, 1), torch.ones(2, 1), tables).flatten()
        tensor([12., 12., 23., 25.])
    """
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
