"""Errors and limits with weights are as wide as toys; weights of either sign, and sizes that follow the score."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.evaluation.accuracy import accuracy
from jetkit.evaluation.auc import auc
from jetkit.evaluation.calibration import reliability
from jetkit.evaluation.cross_entropy import cross_entropy
from jetkit.evaluation.interval import poisson_upper_limit
from jetkit.evaluation.number import Number
from jetkit.evaluation.paired import PairedTest, Scored, compare_accuracy, compare_auc, compare_rejection
from jetkit.evaluation.ranking import rank
from jetkit.evaluation.rejection import rejection
from jetkit.evaluation.temperature import fit_temperature

TWO = ("QCD", "top")
NORMAL = NormalDist()
KINDS = ("lognormal", "signed", "tilted")
TOYS = 400
Toy = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Scores, labels and weights."""


def toy(signal: int, background: int, d: float, kind: str, seed: int) -> Toy:
    """Weighted, the scores are Gaussians of width one, at 0 for the background and at d for the signal.

    Of ``tilted`` jets the score is drawn half a width too low, and its weight makes up for it.
    """
    rng = np.random.default_rng(seed)
    label = np.repeat([1, 0], [signal, background])
    score = rng.normal(size=len(label)) + d * label
    if kind == "tilted":
        weight = np.exp(0.5 * (score - d * label) - 0.125)
        return score, label, weight * np.where(label, 7.0, 1.0)
    weight = rng.lognormal(0.0, 0.7, size=len(label))
    return score, label, weight * np.where(rng.random(len(label)) < 0.15, -1, 1) if kind == "signed" else weight


def pulls(numbers: list[Number], truth: float) -> np.ndarray:
    return np.array([(number.value - truth) / (number.error or np.nan) for number in numbers])


def well_estimated(pull: np.ndarray, bias: float = 0.3) -> None:
    """Of 400 pulls the mean is good to 0.05, the width to 0.035: five standard deviations, and what is left of 1/n."""
    assert abs(pull.mean()) < bias
    assert 0.8 < pull.std() < 1.22


def logits_of(score: np.ndarray, d: float, kind: str) -> np.ndarray:
    """ln of the ratio of the two weighted densities; the tilt moves both up by half a width."""
    return np.stack([np.zeros(len(score)), d * (score - d / 2 - (0.5 if kind == "tilted" else 0.0))], axis=1)


@pytest.mark.parametrize("kind", KINDS)
def test_pulls_of_the_auc(kind: str) -> None:
    truth = NORMAL.cdf(1 / 2**0.5)
    toys = [toy(300, 500, 1.0, kind, 7 * k) for k in range(TOYS)]
    well_estimated(pulls([auc(rank(s, y == 1, w)) for s, y, w in toys], truth))


@pytest.mark.parametrize("kind", KINDS)
def test_pulls_of_the_rejection(kind: str) -> None:
    truth = 1 / NORMAL.cdf(NORMAL.inv_cdf(0.5) - 1.0)
    toys = [toy(1500, 4000, 1.0, kind, 7 * k + 1) for k in range(TOYS)]
    numbers = [rejection(rank(s, y == 1, w), 0.5, replicas=100) for s, y, w in toys]
    well_estimated(pulls(numbers, truth))


@pytest.mark.parametrize("kind", KINDS)
def test_pulls_of_the_accuracy(kind: str) -> None:
    toys = [toy(200, 300, 1.0, kind, 7 * k + 2) for k in range(TOYS)]
    well_estimated(pulls([accuracy(logits_of(s, 1.0, kind), y, w) for s, y, w in toys], NORMAL.cdf(0.5)))


@pytest.mark.parametrize("kind", KINDS)
def test_pulls_of_the_cross_entropy(kind: str) -> None:
    at, share = np.polynomial.hermite_e.hermegauss(60)
    truth = share @ np.log1p(np.exp(-(at + 0.5))) / np.sqrt(2 * np.pi)
    toys = [toy(200, 300, 1.0, kind, 7 * k + 3) for k in range(TOYS)]
    well_estimated(pulls([cross_entropy(logits_of(s, 1.0, kind), y, TWO, w) for s, y, w in toys], truth))


