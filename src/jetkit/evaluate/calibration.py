"""Does a predicted probability of 80 % come true in 80 % of the jets?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic.dataclasses import dataclass

from jetkit.errors import JetkitError
from jetkit.evaluate.interval import wilson_interval
from jetkit.evaluate.number import Number
from jetkit.evaluate.record import Record
from jetkit.evaluate.scores import checked_label, checked_logits, checked_weight, probabilities


@dataclass(frozen=True)
class Calibration(Record):
    """Jets in bins of the predicted probability; empty bins are left out.

    Attributes:
        predicted: mean predicted probability of each bin.
        observed: share of its jets for which the prediction came true.
        low: lower end of the Wilson interval of ``observed`` (68 %).
        high: upper end of the Wilson interval of ``observed`` (68 %).
        jets: in each bin.
        expected_error: Σ_b w_b |observed − predicted|, the expected calibration error.
        chance: what `expected_error` would be on average, from the number of jets alone, were the tagger calibrated.
    """

    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    jets: tuple[int, ...]
    expected_error: Number
    chance: float


def calibration(
    logits: Float[np.ndarray, "B C"],
    label: Int[np.ndarray, " B"],
    classes: Sequence[str],
    *,
    of: str | None = None,
    bins: int = 15,
    weight: Float[np.ndarray, " B"] | None = None,
) -> Calibration:
    """Calibration of the probability of one class, ``of``, or, without it, of each jet's most probable class.

    Raises:
        JetkitError: logits, label and weight do not fit each other, the class is unknown, or bins is not positive.

    Example:
        >>> logits = np.log([[0.9, 0.1]] * 10)
        >>> calibration(logits, np.array([0] * 9 + [1]), ["QCD", "top"]).expected_error.text()
        '0.000 ± 0.097'
    """
    logits = checked_logits(logits, classes)
    label = checked_label(label, classes, len(logits))
    p = probabilities(logits)
    if of is None:
        best = p.argmax(axis=1)
        return reliability(p[np.arange(len(p)), best], best == label, bins=bins, weight=weight)
    if of not in classes:
        raise JetkitError(f"unknown class {of!r}; known: {', '.join(classes)}")
    index = list(classes).index(of)
    return reliability(p[:, index], label == index, bins=bins, weight=weight)


def reliability(
    probability: Float[np.ndarray, " B"],
    true: Bool[np.ndarray, " B"],
    *,
    bins: int = 15,
    weight: Float[np.ndarray, " B"] | None = None,
) -> Calibration:
    """Predicted probabilities against how often they came true, in bins of equal width.

    The error of the expected calibration error treats bins as independent. The expected calibration error is positive
    even for a calibrated tagger: compare it with ``chance``, Σ_b w_b √(2/π) σ_b.

    Source: On Calibration of Modern Neural Networks, 2017, arXiv:1706.04599.

    Raises:
        JetkitError: probabilities are not between 0 and 1, the lengths differ, or bins is not positive.

    Example:
        >>> reliability(np.array([0.2, 0.2, 0.8, 0.8]), np.array([False, True, True, True]), bins=2).observed
        (0.5, 1.0)
    """
    p, true = np.asarray(probability, dtype=np.float64), np.asarray(true, dtype=bool)
    if p.ndim != 1 or not len(p) or true.shape != p.shape or not ((p >= 0) & (p <= 1)).all():
        raise JetkitError(f"calibration needs one probability between 0 and 1 a jet, got shape {p.shape}")
    if bins < 1:
        raise JetkitError(f"calibration needs one bin or more, got {bins}")
    w = checked_weight(weight, len(p))
    number = np.minimum((p * bins).astype(np.int64), bins - 1)

    def sums(x: Float[np.ndarray, " B"]) -> Float[np.ndarray, " b"]:
        return np.bincount(number, weights=x, minlength=bins)[filled]

    filled = np.bincount(number, weights=w, minlength=bins) > 0
    total = sums(w)
    predicted, observed = sums(w * p) / total, sums(w * true) / total
    effective = total**2 / sums(w**2)
    low, high = wilson_interval(observed, effective)
    share = total / total.sum()
    if_calibrated = np.sqrt(sums(w**2 * p * (1 - p))) / total
    error = float(np.sqrt(np.sum((share * (high - low) / 2) ** 2)))
    return Calibration(
        predicted=tuple(predicted.tolist()),
        observed=tuple(observed.tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        jets=tuple(np.bincount(number, minlength=bins)[filled].tolist()),
        expected_error=Number(float(share @ np.abs(observed - predicted)), error, len(p)),
        chance=float(np.sqrt(2 / np.pi) * share @ if_calibrated),
    )
