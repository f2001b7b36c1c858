"""Linear maps of particles and of pairs of particles that do not know their order."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.nn.pair_tables import SLOPE, PairTables, aggregate, combine


class PairAggregation(nn.Module):
    """LeakyReLU of the permutation-equivariant linear maps from a table x_ij to a table, all 15 of them.

    Five sums are shared: columns Σ_j w_j x_ji, rows Σ_j w_j x_ij, the diagonal x_ii, trace Σ_i w_i x_ii and total
    Σ_ij w_i w_j x_ij. The maps, in their order: x_ij, x_ji; (x_ii, column i, row i); (x_jj, column j, row j);
    δ_ij (x_ii, column i, row i); (trace, total); δ_ij (trace, total). Those of rows, columns, trace and total are
    multiplied by (n/n̄)^α, with an α for each channel and map, where n is the multiplicity of the jet. From channel c
    to d, map m has the coefficient a_mc A_cd + b_md B_cd; the table and its diagonal have a bias.

    Without n̄ there are no powers of n and nothing is put on the diagonal, which leaves 10 maps. With shares of energy
    as weights w, these are the safe ones: neither a soft particle nor a collinear splitting changes the sums, whereas
    the diagonal tells a particle from its collinear twin.

    Source: Explainable Equivariant Neural Networks for Particle Physics: PELICAN, 2023, arXiv:2307.16506.

    Args:
        inputs: channels of x
        outputs: channels of the result
        mean_multiplicity: n̄, or none

    Example:
        >>> tables = PairTables.of(torch.ones(2, 6, dtype=torch.bool), numbers=8)
        >>> PairAggregation(4, 8, mean_multiplicity=49.0)(torch.randn(72, 4), torch.full((12, 1), 1 / 6), tables).shape
        torch.Size([72, 8])
    """

    def __init__(self, inputs: int, outputs: int, mean_multiplicity: float | None) -> None:
        super().__init__()
        self.mean_multiplicity = mean_multiplicity
        self.places = 2 if mean_multiplicity is None else 3  # i, j, the diagonal
        self.sizes = [2, 3 * self.places, 2 * (self.places - 1)]  # maps of pairs, particles and jets
        maps = sum(self.sizes)
        self.map_in = nn.Parameter(torch.randn(maps, inputs) / math.sqrt(maps))
        self.map_out = nn.Parameter(torch.randn(maps, outputs) / math.sqrt(maps))
        self.mix_in = nn.Parameter(torch.randn(inputs, outputs) / math.sqrt(inputs))
        self.mix_out = nn.Parameter(torch.randn(inputs, outputs) / math.sqrt(inputs))
        self.bias = nn.Parameter(torch.zeros(self.places - 1, outputs))
        if mean_multiplicity is not None:
            self.alpha = nn.Parameter(torch.rand(10, inputs))

    def forward(
        self, x: Float[Tensor, "P C"], weight: Float[Tensor, "M 1"], tables: PairTables
    ) -> Float[Tensor, "P H"]:
        """The new table of each jet."""
        maps = self.map_in.unsqueeze(2) * self.mix_in + self.map_out.unsqueeze(1) * self.mix_out
        of_pair, of_particle, of_jet = torch.split(maps, self.sizes)
        columns, rows, diagonal = aggregate(x, weight, tables)
        sums = torch.stack([columns, rows], 1).unsqueeze(1)
        totals = tables.total(weight.unsqueeze(1) * torch.stack([diagonal, rows], 1)).unsqueeze(1)
        if self.mean_multiplicity is not None:
            scale = tables.powers(self.alpha, self.mean_multiplicity)
            sums = sums * torch.unflatten(scale[:, :6], 1, (3, 2))[tables.jet]
            totals = totals * torch.unflatten(scale[:, 6:], 1, (2, 2))
        own = diagonal[:, None, None].expand(-1, sums.shape[1], 1, -1)
        particle = torch.einsum("mpsc,pscd->pmd", torch.cat([own, sums], 2), torch.unflatten(of_particle, 0, (-1, 3)))
        jet = torch.einsum("bpsc,pscd->pbd", totals, torch.unflatten(of_jet, 0, (-1, 2))) + self.bias.unsqueeze(1)
        jet = jet[:, tables.jet]
        on_diagonal = particle[2] + jet[1] if self.places == 3 else None
        return combine(x, of_pair, particle[0] + jet[0], particle[1], on_diagonal, tables)


class ParticleExpansion(nn.Module):
    """LeakyReLU of the permutation-equivariant linear maps from particles s_i to a table, all 5 of them.

    In their order: s_i, s_j, δ_ij s_i, mean Σ_i w_i s_i and δ_ij mean, each multiplied by (n/n̄)^α.

    Args:
        inputs: channels of s
        outputs: channels of the table
        mean_multiplicity: n̄
    """

    def __init__(self, inputs: int, outputs: int, mean_multiplicity: float) -> None:
        super().__init__()
        self.mean_multiplicity = mean_multiplicity
        self.maps = nn.Parameter(torch.randn(5, inputs, outputs) * math.sqrt(2 / (5 * inputs)))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.alpha = nn.Parameter(torch.zeros(5, inputs))

    def forward(
        self, s: Float[Tensor, "M C"], weight: Float[Tensor, "M 1"], tables: PairTables
    ) -> Float[Tensor, "P H"]:
        """A table of each jet."""
        mean = tables.total(weight * s)[tables.jet]
        terms = torch.stack([s, s, s, mean, mean], 1) * tables.powers(self.alpha, self.mean_multiplicity)[tables.jet]
        row, column, diagonal, everywhere, trace = torch.einsum("mpc,pcd->pmd", terms, self.maps)
        nothing = s.new_zeros(tables.size, 0)
        weights = s.new_zeros(2, 0, row.shape[1])
        return combine(nothing, weights, row + everywhere + self.bias, column, diagonal + trace, tables)


class PairPooling(nn.Module):
    """Linear function of LeakyReLU(trace) and LeakyReLU(total) of a table, times (n/n̄)^α each.

    Args:
        inputs: channels of the table
        outputs: channels of the jet
        mean_multiplicity: n̄; none: no powers of n
    """

    def __init__(self, inputs: int, outputs: int, mean_multiplicity: float | None) -> None:
        super().__init__()
        self.mean_multiplicity = mean_multiplicity
        self.linear = nn.Linear(2 * inputs, outputs)
        if mean_multiplicity is not None:
            self.alpha = nn.Parameter(torch.rand(2, inputs))

    def forward(
        self, x: Float[Tensor, "P C"], weight: Float[Tensor, "M 1"], tables: PairTables
    ) -> Float[Tensor, "B H"]:
        """A vector per jet."""
        _, rows, diagonal = aggregate(x, weight, tables)
        totals = tables.total(weight.unsqueeze(1) * torch.stack([diagonal, rows], 1))
        if self.mean_multiplicity is not None:
            totals = totals * tables.powers(self.alpha, self.mean_multiplicity)
        pooled: Tensor = self.linear(F.leaky_relu(totals, SLOPE).flatten(1))
        return pooled
