from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetkit.errors import JetkitError
from jetkit.evaluation.bootstrap import background_efficiencies, bootstrap_counts
from jetkit.evaluation.interval import poisson_upper_limit
from jetkit.evaluation.ranking import Ranking, rank
from jetkit.evaluation.rejection import published_rejection, rejection, rejections
from jetkit.evaluation.roc import background_efficiency, roc

Truth = Callable[[float, float], float]


def tied(seed: int, jets: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    signal = rng.random(jets) < 0.4
    return rng.integers(0, 12, size=jets) + 3.0 * signal, signal, rng.uniform(0.1, 2.0, size=jets)


def slow_efficiency(score: np.ndarray, signal: np.ndarray, weight: np.ndarray, wanted: float) -> float:
    for threshold in sorted(set(score), reverse=True):
        kept = weight * (score >= threshold)
        if kept[signal].sum() >= wanted * weight[signal].sum() * (1 - 1e-12):
            break
    return float(kept[~signal].sum() / weight[~signal].sum())


def test_the_rejection_of_two_gaussians_is_known(ranked: Callable[..., Ranking], true_rejection: Truth) -> None:
    for number, efficiency in zip(rejections(ranked(50_000, 50_000, 2.0, 0), [0.3, 0.7]), [0.3, 0.7], strict=True):
        assert number.error is not None
        assert abs(number.value - true_rejection(2.0, efficiency)) < 5 * number.error


def test_background_efficiencies_are_those_of_a_loop_over_thresholds() -> None:
    score, signal, weight = tied(0)
    wanted = [0.05, 0.3, 0.31, 0.5, 1.0]
    expected = [slow_efficiency(score, signal, weight, x) for x in wanted]
    assert background_efficiency(rank(score, signal, weight), wanted) == pytest.approx(expected, abs=1e-12)


def test_replicas_are_those_of_a_loop_over_thresholds() -> None:
    score, signal, weight = tied(1)
    wanted = [0.9, 0.3]  # in any order
    drawn = background_efficiencies(rank(score, signal, weight), wanted, replicas=5, seed=3)
    for replica in range(5):
        counted = weight * bootstrap_counts(np.arange(200), replica, seed=3)
        expected = [slow_efficiency(score, signal, counted, x) for x in wanted]
        assert drawn[replica] == pytest.approx(expected, abs=1e-12)


def test_the_error_is_that_of_the_background_and_of_the_threshold(
    ranked: Callable[..., Ranking], true_rejection: Truth
) -> None:
    signal, background, d, efficiency = 20_000, 40_000, 1.0, 0.5
    share = 1 / true_rejection(d, efficiency)
    slope = math.exp(-0.5 * d**2)  # dε_B/dε_S at the median of the signal: the ratio of the two densities
    variance = share * (1 - share) / background + slope**2 * efficiency * (1 - efficiency) / signal
    expected = math.sqrt(variance) / share**2
    assert rejection(ranked(signal, background, d, 0), efficiency, replicas=600).error == pytest.approx(
        expected, rel=0.16
    )


def test_with_much_signal_the_error_is_poisson_of_the_passing_background(ranked: Callable[..., Ranking]) -> None:
    number = rejection(ranked(100_000, 10_000, 2.0, seed=0), 0.3, replicas=600)
    assert number.error == pytest.approx(number.value / math.sqrt(number.jets), rel=0.18)


def test_errors_of_toys_are_as_wide_as_the_toys(ranked: Callable[..., Ranking], true_rejection: Truth) -> None:
    truth = true_rejection(1.5, 0.5)
    toys = [rejection(ranked(1000, 3000, 1.5, seed=3 * toy), 0.5, replicas=100) for toy in range(200)]
    pulls = np.array([(toy.value - truth) / (toy.error or np.nan) for toy in toys])
    assert 0.75 < pulls.std() < 1.3
    assert abs(pulls.mean()) < 0.45


def test_few_background_jets_give_the_poisson_limit() -> None:
    score = np.append(np.arange(1000.0) + 10_000, np.arange(5000.0))
    score[1000:1004] = 20_000  # four of the background above all signal
    number = rejection(rank(score, np.arange(6000) < 1000), 0.5)
    assert (number.limit, number.jets, number.error) == ("lower", 4, None)
    assert number.value == pytest.approx(5000 / poisson_upper_limit(4))


def test_ten_background_jets_give_a_number() -> None:
    score = np.append(np.arange(1000.0) + 10_000, np.arange(5000.0))
    score[1000:1010] = 20_000
    assert rejection(rank(score, np.arange(6000) < 1000), 0.5).value == pytest.approx(500)


def test_the_limit_holds_the_truth_as_often_as_it_says(ranked: Callable[..., Ranking], true_rejection: Truth) -> None:
    truth = true_rejection(2.5, 0.5)  # of 500 background jets, three pass on average
    toys = [rejection(ranked(2000, 500, 2.5, seed=3 * toy), 0.5, replicas=2) for toy in range(300)]
    limits = [toy.value for toy in toys if toy.limit]
    assert len(limits) > 290
    assert np.mean(np.array(limits) <= truth) > 0.88


def test_equal_weights_change_nothing() -> None:
    score, signal, _ = tied(2, jets=2000)
    plain, weighted = rejection(rank(score, signal), 0.3), rejection(rank(score, signal, np.full(2000, 0.25)), 0.3)
    assert weighted.value == pytest.approx(plain.value)
    assert weighted.error == pytest.approx(plain.error)
    assert weighted.jets == plain.jets


@given(st.integers(0, 99), st.floats(0.1, 1.0))
def test_the_published_rejection_is_that_of_scikit_learn(seed: int, efficiency: float) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    score, signal, _ = tied(seed)
    if seed % 2:
        score = score + np.random.default_rng(seed).normal(size=len(score))
    fpr, tpr, _ = metrics.roc_curve(signal, score)
    share = fpr[np.argmin(np.abs(tpr - efficiency))]
    assert published_rejection(rank(score, signal), efficiency) == (pytest.approx(1 / share) if share else math.inf)


def test_the_rejection_sees_only_the_order_of_scores() -> None:
    score, signal, _ = tied(3, jets=1000)
    assert rejection(rank(np.exp(score), signal), 0.3) == rejection(rank(score, signal), 0.3)


def test_the_order_of_jets_changes_only_the_replicas() -> None:
    score, signal, _ = tied(4, jets=1000)
    order = np.random.default_rng(0).permutation(1000)
    shuffled = rejection(rank(score[order], signal[order], jet=order), 0.3)
    assert shuffled == rejection(rank(score, signal), 0.3)


def test_a_seed_gives_the_same_replicas_and_another_seed_gives_others() -> None:
    score, signal, _ = tied(5)
    drawn = [background_efficiencies(rank(score, signal), [0.3], 20, seed) for seed in (1, 1, 2)]
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != drawn[2]).any()


