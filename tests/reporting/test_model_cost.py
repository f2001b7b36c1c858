"""What a jet costs, in words and numbers."""

from __future__ import annotations

import pytest

from jetkit.reporting.cost_page import cost_table, growth_table
from jetkit.reporting.model_cost import QUANTITIES, Cost, LeftOut, Spent, growth, omissions

TIME, MEMORY = QUANTITIES["time of inference"], QUANTITIES["memory of inference"]
LARGE = LeftOut("it is large")


def invented(particles: int, batch: int, *, known: bool = True) -> Cost:
    """Time like N² in large batches and constant in those of one jet, memory like N³."""
    spent = Spent(1e-6 * particles**2 if batch > 1 else 1.0, float(particles**3))
    return Cost(particles, batch, 100.0 * particles, spent if known else LARGE, LARGE)


def test_growth_is_the_slope_at_the_largest_jets_of_a_batch_that_is_not_one_jet() -> None:
    costs = [invented(n, batch, known=batch == 1 or n < 32) for n in (4, 8, 16, 32) for batch in (1, 64)]
    found = growth(costs, TIME)
    assert found is not None
    assert (found.exponent, found.between, found.batch) == (pytest.approx(2), (8, 16), 64)
    memory = growth(costs[::2], MEMORY)
    assert memory is not None
    assert (memory.exponent, memory.between, memory.batch) == (pytest.approx(3), (16, 32), 1)


def test_one_number_of_particles_does_not_grow() -> None:
    costs = [invented(8, batch) for batch in (1, 64)]
    assert growth(costs, TIME) is None
    assert growth_table(costs) is None


def test_what_is_left_out_is_named_once_for_each_reason() -> None:
    costs = [invented(n, 64, known=n < 16) for n in (8, 16, 32)]
    assert omissions(costs) == [
        "Inference of 16 × 64, 32 × 64 (particles × jets of a batch) is left out: it is large.",
        "Training is left out: it is large.",
    ]


def test_a_table_has_a_line_for_each_batch_and_a_dash_for_what_is_unknown() -> None:
    table = cost_table([invented(10, 1), invented(10, 64, known=False)])
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["1", "1.0 k", "1.0 s", "1.0 kB", "–", "–"],
        ["64", "1.0 k", "–", "–", "–", "–"],
    ]
