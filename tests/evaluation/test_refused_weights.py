"""Weights that make no number: every function says what to do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.evaluation.accuracy import accuracy
from jetkit.evaluation.auc import ovo_auc
from jetkit.evaluation.calibration import calibration
from jetkit.evaluation.comparison import parse_comparison
from jetkit.evaluation.confusion import confusion
from jetkit.evaluation.cross_entropy import cross_entropy
from jetkit.evaluation.efficiency import efficiency_curves
from jetkit.evaluation.paired import compare_accuracy, compare_auc, compare_rejection
from jetkit.evaluation.ranking import rank
from jetkit.evaluation.summary import evaluate
from jetkit.evaluation.temperature import fit_temperature

TWO = ("QCD", "top")
CALLS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], object]] = {
    "accuracy": accuracy,
    "ranking": lambda z, y, w: rank(z[:, 1] - z[:, 0], y == 1, w),
    "comparison": lambda z, y, w: parse_comparison("top vs QCD", TWO).rank(z, y, w),
    "one-vs-one auc": lambda z, y, w: ovo_auc(z, y, TWO, w),
    "confusion": lambda z, y, w: confusion(z, y, TWO, w),
    "cross entropy": lambda z, y, w: cross_entropy(z, y, TWO, w),
    "calibration": lambda z, y, w: calibration(z, y, TWO, weight=w),
    "temperature": lambda z, y, w: fit_temperature(z, y, TWO, w),
    "efficiency curves": lambda z, y, w: efficiency_curves(
        z, y, TWO, z[:, 0], [0, 1], comparison="top vs QCD", signal=0.5, weight=w
    ),
    "evaluation": lambda z, y, w: evaluate(z, y, TWO, weight=w, replicas=2),
    "paired accuracy": lambda z, y, w: compare_accuracy((z, y), (z, y), weight=w),
    "paired auc": lambda z, y, w: compare_auc((z, y), (z, y), TWO, weight=w),
    "paired rejection": lambda z, y, w: compare_rejection((z, y), (z, y), TWO, "top vs QCD", 0.5, weight=w),
}
BY_CLASS = {
    "ranking": "signal",
    "comparison": "top vs QCD: the weights of the signal",
    "one-vs-one auc": "top",
    "confusion": "top",
    "efficiency curves": "signal",
    "evaluation": "top",
    "paired auc": "top",
    "paired rejection": "top vs QCD: the weights of the signal",
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([1.0, 1.0, 1.0, np.nan], "weights of 1 jets are NaN or infinite: leave these jets out"),
        ([np.inf, 1.0, 1.0, -np.inf], "weights of 2 jets are NaN or infinite: leave these jets out"),
        ([1.0, 1.0, 1.0], r"one number for each of 4 jets, got shape \(3,\)"),
        ([[1.0], [1.0], [1.0], [1.0]], r"one number for each of 4 jets, got shape \(4, 1\)"),
    ],
)
def test_weights_that_are_no_numbers_are_refused(call: str, bad: list[float], message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        CALLS[call](np.eye(2)[[0, 1, 0, 1]], np.array([0, 0, 1, 1]), np.array(bad))


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("weight", [[0.1, 0.2, 0.3, -0.6, -0.1, 0.1], [-1.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0] * 6])
def test_weights_that_sum_to_nothing_are_refused(call: str, weight: list[float]) -> None:
    """The first sums to 1e-17 in this order: what rounding leaves of weights that cancel is nothing."""
    label = np.array([0, 0, 0, 0, 1, 1])
    with pytest.raises(JetkitError, match=r"jets sum to .*, not above zero: take more of these jets"):
        CALLS[call](np.eye(2)[[0, 1, 0, 1, 0, 1]], label, np.array(weight))


@pytest.mark.parametrize("call", BY_CLASS)
def test_a_class_whose_weights_sum_to_nothing_is_named(call: str) -> None:
    logits, label = np.eye(2)[[0, 1, 0, 1, 0, 1]], np.array([0, 0, 0, 1, 1, 1])
    with pytest.raises(JetkitError, match=f"{BY_CLASS[call]} jets sum to -0.5, not above zero"):
        CALLS[call](logits, label, np.array([1.0, 1.0, 1.0, 1.0, -2.0, 0.5]))


@pytest.mark.parametrize("call", ["cross entropy", "one-vs-one auc", "evaluation", "paired auc"])
def test_jets_that_weigh_as_one_have_no_error(call: str) -> None:
    logits, label = np.eye(2)[[0, 1, 0, 1]], np.array([0, 0, 1, 1])
    with pytest.raises(JetkitError, match=r"two jets or more.*, these weigh as 1\.[12]"):
        CALLS[call](logits, label, np.array([1.0, 0.01, 0.1, 0.01]))