def test_bootstrap_counts_are_poisson_and_independent() -> None:
    counts = np.stack([bootstrap_counts(np.arange(100_000), replica, seed=0) for replica in range(4)])
    shares = np.bincount(counts.ravel())[:4] / counts.size
    assert shares == pytest.approx([math.exp(-1) / math.factorial(k) for k in range(4)], abs=0.004)
    assert np.abs(np.corrcoef(counts) - np.eye(4)).max() < 0.017
    assert abs(np.corrcoef(counts[0, 1:], counts[0, :-1])[0, 1]) < 0.017


def test_a_replica_without_signal_is_left_out() -> None:
    ranking = rank(np.append(np.arange(50.0), 25.0), np.arange(51) == 50)
    drawn = background_efficiencies(ranking, [0.5], replicas=50)
    assert 5 < np.isnan(drawn).sum() < 40
    assert rejection(ranking, 0.5, replicas=50).error is not None


def test_one_replica_has_no_error() -> None:
    with pytest.raises(JetkitError, match="two replicas"):
        rejection(rank(np.arange(9.0), np.arange(9) > 4), 0.5, replicas=1)


def test_the_band_of_a_roc_curve_holds_the_curve(ranked: Callable[..., Ranking], true_rejection: Truth) -> None:
    curve = roc(ranked(5000, 5000, 1.0, seed=0), grid=(0.2, 0.5, 0.8))
    assert curve.jets == (5000, 5000)
    low, middle, high = (np.array(x) for x in (curve.low, curve.background_efficiency, curve.high))
    truth = np.array([1 / true_rejection(1.0, efficiency) for efficiency in curve.signal_efficiency])
    assert ((low < middle) & (middle < high)).all()
    assert (np.abs(middle - truth) < 3 * (high - low)).all()
