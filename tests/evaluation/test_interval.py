from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from jetkit.errors import JetkitError
from jetkit.evaluation.interval import (
    binomial_error,
    effective_count,
    poisson_upper_limit,
    share_variance,
    two_sided_p,
    wilson_interval,
)


@pytest.mark.parametrize("count", [0, 1, 3, 9, 50])
def test_the_poisson_limit_is_half_a_quantile_of_chi_squared(count: int) -> None:
    assert poisson_upper_limit(count) == pytest.approx(stats.chi2.ppf(0.95, 2 * count + 2) / 2, rel=1e-12)


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(JetkitError, match="negative"):
        poisson_upper_limit(-1)


@pytest.mark.parametrize(("passed", "n"), [(0, 9), (3, 10), (9, 9), (500, 1000)])
def test_wilson_agrees_with_scipy(passed: int, n: int) -> None:
    expected = stats.binomtest(passed, n).proportion_ci(2 * stats.norm.cdf(1) - 1, method="wilson")
    low, high = wilson_interval(np.array(passed / n), np.array(n))
    assert (float(low), float(high)) == pytest.approx(tuple(expected), abs=1e-12)


def test_wilson_holds_the_truth_as_often_as_it_says() -> None:
    passed = np.random.default_rng(0).binomial(100, 0.3, size=20_000)
    low, high = wilson_interval(passed / 100, np.full(20_000, 100))
    assert 0.66 < np.mean((low <= 0.3) & (high >= 0.3)) < 0.73


def test_no_jets_have_no_interval() -> None:
    assert np.isnan(wilson_interval(np.array([0.0]), np.array([0]))).all()


def test_the_binomial_error_of_many_jets_is_the_usual_one() -> None:
    assert float(binomial_error(np.array(0.9), np.array(1e6))) == pytest.approx(0.0003, rel=1e-4)


def test_no_weight_is_no_jet() -> None:
    assert effective_count(np.zeros(3)) == 0.0
    assert effective_count(np.array([1.0, -2.0])) == 0.0  # less than nothing is no jet either


@pytest.mark.parametrize("passed", [0, 3, 10])
def test_equal_weights_have_the_interval_of_counts(passed: int) -> None:
    variance = share_variance(np.array(passed / 10), np.array(40.0), np.array(160.0), np.array(16.0 * passed))
    rate, jets = np.array(passed / 10), np.array(10.0)
    assert variance == pytest.approx(passed * (10 - passed) / 1000)
    assert wilson_interval(rate, jets, 2.0, variance) == pytest.approx(wilson_interval(rate, jets, 2.0), abs=1e-12)
    assert binomial_error(rate, jets, variance) == pytest.approx(binomial_error(rate, jets))


def test_an_interval_reaches_out_to_a_rate_that_negative_weights_carry_away() -> None:
    low, high = wilson_interval(np.array([-0.3, 1.4]), np.array([5.0, 5.0]), variance=np.array([0.01, 0.01]))
    assert low[0] == -0.3
    assert -0.3 < high[0] < 0.0  # no more than that: the truth is rarely so far away
    assert high[1] == 1.4


def test_a_difference_without_error_is_certain() -> None:
    assert two_sided_p(0.1, 0.0) == 0.0
    assert two_sided_p(-2.0, 1.0) == pytest.approx(2 * stats.norm.sf(2))
