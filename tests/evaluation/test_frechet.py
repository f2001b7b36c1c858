from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

from jetkit.errors import JetkitError
from jetkit.evaluation.frechet import frechet_distance, frechet_physics_distance, non_negative_line

ROWS = 100_000


def gaussian(seed: int, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    """Five features of width ``scale``, the first of them shifted."""
    table = scale * np.random.default_rng(seed).normal(size=(ROWS, 5))
    table[:, 0] += shift
    return table


def test_the_distance_has_its_definition() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)), rng.normal(size=(300, 6)) + 0.5
    first, second = np.cov(x.T), np.cov(y.T)
    shift = ((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum()
    expected = shift + np.trace(first + second - 2 * linalg.sqrtm(first @ second).real)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)


def test_one_feature_differs_by_mean_and_width() -> None:
    x, y = np.random.default_rng(1).normal(size=(2, 100, 1))
    expected = (x.mean() - 2 * y.mean()) ** 2 + (x.std(ddof=1) - 2 * y.std(ddof=1)) ** 2
    assert frechet_distance(x, 2 * y) == pytest.approx(expected, rel=1e-12)


def test_repeated_features_are_no_trouble() -> None:
    """Singular covariances: a doubled feature counts double, a constant one not at all."""
    x, y = np.random.default_rng(2).normal(size=(2, 200, 1))
    constant = np.ones_like(x)
    found = frechet_distance(np.hstack([x, x, constant]), np.hstack([3 * y, 3 * y, constant]))
    assert found == pytest.approx(2 * frechet_distance(x, 3 * y), rel=1e-9)


def test_a_sample_is_at_itself() -> None:
    x = np.random.default_rng(3).normal(size=(1000, 8))
    assert frechet_distance(x, x[::-1]) < 1e-12


@pytest.mark.parametrize(("value", "distance"), [(2.0, 8.0), (1.0, 2.0)])
def test_zeros_are_this_far_from_constants(value: float, distance: float) -> None:
    number = frechet_physics_distance(np.full((1000, 2), value), np.zeros((1000, 2)))
    assert number.value == pytest.approx(distance, rel=1e-12)
    assert number.error == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("shift", "scale", "truth", "bound"), [(0.0, 1.0, 0.0, 1e-3), (0.1, 1.0, 0.01, 6e-3), (0.0, 1.1, 0.05, 9e-3)]
)
def test_gaussians_are_as_far_as_they_should_be(shift: float, scale: float, truth: float, bound: float) -> None:
    """Finite tables add 0.00025 and fluctuate by 2·0.1·√(2/n) = 0.0009 if shifted, 0.0016 if scaled."""
    x, y = gaussian(4), gaussian(5, shift, scale)
    number = frechet_physics_distance(x, y, jets=20_000)
    assert number.error is not None
    assert abs(number.value - truth) < bound
    assert number.error < 2e-3
    assert abs(number.value - frechet_distance(x, y)) < 8 * number.error
    assert number.jets == 20_000


def test_a_sample_is_as_large_as_the_smaller_table() -> None:
    x = np.random.default_rng(6).normal(size=(500, 2))
    assert frechet_physics_distance(x, x[:300]).jets == 300
    assert frechet_physics_distance(x, x[:300], jets=200).jets == 200


def test_the_same_seed_gives_the_same_number() -> None:
    x, y = np.random.default_rng(7).normal(size=(2, 200, 3))
    first, again, other = (frechet_physics_distance(x, y, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_line_with_positive_coefficients_is_that_of_least_squares() -> None:
    x = np.linspace(1.0, 2.5, 10)
    y = 3.0 + 2.0 * x + 0.1 * np.random.default_rng(8).normal(size=10)
    a, error = non_negative_line(x, y)
    (slope, intercept), covariance = np.polyfit(x, y, 1, cov=True)
    assert (a, error) == pytest.approx((intercept, covariance[1, 1] ** 0.5), rel=1e-9)
    assert slope > 0


@pytest.mark.parametrize(("a", "b", "expected"), [(-1.0, 2.0, 0.0), (4.0, -1.0, 2.25), (-1.0, -1.0, 0.0)])
def test_a_line_has_no_negative_coefficient(a: float, b: float, expected: float) -> None:
    """With b = 0 the intercept is the mean of the values."""
    x = np.linspace(1.0, 2.5, 10)
    assert non_negative_line(x, a + b * x)[0] == pytest.approx(expected, abs=1e-9)


def test_the_error_of_a_line_is_as_wide_as_toys() -> None:
    x, rng = np.linspace(1.0, 2.5, 10), np.random.default_rng(9)
    toys = np.array([non_negative_line(x, 3.0 + 2.0 * x + 0.1 * rng.normal(size=10)) for _ in range(400)])
    assert 0.8 < toys[:, 0].std() / np.sqrt(np.square(toys[:, 1]).mean()) < 1.25


@pytest.mark.parametrize(("x", "y"), [((9, 2), (9, 3)), ((1, 2), (9, 2)), ((9,), (9,))])
def test_other_tables_are_refused(x: tuple[int, ...], y: tuple[int, ...]) -> None:
    with pytest.raises(JetkitError, match="two tables of the same columns"):
        frechet_distance(np.zeros(x), np.zeros(y))


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(JetkitError, match="five rows or more, got 4"):
        frechet_physics_distance(np.zeros((4, 2)), np.zeros((9, 2)))
