"""The equivariant maps, each written as a loop, and what they do and do not notice."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from jetkit.nn.pair_tables import PairTables
from jetkit.nn.permutation_equivariant import PairAggregation, PairPooling, ParticleExpansion

MEAN = 5.0
SIZES = (3, 6)
TABLES = PairTables.of(torch.arange(6) < torch.tensor(SIZES)[:, None], numbers=4)
WEIGHTS = torch.cat([torch.full((n, 1), 1 / n, dtype=torch.float64) for n in SIZES])


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))


def all_maps(x: torch.Tensor) -> torch.Tensor:
    """The 15 maps (15, n, n) of one channel of one jet."""
    n = range(len(x))
    of_particle = [lambda i: x[i, i], lambda i: x[:, i].mean(), lambda i: x[i].mean()]
    of_jet = [x.trace() / len(x), x.mean()]
    maps = [lambda i, j: x[i, j], lambda i, j: x[j, i]]
    maps += [lambda i, j, f=f: f(i) for f in of_particle] + [lambda i, j, f=f: f(j) for f in of_particle]
    maps += [lambda i, j, f=f: (i == j) * f(i) for f in of_particle]
    maps += [lambda i, j, v=v: v for v in of_jet] + [lambda i, j, v=v: (i == j) * v for v in of_jet]
    return torch.stack([torch.stack([torch.stack([f(i, j) for j in n]) for i in n]) for f in maps])


SAFE = [*range(8), 11, 12]
"""Places of the maps that put nothing on the diagonal."""


def randomised(module: torch.nn.Module) -> torch.nn.Module:
    torch.manual_seed(1)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module.double()


def coefficients(module: PairAggregation) -> torch.Tensor:
    return torch.einsum("mc,cd->mcd", module.map_in, module.mix_in) + torch.einsum(
        "md,cd->mcd", module.map_out, module.mix_out
    )


def test_the_maps_are_independent() -> None:
    maps = torch.cat([all_maps(x) for x in numbers(2, 6, 6)], 1).flatten(1)
    assert torch.linalg.matrix_rank(maps) == 15
    assert torch.linalg.matrix_rank(maps[SAFE]) == 10


@pytest.mark.parametrize(("mean", "kept"), [(MEAN, [*range(15)]), (None, SAFE)])
def test_an_aggregation_is_the_sum_of_its_maps(mean: float | None, kept: list[int]) -> None:
    module, x = randomised(PairAggregation(4, 5, mean)), numbers(45, 4)
    found = TABLES.pairs(module(x, WEIGHTS, TABLES))
    for n, pair, out in zip(SIZES, TABLES.pairs(x), found, strict=True):
        maps = torch.stack([all_maps(pair[0, ..., c])[kept] for c in range(4)])  # (4, maps, n, n)
        bias = module.bias[0].expand(n, n, -1)
        if mean is not None:
            powers = torch.cat([torch.zeros(5, 4), torch.ones(10, 4)]).double()
            powers[[3, 4, 6, 7, 9, 10, 11, 12, 13, 14]] = module.alpha
            powers[[2, 5, 8]] = 0
            maps = maps * ((n / mean) ** powers).T[..., None, None]
            bias = bias + torch.eye(n)[..., None] * module.bias[1]
        expected = torch.einsum("cmij,mcd->ijd", maps, coefficients(module)) + bias
        torch.testing.assert_close(out[0], F.leaky_relu(expected, 0.01))


def test_an_expansion_is_the_sum_of_its_maps() -> None:
    module, s = randomised(ParticleExpansion(2, 5, MEAN)), numbers(9, 2)
    found = TABLES.pairs(module(s, WEIGHTS, TABLES))
    for n, own, out in zip(SIZES, TABLES.particles(s), found, strict=True):
        scaled, mean = (n / MEAN) ** module.alpha, own[0].mean(0)
        for i, j in torch.ones(n, n).nonzero().tolist():
            terms = torch.stack([own[0, i], own[0, j], (i == j) * own[0, i], mean, (i == j) * mean]) * scaled
            expected = torch.einsum("pc,pcd->d", terms, module.maps) + module.bias
            torch.testing.assert_close(out[0, i, j], F.leaky_relu(expected, 0.01))


def test_a_pooling_is_trace_and_total() -> None:
    module, x = randomised(PairPooling(4, 5, MEAN)), numbers(45, 4)
    found = module(x, WEIGHTS, TABLES)
    for jet, (n, pair) in enumerate(zip(SIZES, TABLES.pairs(x), strict=True)):
        means = torch.stack([sum(pair[0, i, i] for i in range(n)) / n, pair[0].mean((0, 1))])
        scaled = F.leaky_relu(means * (n / MEAN) ** module.alpha, 0.01)
        torch.testing.assert_close(found[jet], module.linear(scaled.flatten()))


def test_the_order_of_the_particles_goes_through() -> None:
    module, x = randomised(PairAggregation(4, 5, MEAN)), numbers(45, 4)
    order = torch.tensor([4, 2, 0, 5, 1, 3])
    moved = torch.cat([x[:9], x[9:].view(6, 6, 4)[order][:, order].flatten(0, 1)])
    out, other = (module(values, WEIGHTS, TABLES)[9:].view(6, 6, 5) for values in (x, moved))
    torch.testing.assert_close(other, out[order][:, order])
