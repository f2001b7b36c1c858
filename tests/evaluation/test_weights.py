"""Weights of jets, of either sign: what every number makes of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetkit.errors import JetkitError
from jetkit.evaluation.accuracy import accuracy
from jetkit.evaluation.auc import auc, ovo_auc
from jetkit.evaluation.bootstrap import background_efficiencies, bootstrap_counts
from jetkit.evaluation.calibration import calibration, reliability
from jetkit.evaluation.comparison import parse_comparison
from jetkit.evaluation.confusion import confusion
from jetkit.evaluation.cross_entropy import cross_entropy
from jetkit.evaluation.efficiency import efficiency_curves
from jetkit.evaluation.paired import compare_accuracy, compare_auc, compare_rejection
from jetkit.evaluation.ranking import rank
from jetkit.evaluation.rejection import published_rejection, rejection
from jetkit.evaluation.roc import background_efficiency, roc
from jetkit.evaluation.scores import probabilities
from jetkit.evaluation.summary import Evaluation, evaluate
from jetkit.evaluation.temperature import fit_temperature

CLASSES = ("QCD", "Hbb", "Tbqq", "Tbl")
CHOSEN = parse_comparison("Tbqq+Tbl vs QCD", CLASSES)
GRID = (0.1, 0.3, 0.7, 1.0)
Jets = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Logits, labels and weights."""


def drawn(seed: int, jets: int = 3000, negative: float = 0.2) -> Jets:
    """Four classes, with ties among the scores; a part of the weights is negative, and sizes differ by class."""
    rng = np.random.default_rng(seed)
    label = rng.integers(4, size=jets)
    logits = rng.normal(size=(jets, 4)).round(1)
    logits[np.arange(jets), label] += 1.5
    sign = np.where(rng.random(jets) < negative, -1.0, 1.0)
    return logits, label, sign * rng.lognormal(0.0, 0.5, size=jets) * np.array([1.0, 0.3, 2.0, 0.7])[label]


def curves(logits: np.ndarray, label: np.ndarray, weight: np.ndarray | None) -> tuple[np.ndarray, ...]:
    result = efficiency_curves(
        logits, label, CLASSES, logits[:, 0], [-9, 0, 1, 9], comparison=CHOSEN, signal=0.5, weight=weight
    )
    return tuple(np.array(rows, dtype=float) for rows in (result.efficiency, result.low, result.high))


VALUES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray | None], object]] = {
    "accuracy": lambda z, y, w: accuracy(z, y, w).value,
    "auc": lambda z, y, w: auc(CHOSEN.rank(z, y, w)).value,
    "one-vs-one auc": lambda z, y, w: ovo_auc(z, y, CLASSES, w).value,
    "rejection": lambda z, y, w: rejection(CHOSEN.rank(z, y, w), 0.7, replicas=2).value,
    "roc": lambda z, y, w: roc(CHOSEN.rank(z, y, w), grid=GRID, replicas=2).background_efficiency,
    "threshold": lambda z, y, w: CHOSEN.rank(z, y, w).threshold(0.4),
    "confusion": lambda z, y, w: np.array(confusion(z, y, CLASSES, w).rate),
    "efficiency curves": lambda z, y, w: curves(z, y, w)[0],
    "cross entropy": lambda z, y, w: cross_entropy(z, y, CLASSES, w).value,
    "observed": lambda z, y, w: calibration(z, y, CLASSES, weight=w).observed,
    "predicted": lambda z, y, w: calibration(z, y, CLASSES, weight=w, of="Tbl").predicted,
    "calibration error": lambda z, y, w: calibration(z, y, CLASSES, weight=w).expected_error.value,
    "temperature": lambda z, y, w: fit_temperature(z, y, CLASSES, w).value,
    "paired accuracy": lambda z, y, w: compare_accuracy((-z, y), (z, y), weight=w).difference.value,
    "paired auc": lambda z, y, w: compare_auc((z**3, y), (z, y), CLASSES, weight=w).difference.value,
    "paired rejection": lambda z, y, w: (
        compare_rejection((-z, y), (z, y), CLASSES, CHOSEN, 0.7, replicas=2, weight=w).difference.value
    ),
}
ERRORS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray | None], object]] = {
    "accuracy": lambda z, y, w: accuracy(z, y, w).error,
    "auc": lambda z, y, w: auc(CHOSEN.rank(z, y, w)).error,
    "one-vs-one auc": lambda z, y, w: ovo_auc(z, y, CLASSES, w).error,
    "rejection": lambda z, y, w: rejection(CHOSEN.rank(z, y, w), 0.7).error,
    "limit": lambda z, y, w: rejection(CHOSEN.rank(z, y, w), 0.001, replicas=2).value,
    "roc": lambda z, y, w: roc(CHOSEN.rank(z, y, w), grid=GRID, replicas=20).high,
    "confusion": lambda z, y, w: np.array(confusion(z, y, CLASSES, w).error),
    "efficiency curves": lambda z, y, w: np.array(curves(z, y, w)[1:]),
    "cross entropy": lambda z, y, w: cross_entropy(z, y, CLASSES, w).error,
    "low": lambda z, y, w: calibration(z, y, CLASSES, weight=w).low,
    "calibration error": lambda z, y, w: calibration(z, y, CLASSES, weight=w).expected_error.error,
    "chance": lambda z, y, w: calibration(z, y, CLASSES, weight=w).chance,
    "temperature": lambda z, y, w: fit_temperature(z, y, CLASSES, w).error,
    "paired accuracy": lambda z, y, w: compare_accuracy((z**3 - z, y), (z, y), weight=w).difference.error,
    "paired auc": lambda z, y, w: compare_auc((z**3, y), (z, y), CLASSES, weight=w).p,
}
EXACT = {"accuracy", "rejection", "roc", "threshold", "confusion", "efficiency curves", "paired rejection"}


