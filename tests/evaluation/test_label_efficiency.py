"""Labels that training from scratch needs, over those of a pretrained model."""

from __future__ import annotations

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.evaluation.label_efficiency import label_efficiency
from jetkit.evaluation.number import Number

LABELS = [100, 1000, 10_000]


def number(value: float, error: float = 0.001) -> Number:
    return Number(value, error, jets=10_000)


CURVE = [number(0.5), number(0.6), number(0.7)]


@pytest.mark.parametrize(
    ("value", "at", "factor"), [(0.6, 100, 10), (0.65, 100, 10**1.5), (0.55, 100, 10**0.5), (0.6, 10_000, 0.1)]
)
def test_a_curve_that_rises_with_the_logarithm_is_inverted(value: float, at: int, factor: float) -> None:
    found = label_efficiency(LABELS, CURVE, number(value), at)
    assert found.value == pytest.approx(factor, rel=1e-9)
    assert found.limit is None


def test_the_error_is_that_of_the_slope() -> None:
    exact = [number(value, 1e-9) for value in (0.5, 0.6, 0.7)]
    found = label_efficiency(LABELS, exact, number(0.65, 0.01), 100)
    assert found.error == pytest.approx(found.value * 0.01 * np.log(10) / 0.1, rel=0.15)


def test_a_value_above_the_whole_curve_gives_a_limit() -> None:
    found = label_efficiency(LABELS, CURVE, number(0.71), 100)
    assert (found.value, found.limit) == (pytest.approx(100), "lower")


def test_a_value_near_an_end_gives_a_limit_that_allows_for_the_errors() -> None:
    above = label_efficiency(LABELS, CURVE, number(0.7005), 100)
    assert above.limit == "lower"
    down = 10 ** (1.645 * np.hypot(0.001, 0.001) / 0.1 - 0.0005 / 0.1)
    assert above.value == pytest.approx(100 / down, rel=0.02)
    below = label_efficiency(LABELS, CURVE, number(0.5), 100)
    assert below.limit == "upper"
    assert below.value == pytest.approx(10 ** (1.645 * np.hypot(0.001, 0.001) / 0.1), rel=0.02)
    assert label_efficiency(LABELS, CURVE, number(0.697), 100).limit is None


def test_a_curve_that_falls_for_once_stays_where_it_was() -> None:
    curve = [number(0.5), number(0.6), number(0.55), number(0.7)]
    assert label_efficiency([1, 10, 100, 1000], curve, number(0.6), 1).value == pytest.approx(10, rel=1e-6)


def test_what_cannot_be_read_off_is_refused() -> None:
    with pytest.raises(JetkitError, match="rising"):
        label_efficiency([100, 10], CURVE[:2], number(0.6), 10)
    with pytest.raises(JetkitError, match="not limits"):
        label_efficiency(LABELS, [*CURVE[:2], Number(1, None, jets=1, limit="lower")], number(0.6), 10)
