"""Tables of all pairs of particles of each jet, packed one after the other without padding."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from jetkit.nn.backend import allows_fast
from jetkit.nn.fast import pair_tables as fast

CACHE = 2**20
"""Bytes of a processor's cache that one array of tables should fill."""
SLOPE = fast.SLOPE


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
    """Return columns Σ_j w_j x_ji, rows Σ_j w_j x_ij and the diagonal x_ii for each particle i; w has no gradient.

    Example:
        >>> tables = PairTables.of(torch.ones(1, 2, dtype=torch.bool), numbers=1)
        >>> x = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
        >>> [part.flatten().tolist() for part in aggregate(x, torch.ones(2, 1), tables)]
        [[4.0, 6.0], [3.0, 7.0], [1.0, 4.0]]
    """
    if allows_fast():
        return fast.aggregate(x, weight, tables)
    found = []
    for pair, w in zip(tables.pairs(x), tables.particles(weight.to(x.dtype)), strict=True):
        found.append([(w.unsqueeze(2) * pair).sum(1), (w.unsqueeze(1) * pair).sum(2), pair.diagonal(dim1=1, dim2=2).mT])
    columns, rows, diagonal = (torch.cat([part.flatten(0, 1) for part in parts]) for parts in zip(*found, strict=True))
    return columns, rows, diagonal


def combine(
    x: Float[Tensor, "P C"],
    weights: Float[Tensor, "2 C H"],
    row: Float[Tensor, "M H"],
    column: Float[Tensor, "M H"],
    diagonal: Float[Tensor, "M H"] | None,
    tables: PairTables,
) -> Float[Tensor, "P H"]:
    """Return LeakyReLU(x_ij W₀ + x_ji W₁ + r_i + c_j + δ_ij d_i).

    Example:
        >>> tables = PairTables.of(torch.ones(1, 2, dtype=torch.bool), numbers=1)
        >>> x, one = torch.tensor([[1.0], [2.0], [3.0], [4.0]]), torch.tensor([[[1.0]], [[0.0]]])
        >>> combine(x, one, torch.tensor([[10.0], [20.0]]), torch.zeros(2, 1), torch.ones(2, 1), tables).flatten()
        tensor([12., 12., 23., 25.])
    """
    if allows_fast():
        return fast.combine(x, weights, row, column, diagonal, tables)
    weights, row, column = (part.to(x.dtype) for part in (weights, row, column))
    own = torch.zeros_like(row) if diagonal is None else diagonal.to(x.dtype)
    found = []
    for pair, i, j, d in zip(tables.pairs(x), *map(tables.particles, (row, column, own)), strict=True):
        linear = pair @ weights[0] + pair.transpose(1, 2) @ weights[1] + i.unsqueeze(2) + j.unsqueeze(1)
        found.append((linear + torch.diag_embed(d.mT).permute(0, 2, 3, 1)).flatten(0, 2))
    return F.leaky_relu(torch.cat(found), SLOPE)