@pytest.mark.parametrize("what", VALUES)
def test_whole_weights_are_repeated_jets(what: str) -> None:
    logits, label, _ = drawn(0)
    times = np.random.default_rng(1).integers(0, 4, size=len(label))
    again = np.repeat(np.arange(len(label)), times)
    weighted, repeated = (
        VALUES[what](logits, label, times.astype(float)),
        VALUES[what](logits[again], label[again], None),
    )
    assert weighted == pytest.approx(repeated, rel=0 if what in EXACT else 1e-9, abs=0)


@pytest.mark.parametrize("what", VALUES)
def test_jets_that_cancel_change_no_value(what: str) -> None:
    logits, label, weight = drawn(2)
    others, of, size = drawn(3, jets=100, negative=0.0)
    parts = (logits, label, weight), (others, of, size), (others, of, -size)
    joined = [np.concatenate(part) for part in zip(*parts, strict=True)]
    order = np.random.default_rng(0).permutation(len(joined[0]))
    changed = VALUES[what](*(array[order] for array in joined))
    assert changed == pytest.approx(VALUES[what](logits, label, weight), rel=1e-8)


@pytest.mark.parametrize("what", VALUES)
def test_weights_of_one_are_no_weights(what: str) -> None:
    logits, label, _ = drawn(4)
    assert VALUES[what](logits, label, np.ones(len(label))) == pytest.approx(
        VALUES[what](logits, label, None), rel=1e-9
    )


@pytest.mark.parametrize("what", ERRORS)
@pytest.mark.parametrize("size", [1.0, 0.37])
def test_errors_with_equal_weights_are_those_without(what: str, size: float) -> None:
    logits, label, _ = drawn(5)
    weighted, plain = ERRORS[what](logits, label, np.full(len(label), size)), ERRORS[what](logits, label, None)
    assert weighted == pytest.approx(plain, rel=1e-9)


@pytest.mark.parametrize("what", ["accuracy", "auc", "one-vs-one auc", "confusion", "cross entropy", "temperature"])
def test_jets_that_cancel_make_errors_larger(what: str) -> None:
    logits, label, weight = drawn(6, negative=0.0)
    again = np.concatenate([np.arange(len(label)), np.arange(1000), np.arange(1000)])
    more = np.concatenate([weight, 2 * weight[:1000], -2 * weight[:1000]])
    assert (np.array(ERRORS[what](logits[again], label[again], more)) > ERRORS[what](logits, label, weight)).all()


