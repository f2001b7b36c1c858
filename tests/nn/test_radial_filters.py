"""Filtered sums and their gradients against sums that are written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from jetkit.nn.pair_tables import PairTables
from jetkit.nn.radial_filters import RadialFilters

MASK = torch.arange(5) < torch.tensor([[5], [2], [1], [5], [3]])
SIZES = (3, 7)


def written_out(layer: RadialFilters, squares: Tensor, x: list[Tensor], tables: PairTables) -> list[Tensor]:
    """The sum of the docstring, jet by jet."""
    sums: list[list[Tensor]] = [[] for _ in x]
    arrays = [tables.particles(part.flatten(0, 1).T) for part in x]
    for s, *parts in zip(tables.pairs(squares[:, None]), *arrays, strict=True):
        rows = layer.mix(layer.a + layer.b / (1 + layer.c**2 * s)).unflatten(-1, layer.shape[:-1])
        filters = torch.complex(*rows.unbind(-2))
        for degree, part in enumerate(parts):
            of_channels = part.unflatten(2, x[degree].shape[:2])
            sums[degree].append(torch.einsum("gijc,gjdc->dcgi", filters[..., degree, :], of_channels).flatten(2))
    return [torch.cat(parts, 2) for parts in sums]


def problem() -> tuple[RadialFilters, Tensor, list[Tensor], PairTables]:
    torch.manual_seed(1)
    tables = PairTables.of(MASK, 6)
    layer = RadialFilters(6, 2, 2).double()
    position = tables.particles(torch.randn(16, 3, dtype=torch.float64))
    squares = torch.cat([torch.cdist(place, place).square().flatten() for place in position]).requires_grad_()
    x = [torch.randn(size, 2, 16, dtype=torch.complex128, requires_grad=True) for size in SIZES]
    return layer, squares, x, tables


def test_sums_are_the_written_out_ones() -> None:
    layer, squares, x, tables = problem()
    for own, expected in zip(layer(squares, x, tables), written_out(layer, squares, x, tables), strict=True):
        torch.testing.assert_close(own, expected)


def test_gradients_are_those_of_the_written_out_sums() -> None:
    layer, squares, x, tables = problem()
    random = [torch.randn_like(part) for part in x]
    gradients = []
    for sums in (layer(squares, x, tables), written_out(layer, squares, x, tables)):
        loss = sum((total * factor).real.sum() for total, factor in zip(sums, random, strict=True))
        gradients.append(torch.autograd.grad(loss, [squares, *x, *layer.parameters()]))
    for own, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(own, expected)


@pytest.mark.parametrize("jet", range(5))
def test_a_jet_does_not_notice_the_others(jet: int) -> None:
    layer, squares, x, tables = problem()
    place = tables.order.tolist().index(jet)
    real = tables.jet == place
    alone = PairTables.of(MASK[jet : jet + 1], 6)
    ends = tables.multiplicity.square().cumsum(0)
    own = squares[int(ends[place] - tables.multiplicity[place] ** 2) : int(ends[place])]
    sums = layer(own, [part[..., real] for part in x], alone)
    for one, all_ in zip(sums, layer(squares, x, tables), strict=True):
        torch.testing.assert_close(one, all_[..., real])
