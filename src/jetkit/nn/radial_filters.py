"""Sums over the particles of a jet, weighted with learned functions of the distance to each of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from jetkit.nn.backend import allows_fast
from jetkit.nn.fast.radial_filters import radial_sums
from jetkit.nn.pair_tables import PairTables


class RadialFilters(nn.Module):
    """Σ_j f_lc(s_ij) x_jlc over all j of a jet, also i, with f_lc(s) = Σ_k w_lck (a_k + b_k/(1 + c_k² s)) + β_lc.

    w and β are complex.

    Source: Lorentz Group Equivariant Neural Network for Particle Physics, 2020, arXiv:2006.04780, and its code, whose
    own term j = i has β_lc in place of f_lc(0).

    Args:
        bells: functions a + b/(1 + c²s)
        degrees: number of different l
        channels: of each x
    """

    def __init__(self, bells: int, degrees: int, channels: int) -> None:
        super().__init__()
        self.shape = (degrees, 2, channels, bells)
        self.a, self.b, self.c = (nn.Parameter(torch.randn(bells)) for _ in range(3))
        self.mix = nn.Linear(bells, degrees * 2 * channels)

    def forward(
        self, squares: Float[Tensor, " P"], x: Sequence[Complex[Tensor, "D C M"]], tables: PairTables
    ) -> list[Complex[Tensor, "D C M"]]:
        """Return one sum for each l; ``squares`` are the s_ij, which are symmetric."""
        if allows_fast(self.mix):
            return radial_sums(squares, x, tables, (self.a, self.b, self.c), self.mix)
        arrays = [tables.particles(part.flatten(0, 1).T) for part in x]
        sums: list[list[Tensor]] = [[] for _ in x]
        for s, *parts in zip(tables.pairs(squares.unsqueeze(1)), *arrays, strict=True):
            numbers = self.mix(self.a + self.b / (1 + self.c.square() * s)).view(*s.shape[:3], *self.shape[:-1])
            filters = torch.complex(*numbers.unbind(-2))  # (G, n, n, l, C)
            for degree, part in enumerate(parts):
                terms = part.view(*part.shape[:2], *x[degree].shape[:2])
                sums[degree].append(torch.einsum("gijc,gjdc->dcgi", filters[..., degree, :], terms).flatten(2))
        return [torch.cat(parts, 2) for parts in sums]