def test_the_auc_and_its_error_are_those_of_a_loop_over_pairs() -> None:
    logits, label, weight = drawn(7, jets=200)
    score = CHOSEN.score(logits)
    s, b = np.flatnonzero(label >= 2), np.flatnonzero(label == 0)
    above = (score[s][:, None] > score[b]) + 0.5 * (score[s][:, None] == score[b])
    value = sum(weight[i] * weight[j] * above[m, n] for m, i in enumerate(s) for n, j in enumerate(b))
    value /= weight[s].sum() * weight[b].sum()
    variance = 0.0
    for rows, others, share in ((s, b, above), (b, s, above.T)):
        w, v = weight[rows], share @ weight[others] / weight[others].sum()
        n = w.sum() ** 2 / (w**2).sum()
        variance += (w**2 * (v - value) ** 2).sum() / w.sum() ** 2 * n / (n - 1)
    number = auc(CHOSEN.rank(logits, label, weight))
    assert number.value == pytest.approx(value, rel=1e-12)
    assert number.error == pytest.approx(np.sqrt(variance), rel=1e-10)
    assert number.n_eff == pytest.approx(sum(weight[r].sum() ** 2 / (weight[r] ** 2).sum() for r in (s, b)))
    assert number.jets == len(s) + len(b)


def test_shares_and_their_errors_are_those_of_a_loop() -> None:
    logits, label, weight = drawn(8)
    result = confusion(logits, label, CLASSES, weight)
    for i in range(4):
        w, best = weight[label == i], logits[label == i].argmax(axis=1)
        n = w.sum() ** 2 / (w**2).sum()
        for j in range(4):
            rate = w[best == j].sum() / w.sum()
            variance = sum(x**2 * ((1 - rate) ** 2 if k == j else rate**2) for x, k in zip(w, best, strict=True))
            error = np.sqrt(variance / w.sum() ** 2 + 1 / (4 * n**2)) / (1 + 1 / n)
            assert (result.rate[i][j], result.error[i][j]) == pytest.approx((rate, error), rel=1e-10)


def test_the_accuracy_is_that_of_a_loop() -> None:
    logits, label, weight = drawn(8)
    right = logits.argmax(axis=1) == label
    weight = np.where(right, weight, 2 * weight)  # wrong jets matter more to the error than n_eff alone says
    number = accuracy(logits, label, weight)
    variance = sum((w * (r - number.value)) ** 2 for w, r in zip(weight, right, strict=True)) / weight.sum() ** 2
    n = weight.sum() ** 2 / (weight**2).sum()
    assert number.value == pytest.approx(weight[right].sum() / weight.sum())
    assert number.error == pytest.approx(np.sqrt(variance + 1 / (4 * n**2)) / (1 + 1 / n), rel=1e-9)
    assert (number.n_eff, number.jets) == (pytest.approx(n), 3000)


def test_efficiencies_in_bins_are_those_of_a_loop() -> None:
    logits, label, weight = drawn(9)
    threshold = CHOSEN.rank(logits, label, weight).threshold(0.5)
    efficiency, low, high = curves(logits, label, weight)
    for c in range(4):
        for k, (start, end) in enumerate(((-9, 0), (0, 1), (1, 9))):
            chosen = (label == c) & (logits[:, 0] >= start) & (logits[:, 0] < end)
            w, passed = weight[chosen], CHOSEN.score(logits[chosen]) >= threshold
            rate = w[passed].sum() / w.sum()
            assert efficiency[c, k] == pytest.approx(rate, rel=1e-10)
            assert low[c, k] <= rate <= high[c, k]
            if 0.1 < rate < 0.9:
                error = np.sqrt((w**2 * (passed - rate) ** 2).sum()) / w.sum()
                n = w.sum() ** 2 / (w**2).sum()
                assert (high[c, k] - low[c, k]) / 2 == pytest.approx(np.hypot(error, 0.5 / n) / (1 + 1 / n), rel=1e-9)


def test_a_bin_whose_weights_cancel_has_no_efficiency() -> None:
    logits, label = np.eye(2)[[0, 0, 1, 1, 1]], np.array([0, 0, 1, 1, 1])
    weight, variable = np.array([0.1, -0.1, 1.0, 0.2, -0.3]), np.array([1.0, 1.0, 0.5, 1.0, 1.0])
    result = efficiency_curves(
        np.concatenate([logits, logits[:1]]),
        np.append(label, 0),
        ("QCD", "top"),
        np.append(variable, 0.5),
        [0, 1, 2],
        comparison="top vs QCD",
        signal=1.0,
        weight=np.append(weight, 2.0),
    )
    assert result.efficiency == ((0.0, None), (1.0, None))
    assert (result.low[0][1], result.high[1][1]) == (None, None)
    assert result.jets == ((1, 2), (1, 2))


