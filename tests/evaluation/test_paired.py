from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.evaluation.bootstrap import bootstrap_counts
from jetkit.evaluation.paired import PairedTest, Scored, compare_accuracy, compare_auc, compare_rejection
from jetkit.evaluation.ranking import rank

TWO = ("QCD", "top")
Compare = Callable[[Scored, Scored], PairedTest]
TESTS = {
    "accuracy": compare_accuracy,
    "auc": lambda a, b: compare_auc(a, b, TWO, "top vs QCD"),
    "rejection": lambda a, b: compare_rejection(a, b, TWO, "top vs QCD", 0.5, replicas=100),
}


def pair(jets: int, seed: int, extra: float = 0.0) -> tuple[Scored, Scored]:
    """Two taggers that share half of what they see; the second separates better by ``extra``."""
    rng = np.random.default_rng(seed)
    label = np.arange(jets) % 2
    shared, own, other = rng.normal(size=(3, jets))
    scores = (shared + own) / 2**0.5 + 1.5 * label, (shared + other) / 2**0.5 + (1.5 + extra) * label
    first, second = (np.stack([np.zeros(jets), score - 0.75], axis=1) for score in scores)
    return (first, label), (second, label)


@pytest.mark.parametrize("test", TESTS)
def test_equal_taggers_give_uniform_p_values(test: str) -> None:
    p = np.sort([TESTS[test](*pair(2000, seed=10 * toy)).p for toy in range(150)])
    assert np.abs(p - np.arange(150) / 150).max() < 0.22  # Kolmogorov–Smirnov: P < 1e-6


@pytest.mark.parametrize("test", TESTS)
def test_a_better_tagger_is_found(test: str) -> None:
    result = TESTS[test](*pair(20_000, seed=0, extra=0.4))
    assert result.difference.value > 0
    assert result.p < 1e-5


@pytest.mark.parametrize("test", TESTS)
def test_exchanged_taggers_have_the_opposite_difference(test: str) -> None:
    first, second = pair(4000, seed=1, extra=0.1)
    there, back = TESTS[test](first, second), TESTS[test](second, first)
    assert back.difference.value == -there.difference.value
    assert back.difference.error == pytest.approx(there.difference.error)
    assert back.p == pytest.approx(there.p)


@pytest.mark.parametrize("test", TESTS)
def test_a_tagger_is_as_good_as_itself(test: str) -> None:
    first, _ = pair(2000, seed=2)
    result = TESTS[test](first, first)
    assert (result.difference.value, result.difference.error, result.p) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("test", TESTS)
def test_errors_of_differences_are_as_wide_as_toys(test: str) -> None:
    toys = [TESTS[test](*pair(2000, seed=10 * toy + 5)).difference for toy in range(100)]
    pulls = np.array([toy.value / (toy.error or np.nan) for toy in toys])
    assert 0.65 < pulls.std() < 1.4


@pytest.mark.parametrize("test", TESTS)
def test_other_jets_are_refused(test: str) -> None:
    (logits, label), second = pair(200, seed=3)
    with pytest.raises(JetkitError, match="same jets, got 200 and 100"):
        TESTS[test]((logits, label), (second[0][:100], label[:100]))
    with pytest.raises(JetkitError, match="200 labels differ"):
        TESTS[test]((logits, label), (second[0], 1 - label))


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (3, 3), (2, 9), (9, 2), (400, 480)])
def test_mcnemar_is_a_fair_coin(lost: int, gained: int) -> None:
    label = np.zeros(lost + gained + 10, dtype=int)
    where = np.arange(len(label))
    wrong, also_wrong = where < gained, (where >= gained) & (where < lost + gained)
    first, second = np.eye(2)[wrong.astype(int)], np.eye(2)[also_wrong.astype(int)]
    result = compare_accuracy((first, label), (second, label))
    so_uneven = sum(math.comb(lost + gained, k) for k in range(min(lost, gained) + 1)) / 2 ** (lost + gained)
    assert result.p == pytest.approx(min(1.0, 2 * so_uneven), rel=1e-12)
    assert result.difference.value == pytest.approx((gained - lost) / len(label))


def test_the_error_of_an_auc_difference_has_delongs_covariance() -> None:
    (a, label), (b, _) = pair(400, seed=4)
    v10, v01 = [], []
    for score in (a[:, 1], b[:, 1]):
        above = (score[label == 1][:, None] > score[label == 0]).astype(float)
        v10.append(above.mean(axis=1))
        v01.append(above.mean(axis=0))
    covariance = np.cov(v10) / 200 + np.cov(v01) / 200
    expected = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert compare_auc((a, label), (b, label), TWO).difference.error == pytest.approx(expected, rel=1e-10)


def test_the_error_of_an_auc_difference_agrees_with_the_paired_bootstrap() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    (a, label), (b, _) = pair(400, seed=5)
    counts = [bootstrap_counts(np.arange(400), replica, seed=0) for replica in range(300)]
    differences = [
        metrics.roc_auc_score(label, b[:, 1], sample_weight=c) - metrics.roc_auc_score(label, a[:, 1], sample_weight=c)
        for c in counts
    ]
    error = compare_auc((a, label), (b, label), TWO).difference.error
    assert error == pytest.approx(np.std(differences), rel=0.25)


def test_a_paired_error_is_smaller_than_two_single_ones() -> None:
    result = compare_auc(*pair(4000, seed=6), TWO)
    assert (result.difference.error or 1) < 0.9 * np.hypot(result.first.error or 0, result.second.error or 0)


def test_the_one_vs_one_auc_is_compared_without_a_comparison(
    four_classes: tuple[np.ndarray, np.ndarray, tuple[str, ...]],
) -> None:
    logits, label, classes = four_classes
    worse = logits + np.random.default_rng(0).normal(size=logits.shape)
    result = compare_auc((worse, label), (logits, label), classes)
    assert result.quantity == "one-vs-one AUC"
    assert result.first.value < result.second.value
    assert result.p < 1e-6


def test_too_few_background_jets_are_not_compared() -> None:
    first, second = pair(100, seed=7)
    with pytest.raises(JetkitError, match="a comparison needs ten or more"):
        compare_rejection(first, second, TWO, "top vs QCD", 0.3)


def test_the_p_value_is_that_of_the_known_separation() -> None:
    """The AUC of the second is Φ(d/√2) with a larger d."""
    result = compare_auc(*pair(40_000, seed=8, extra=0.1), TWO)
    normal = NormalDist()
    truth = normal.cdf(1.6 / 2**0.5) - normal.cdf(1.5 / 2**0.5)
    assert result.difference.error is not None
    assert abs(result.difference.value - truth) < 5 * result.difference.error


def test_paired_replicas_do_not_depend_on_the_ranking() -> None:
    label = np.arange(50) % 2 == 0
    score = np.random.default_rng(0).normal(size=50)
    forth, back = rank(score, label), rank(-score, label)
    counts = [bootstrap_counts(r.jet, 0, 0)[np.argsort(r.jet)] for r in (forth, back)]
    assert (counts[0] == counts[1]).all()


def test_paired_tests_survive_json() -> None:
    result = compare_accuracy(*pair(200, seed=9))
    assert PairedTest.from_dict(result.to_dict()) == result