@pytest.mark.parametrize("kind", KINDS)
def test_pulls_of_the_temperature(kind: str) -> None:
    """Signal and background weigh the same in the sum, so that their ratio is what the logits say."""
    numbers = []
    for k in range(TOYS):
        score, label, weight = toy(500, 500, 1.5, kind, 7 * k + 4)
        scaled = weight / np.where(label & (kind == "tilted"), 7.0, 1.0)
        numbers.append(fit_temperature(2 * logits_of(score, 1.5, kind), label, TWO, scaled))
    well_estimated(pulls(numbers, 2.0), bias=0.45)  # it is too low by an eighth of its error


def predicted_half(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether predictions of one half come true, and weights: 3 where they do, so that they do in 0.7."""
    true = np.random.default_rng(seed).random(400) < 7 / 16
    return true, np.where(true, 3.0, 1.0)


def test_pulls_of_the_calibration_error() -> None:
    toys = [predicted_half(seed) for seed in range(TOYS)]
    well_estimated(pulls([reliability(np.full(400, 0.5), t, weight=w).expected_error for t, w in toys], 0.2))


def test_a_calibrated_tagger_has_the_error_of_chance() -> None:
    """Weights of 5 where predictions come true: a jet with p comes true in a share p/5/(p/5 + 1 − p) of the rows."""
    results = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        p = rng.beta(4, 1, size=1000)
        true = rng.random(1000) < p / (p + 5 * (1 - p))
        results.append(reliability(p, true, weight=np.where(true, 5.0, 1.0)))
    assert np.mean([result.expected_error.value for result in results]) == pytest.approx(
        np.mean([result.chance for result in results]), rel=0.1
    )


def test_uneven_weights_give_a_limit_where_as_many_equal_ones_give_a_number() -> None:
    score = np.append(np.arange(1000.0) + 10_000, np.arange(5000.0))
    score[1000:1012] = 20_000  # twelve of the background above all signal
    signal, weight = np.arange(6000) < 1000, np.ones(6000)
    assert rejection(rank(score, signal, weight), 0.5).n_eff == 12
    weight[1000] = 5.0
    number = rejection(rank(score, signal, weight), 0.5)
    n_eff = 16**2 / 36
    assert (number.limit, number.jets, number.n_eff) == ("lower", 12, pytest.approx(n_eff))
    assert number.value == pytest.approx(5004 / (36 / 16 * poisson_upper_limit(8)))  # n_eff is above seven


def test_negative_weights_give_a_limit_where_they_cancel_too_much() -> None:
    score = np.append(np.arange(1000.0) + 10_000, np.arange(5000.0))
    score[1000:1020] = 20_000
    signal, weight = np.arange(6000) < 1000, np.ones(6000)
    weight[1000:1005] = -1.0
    number = rejection(rank(score, signal, weight), 0.5)
    assert (number.limit, number.jets, number.n_eff) == ("lower", 20, pytest.approx(10**2 / 20))
    assert number.value == pytest.approx(4990 / poisson_upper_limit(15))
    weight[1000:1020] = -1.0  # less than nothing passes
    number = rejection(rank(score, signal, weight), 0.5)
    assert (number.jets, number.n_eff) == (20, 0.0)
    assert number.value == pytest.approx(4960 / poisson_upper_limit(0))


@pytest.mark.parametrize("kind", KINDS)
def test_limits_hold_the_truth_as_often_as_they_say(kind: str) -> None:
    """Of 300 limits 95 % are below the truth, at least 88 % but once in a million; they are no empty words either."""
    truth = 1 / NORMAL.cdf(-2.5)
    toys = [toy(2000, 500, 2.5, kind, 7 * k + 5) for k in range(300)]
    limits = np.array([n.value for s, y, w in toys if (n := rejection(rank(s, y == 1, w), 0.5, replicas=2)).limit])
    assert len(limits) > 280
    assert np.mean(limits <= truth) > 0.88
    assert np.median(limits) > truth / 8


Pair = tuple[Scored, Scored, np.ndarray]


def pair(jets: int, kind: str, seed: int, extra: float = 0.0) -> Pair:
    """Two taggers that share half of what they see; the second separates better by ``extra``."""
    rng = np.random.default_rng(seed)
    label = np.arange(jets) % 2
    shared, own, other = rng.normal(size=(3, jets))
    scores = (shared + own) / 2**0.5 + 1.5 * label, (shared + other) / 2**0.5 + (1.5 + extra) * label
    first, second = (np.stack([np.zeros(jets), score - 0.75], axis=1) for score in scores)
    if kind == "tilted":
        return (first, label), (second, label), np.exp(0.4 * shared) * np.where(label, 7.0, 1.0)
    sign = np.where(rng.random(jets) < 0.15, -1, 1) if kind == "signed" else 1
    return (first, label), (second, label), rng.lognormal(0.0, 0.7, size=jets) * sign


TESTS: dict[str, Callable[[Scored, Scored, np.ndarray], PairedTest]] = {
    "accuracy": lambda a, b, w: compare_accuracy(a, b, weight=w),
    "auc": lambda a, b, w: compare_auc(a, b, TWO, "top vs QCD", weight=w),
    "one-vs-one auc": lambda a, b, w: compare_auc(a, b, TWO, weight=w),
    "rejection": lambda a, b, w: compare_rejection(a, b, TWO, "top vs QCD", 0.7, replicas=100, weight=w),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("test", TESTS)
def test_equal_taggers_give_uniform_p_values(test: str, kind: str) -> None:
    found = [TESTS[test](*pair(3000, kind, seed=10 * k)) for k in range(150)]
    p = np.sort([one.p for one in found])
    assert np.abs(p - np.arange(150) / 150).max() < 0.22  # Kolmogorov–Smirnov: P < 1e-6
    differences = pulls([one.difference for one in found], 0.0)
    assert 0.7 < differences.std() < 1.33  # of 150, good to 0.058


@pytest.mark.parametrize("test", TESTS)
def test_a_better_tagger_is_found(test: str) -> None:
    result = TESTS[test](*pair(20_000, "signed", seed=0, extra=0.4))
    assert result.difference.value == pytest.approx(result.second.value - result.first.value)
    assert result.p < 1e-4
    assert result.difference.n_eff == pytest.approx(min(result.first.n_eff or 0, result.second.n_eff or 0))
    assert PairedTest.from_dict(result.to_dict()) == result


@pytest.mark.parametrize("test", TESTS)
def test_a_tagger_is_as_good_as_itself(test: str) -> None:
    first, _, weight = pair(2000, "signed", seed=2)
    result = TESTS[test](first, first, weight)
    assert (result.difference.value, result.difference.error, result.p) == (0.0, 0.0, 1.0)


def test_the_weighted_test_of_accuracy_is_that_of_mcnemar_without_its_exactness() -> None:
    first, second, _ = pair(20_000, "lognormal", seed=3, extra=0.05)
    weighted, plain = compare_accuracy(first, second, weight=np.full(20_000, 3.0)), compare_accuracy(first, second)
    assert weighted.difference.value == pytest.approx(plain.difference.value)
    assert weighted.difference.error == pytest.approx(plain.difference.error)
    assert 0.001 < plain.p < 0.9
    assert weighted.p == pytest.approx(plain.p, rel=0.1)


def test_too_little_background_is_not_compared() -> None:
    first, second, weight = pair(300, "signed", seed=4)
    with pytest.raises(JetkitError, match=r"background jets pass, which weigh as .*, a comparison needs ten or more"):
        compare_rejection(first, second, TWO, "top vs QCD", 0.3, weight=weight)