def test_an_efficiency_outside_its_range_lies_inside_its_interval() -> None:
    weight = np.array([5.0, 5.0, -1.0, 5.0, -1.0])
    logits, label = np.eye(2)[[1, 1, 0, 0, 1]], np.array([1, 1, 1, 0, 0])
    result = efficiency_curves(
        logits, label, ("QCD", "top"), np.zeros(5), [-1, 1], comparison="top vs QCD", signal=0.5, weight=weight
    )
    for row, expected in enumerate((-0.25, 10 / 9)):
        low, rate, high = (x[row][0] or 0.0 for x in (result.low, result.efficiency, result.high))
        assert rate == pytest.approx(expected)
        assert low <= rate <= high
        assert high - low > 0.1


def test_the_cross_entropy_is_that_of_a_loop() -> None:
    logits, label, weight = drawn(10)
    each = -np.log(probabilities(logits)[np.arange(len(label)), label])
    mean = np.average(each, weights=weight)
    variance = sum((w * (x - mean)) ** 2 for w, x in zip(weight, each, strict=True)) / weight.sum() ** 2
    n = weight.sum() ** 2 / (weight**2).sum()
    number = cross_entropy(logits, label, CLASSES, weight)
    assert number.value == pytest.approx(mean)
    assert number.error == pytest.approx(np.sqrt(variance * n / (n - 1)), rel=1e-9)
    assert number.n_eff == pytest.approx(n)


def test_calibration_is_that_of_a_loop_and_counts_bins_without_a_point() -> None:
    rng = np.random.default_rng(11)
    p = rng.random(500)
    true = rng.random(500) < p**2
    weight = rng.lognormal(size=500) * np.where((p > 0.25) & (p < 0.5), -1.0, 1.0)  # the second bin sums below zero
    weight[true] *= 3
    result = reliability(p, true, bins=4, weight=weight)
    gaps, points, squares = 0.0, [], 0.0
    for k in range(4):
        w, t, q = (x[(p >= k / 4) & (p < (k + 1) / 4)] for x in (weight, true, p))
        gaps += abs(sum(w * (t - q))) / weight.sum()
        if w.sum() > 0:
            observed, n = np.average(t, weights=w), w.sum() ** 2 / (w**2).sum()
            variance = sum((w * (t - observed)) ** 2) / w.sum() ** 2
            half, middle = np.sqrt(variance + 1 / (4 * n**2)) / (1 + 1 / n), (observed + 0.5 / n) / (1 + 1 / n)
            points.append((np.average(q, weights=w), observed, max(middle - half, 0), min(middle + half, 1)))
            squares += (half * w.sum() / weight.sum()) ** 2
        else:
            squares += sum((w * (t - q)) ** 2) / weight.sum() ** 2
    assert len(points) == 3
    found = np.transpose([result.predicted, result.observed, result.low, result.high])
    assert found == pytest.approx(np.array(points))
    assert result.expected_error.error == pytest.approx(np.sqrt(squares))
    assert result.expected_error.value == pytest.approx(gaps)
    assert sum(result.jets) < 500


@pytest.mark.parametrize("negative", [0.0, 0.2])
def test_no_other_temperature_is_more_likely(negative: float) -> None:
    logits, label, weight = drawn(12, negative=negative)
    best = fit_temperature(logits, label, CLASSES, weight).value
    loss = [
        -weight @ np.log(probabilities(logits / t)[np.arange(len(label)), label])
        for t in (0.5 * best, 0.99 * best, best, 1.01 * best, 2 * best)
    ]
    assert np.argmin(loss) == 2


def test_wrong_jets_that_cancel_leave_no_temperature() -> None:
    logits, label = np.eye(2)[[0, 1, 0, 0]], np.array([0, 1, 1, 1])
    with pytest.raises(JetkitError, match="no temperature is best"):
        fit_temperature(logits, label, ("QCD", "top"), np.array([1.0, 1.0, 0.3, -0.3]))


Weighted = st.lists(
    st.tuples(st.integers(0, 6), st.booleans(), st.sampled_from([-2.0, -1.0, 1.0, 2.0, 3.0])), min_size=2, max_size=20
).filter(lambda jets: all(sum(w for _, s, w in jets if s == side) > 0 for side in (True, False)))


