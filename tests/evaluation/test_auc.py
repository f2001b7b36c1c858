from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.evaluation.auc import auc, auc_influence, ovo_auc
from jetkit.evaluation.bootstrap import bootstrap_counts
from jetkit.evaluation.ranking import Ranking, rank
from jetkit.evaluation.scores import probabilities

metrics = pytest.importorskip("sklearn.metrics")
CLASSES = ("a", "b", "c", "d")


def tied(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    signal = rng.random(300) < 0.4
    return rng.integers(0, 12, size=300) + 3.0 * signal, signal, rng.uniform(0.1, 2.0, size=300)


def test_the_auc_of_two_gaussians_is_known(ranked: Callable[..., Ranking]) -> None:
    number = auc(ranked(40_000, 60_000, 1.5, seed=0))
    assert number.error is not None
    assert 5e-4 < number.error < 2e-3
    assert abs(number.value - NormalDist().cdf(1.5 / 2**0.5)) < 5 * number.error
    assert number.jets == 100_000


def test_the_auc_counts_pairs_and_half_of_ties() -> None:
    score, signal, _ = tied(0)
    pairs = [(s > b) + 0.5 * (s == b) for s in score[signal] for b in score[~signal]]
    assert auc(rank(score, signal)).value == pytest.approx(np.mean(pairs), abs=1e-12)


def test_the_weighted_auc_is_that_of_scikit_learn() -> None:
    score, signal, weight = tied(1)
    expected = metrics.roc_auc_score(signal, score, sample_weight=weight)
    assert auc(rank(score, signal, weight)).value == pytest.approx(expected, abs=1e-12)


def test_whole_weights_are_as_good_as_repeated_jets() -> None:
    score, signal, _ = tied(2)
    times = np.random.default_rng(0).integers(1, 4, size=300)
    repeated = auc(rank(np.repeat(score, times), np.repeat(signal, times)))
    assert auc(rank(score, signal, times.astype(float))).value == pytest.approx(repeated.value, abs=1e-12)


def test_the_error_is_the_one_of_delong() -> None:
    score, signal, _ = tied(3)
    kernel = (score[signal][:, None] > score[~signal]) + 0.5 * (score[signal][:, None] == score[~signal])
    v10, v01 = kernel.mean(axis=1), kernel.mean(axis=0)
    expected = np.sqrt(v10.var(ddof=1) / len(v10) + v01.var(ddof=1) / len(v01))
    assert auc(rank(score, signal)).error == pytest.approx(expected, rel=1e-12)


def test_the_error_agrees_with_the_bootstrap() -> None:
    score, signal, weight = tied(4)
    drawn = [bootstrap_counts(np.arange(300), replica, seed=0) * weight for replica in range(400)]
    replicas = [metrics.roc_auc_score(signal, score, sample_weight=counts) for counts in drawn]
    assert auc(rank(score, signal, weight)).error == pytest.approx(np.std(replicas), rel=0.2)


def test_the_auc_sees_only_the_order_of_scores() -> None:
    score, signal, _ = tied(5)
    assert auc(rank(np.exp(score / 3), signal)) == auc(rank(score, signal))


def test_exchanged_classes_have_the_complementary_auc() -> None:
    score, signal, _ = tied(6)
    assert auc(rank(score, ~signal)).value == pytest.approx(1 - auc(rank(score, signal)).value, abs=1e-12)


def test_shuffled_labels_have_an_auc_of_one_half(gaussian: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    logits, label = gaussian(5000, 5000, 2.0, seed=0)
    number = auc(rank(logits[:, 1], np.random.default_rng(1).permutation(label) == 1))
    assert number.error is not None
    assert abs(number.value - 0.5) < 5 * number.error


def test_errors_of_toys_are_as_wide_as_the_toys(ranked: Callable[..., Ranking]) -> None:
    truth = NormalDist().cdf(1 / 2**0.5)
    toys = [auc(ranked(200, 300, 1.0, seed=3 * toy)) for toy in range(200)]
    pulls = np.array([(toy.value - truth) / (toy.error or np.nan) for toy in toys])
    assert 0.75 < pulls.std() < 1.3
    assert abs(pulls.mean()) < 0.4


@pytest.mark.parametrize("classes", [2, 4])
def test_the_one_vs_one_auc_is_that_of_scikit_learn(classes: int) -> None:
    rng = np.random.default_rng(7)
    label = rng.integers(classes, size=500)
    logits = rng.normal(size=(500, classes))
    logits[np.arange(500), label] += 1
    p = probabilities(logits)
    expected = (
        metrics.roc_auc_score(label, p, multi_class="ovo") if classes > 2 else metrics.roc_auc_score(label, p[:, 1])
    )
    assert ovo_auc(logits, label, CLASSES[:classes]).value == pytest.approx(expected, abs=1e-12)


def test_the_one_vs_one_error_agrees_with_the_bootstrap(
    four_classes: tuple[np.ndarray, np.ndarray, tuple[str, ...]],
) -> None:
    logits, label, classes = (x[:400] for x in four_classes)
    rng = np.random.default_rng(0)
    drawn = [rng.integers(400, size=400) for _ in range(200)]
    replicas = [ovo_auc(logits[rows], label[rows], classes).value for rows in drawn]
    assert ovo_auc(logits, label, classes).error == pytest.approx(np.std(replicas), rel=0.3)


def test_the_one_vs_one_auc_does_not_depend_on_the_order_of_classes(
    four_classes: tuple[np.ndarray, np.ndarray, tuple[str, ...]],
) -> None:
    logits, label, classes = four_classes
    order = np.array([2, 0, 3, 1])
    exchanged = ovo_auc(logits[:, order], np.argsort(order)[label], [classes[i] for i in order])
    assert exchanged.value == pytest.approx(ovo_auc(logits, label, classes).value, abs=1e-12)
    assert exchanged.error == pytest.approx(ovo_auc(logits, label, classes).error, rel=1e-9)


def test_movements_sum_to_zero() -> None:
    score, signal, weight = tied(8)
    assert auc_influence(rank(score, signal, weight))[1].sum() == pytest.approx(0, abs=1e-12)


def test_one_jet_of_a_class_is_too_few() -> None:
    with pytest.raises(JetkitError, match="two jets or more of each class"):
        auc(rank(np.array([0.0, 1.0, 2.0]), np.array([True, False, False])))
    with pytest.raises(JetkitError, match="there are fewer of b"):
        ovo_auc(np.eye(2)[[0, 0, 1]], np.array([0, 0, 1]), ["a", "b"])
