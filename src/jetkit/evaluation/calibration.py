"""Does a predicted probability of 80 % come true in 80 % of the jets?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic.dataclasses import dataclass

from jetkit.errors import JetkitError
from jetkit.evaluation.interval import binomial_error, effective_count, share_variance, wilson_interval
from jetkit.evaluation.number import Number
from jetkit.evaluation.record import Record
from jetkit.evaluation.scores import (
    CANCELLED,
    checked_label,
    checked_logits,
    checked_weight,
    probabilities,
    weight_sum,
)


@dataclass(frozen=True)
class Calibration(Record):
    """Jets in bins of the predicted probability, without those bins whose jets' weights do not sum to more than zero.

    Attributes:
        predicted: mean predicted probability of each bin; like all means and shares here, weighted.
        observed: share of its jets for which the prediction came true.
        low: lower end of the Wilson interval of ``observed`` (68 %).
        high: upper end of the Wilson interval of ``observed`` (68 %).
        jets: in each bin, whatever their weights.
        expected_error: Σ_b w_b |observed − predicted|, the expected calibration error, w_b being the share of jets in a
            bin.
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
        JetkitError: logits, label and weight do not fit each other, the class is unknown, bins is not positive, or the
            weights do not sum to more than zero.

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

    With weights w the term of a bin is |Σw(t − p)|/Σ_all w, t being 1 where the prediction came true and else 0. So a
    bin without a point counts as well, if its weights sum to zero or less.

    Source: On Calibration of Modern Neural Networks, 2017, arXiv:1706.04599.

    Raises:
        JetkitError: probabilities are not between 0 and 1, the lengths differ, bins is not positive, or the weights do
            not sum to more than zero.

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
    everything = float(len(p)) if weight is None else weight_sum(w, "the jets")
    number = np.minimum((p * bins).astype(np.int64), bins - 1)

    def sums(x: Float[np.ndarray, " B"]) -> Float[np.ndarray, " bins"]:
        return np.bincount(number, weights=x, minlength=bins)

    filled = sums(w) > (0 if weight is None else CANCELLED * sums(np.abs(w)))
    total, squares = sums(w)[filled], sums(w**2)[filled]
    predicted, observed = sums(w * p)[filled] / total, sums(w * true)[filled] / total
    variance = None if weight is None else share_variance(observed, total, squares, sums(w**2 * true)[filled])
    low, high = wilson_interval(observed, total**2 / squares, variance=variance)
    share = total / everything
    noise = sums(p * (1 - p) if weight is None else _noise_if_calibrated(p, true, w))
    value = share @ np.abs(observed - predicted)
    square = np.sum((share * binomial_error(observed, total**2 / squares, variance)) ** 2)
    chance = np.sqrt(2 / np.pi) * share @ (np.sqrt(noise[filled]) / total)
    if weight is not None:  # bins without a point
        gap = w * (true - p)
        value += np.abs(sums(gap)[~filled]).sum() / everything
        square += sums(gap**2)[~filled].sum() / everything**2
        chance += np.sqrt(2 / np.pi) * np.sqrt(noise[~filled]).sum() / everything
    return Calibration(
        predicted=tuple(predicted.tolist()),
        observed=tuple(observed.tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        jets=tuple(np.bincount(number, minlength=bins)[filled].tolist()),
        expected_error=Number(
            float(value), float(np.sqrt(square)), len(p), n_eff=None if weight is None else effective_count(w)
        ),
        chance=float(chance),
    )


def _noise_if_calibrated(
    p: Float[np.ndarray, " B"], true: Bool[np.ndarray, " B"], w: Float[np.ndarray, " B"]
) -> Float[np.ndarray, " B"]:
    """What each jet adds to the mean of (Σw(t − p))² over calibrated samples: |w| p(1−p)[(1−p)u₁ + p u₀].

    u₁ and u₀ are Σw²/Σ|w| of the jets for which the prediction came true and of the others, whose weights may differ.
    It is p(1−p) for weights of one.
    """
    size, square = np.abs(w), w**2
    unit = [square[own].sum() / size[own].sum() if w[own].any() else 0.0 for own in (~true, true)]
    return np.asarray(size * p * (1 - p) * ((1 - p) * unit[1] + p * unit[0]))