@given(Weighted, st.floats(0.01, 1.0))
def test_thresholds_are_those_of_a_loop_where_efficiencies_fall(
    jets: list[tuple[int, bool, float]], efficiency: float
) -> None:
    score, signal, weight = (np.array(x) for x in zip(*jets, strict=True))
    ranking = rank(score, signal, weight)

    def share(side: bool, threshold: float) -> float:
        return float(weight[(signal == side) & (score >= threshold)].sum() / weight[signal == side].sum())

    kept = [t for t in set(score) if share(True, t) >= efficiency - 1e-9]
    assert ranking.threshold(efficiency) == max(kept)
    assert background_efficiency(ranking, [efficiency])[0] == pytest.approx(share(False, max(kept)))
    below = [t for t in set(score) if share(False, t) <= efficiency + 1e-9]
    assert ranking.background_threshold(efficiency) == min(below, default=np.inf)


def test_replicas_take_the_tightest_threshold_too() -> None:
    logits, label, weight = drawn(13, jets=300)
    ranking = CHOSEN.rank(logits, label, weight)
    replicas = background_efficiencies(ranking, GRID, replicas=5, seed=3)
    for replica in range(5):
        counted = ranking.weight * bootstrap_counts(ranking.jet, replica, seed=3)
        some = counted != 0
        again = rank(ranking.score[some], ranking.signal[some], counted[some])
        assert replicas[replica] == pytest.approx(background_efficiency(again, GRID), abs=1e-9)


def test_a_replica_without_a_positive_sum_is_left_out() -> None:
    score, signal = np.arange(40.0), np.arange(40) >= 20
    weight = np.where(np.arange(40) % 2 == 0, 1.0, -0.9)
    replicas = background_efficiencies(rank(score, signal, weight), [0.5], replicas=200)[:, 0]
    sums = [
        [(weight * bootstrap_counts(np.arange(40), replica, 0))[side].sum() for side in (signal, ~signal)]
        for replica in range(200)
    ]
    assert (np.isnan(replicas) == (np.array(sums) <= 0).any(axis=1)).all()
    assert 20 < np.isnan(replicas).sum() < 190


def test_the_published_rejection_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    logits, label, weight = drawn(14, negative=0.0)
    ranking = CHOSEN.rank(logits, label, weight)
    fpr, tpr, _ = metrics.roc_curve(ranking.signal, ranking.score, sample_weight=ranking.weight)
    for efficiency in GRID:
        assert published_rejection(ranking, efficiency) == pytest.approx(1 / fpr[np.argmin(np.abs(tpr - efficiency))])


def test_a_published_rejection_is_infinite_where_what_passes_cancels() -> None:
    score, signal = np.array([3.0, 2.0, 2.0, 2.0, 1.0, 0.0]), np.array([True, False, False, False, True, False])
    assert published_rejection(rank(score, signal, np.array([1.0, 0.1, 0.2, -0.3, 1.0, 1.0])), 1.0) == np.inf


def test_an_evaluation_says_what_its_jets_weigh() -> None:
    logits, label, weight = drawn(15)
    evaluation = evaluate(logits, label, CLASSES, weight=weight, comparisons=[CHOSEN.text], replicas=20)
    ranking = CHOSEN.rank(logits, label, weight)
    assert evaluation.discriminations[0].auc == auc(ranking)
    assert evaluation.rejections[0].value == rejection(ranking, 0.3, replicas=20)
    assert evaluation.accuracy == accuracy(logits, label, weight)
    assert evaluation.auc == ovo_auc(logits, label, CLASSES, weight)
    assert evaluation.confusion == confusion(logits, label, CLASSES, weight)
    assert evaluation.calibration == calibration(logits, label, CLASSES, weight=weight)
    assert evaluation.temperature == fit_temperature(logits, label, CLASSES, weight)
    assert evaluation.jets == tuple(np.bincount(label))
    own = [weight[label == c] for c in range(4)]
    assert evaluation.auc.n_eff == pytest.approx(sum(w.sum() ** 2 / (w**2).sum() for w in own))
    assert "n_eff = " in str(evaluation.rejections[0].value)
    assert Evaluation.from_dict(evaluation.to_dict()) == evaluation
    assert "n_eff" not in str(evaluate(logits, label, CLASSES, replicas=2).to_dict())
