"""Tables of pairs: their layout, and the two operations on them against loops over the pairs."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from jetkit.nn.pair_tables import PairTables, aggregate, combine

MASK = torch.arange(5) < torch.tensor([3, 5, 0, 1, 3])[:, None]
PAIRS = 9 + 25 + 1 + 9


@pytest.fixture
def tables() -> PairTables:
    return PairTables.of(MASK, numbers=4)


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def test_jets_of_equal_multiplicity_are_one_array(tables: PairTables) -> None:
    assert tables.shapes == [(1, 0), (1, 1), (2, 3), (1, 5)]
    assert tables.order.tolist() == [2, 3, 0, 4, 1]
    assert tables.size == PAIRS


def test_an_array_is_no_larger_than_the_cache() -> None:
    assert PairTables.of(torch.ones(5, 40, dtype=torch.bool), numbers=80).shapes == [(2, 40), (2, 40), (1, 40)]


def test_packed_values_are_those_of_real_particles(tables: PairTables) -> None:
    places = torch.arange(25).view(5, 5)
    assert tables.pack(places, MASK).tolist() == [15, 0, 1, 2, 20, 21, 22, 5, 6, 7, 8, 9]
    assert tables.jet.tolist() == [1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 4, 4]


def test_particles_are_found_wherever_they_stand_in_a_jet() -> None:
    mask = torch.tensor([[False, True, True], [True, False, False]])
    assert PairTables.of(mask, numbers=1).pack(torch.arange(6).view(2, 3), mask).tolist() == [3, 1, 2]


def test_totals_and_powers_are_those_of_each_jet(tables: PairTables) -> None:
    assert tables.total(torch.ones(12, 1)).flatten().tolist() == tables.multiplicity.tolist()
    powers = tables.powers(torch.tensor([[2.0, -1.0]], dtype=torch.float64), mean_multiplicity=2.0)
    assert powers[-1].tolist() == [[6.25, 0.4]]


def test_sums_are_those_of_loops(tables: PairTables) -> None:
    x, weight = numbers(PAIRS, 4), numbers(12, 1, seed=1).detach()
    columns, rows, diagonal = map(tables.particles, aggregate(x, weight, tables))
    for group, (pair, w) in enumerate(zip(tables.pairs(x), tables.particles(weight), strict=True)):
        for jet, i in ((jet, i) for jet in range(len(pair)) for i in range(pair.shape[1])):
            n = range(pair.shape[1])
            torch.testing.assert_close(columns[group][jet, i], sum(w[jet, j] * pair[jet, j, i] for j in n))
            torch.testing.assert_close(rows[group][jet, i], sum(w[jet, j] * pair[jet, i, j] for j in n))
            assert torch.equal(diagonal[group][jet, i], pair[jet, i, i])


def test_combinations_are_those_of_loops(tables: PairTables) -> None:
    x, weights = numbers(PAIRS, 4), numbers(2, 4, 6)
    row, column, diagonal = numbers(3, 12, 6)
    arrays = [tables.particles(values) for values in (row, column, diagonal)]
    found = tables.pairs(combine(x, weights, row, column, diagonal, tables))
    for pair, out, r, c, d in zip(tables.pairs(x), found, *arrays, strict=True):
        for jet, i, j in torch.ones(out.shape[:3]).nonzero().tolist():
            linear = pair[jet, i, j] @ weights[0] + pair[jet, j, i] @ weights[1] + r[jet, i] + c[jet, j]
            expected = F.leaky_relu(linear + (i == j) * d[jet, i], 0.01)
            torch.testing.assert_close(out[jet, i, j], expected)


def test_gradients_are_those_of_small_differences(tables: PairTables) -> None:
    weight = numbers(12, 1).detach()
    torch.autograd.gradcheck(lambda x: aggregate(x, weight, tables), [numbers(PAIRS, 2)], fast_mode=True)
    inputs = [numbers(PAIRS, 2), numbers(2, 2, 3, seed=1), *(numbers(12, 3, seed=seed) for seed in (2, 3, 4))]
    torch.autograd.gradcheck(lambda *values: combine(*values, tables), inputs, fast_mode=True)
    torch.autograd.gradcheck(lambda *values: combine(*values, None, tables), inputs[:4], fast_mode=True)
