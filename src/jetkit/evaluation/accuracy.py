"""Accuracy: the share of jets whose most probable class is the true one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from jetkit.evaluation.interval import binomial_error, effective_count, share_variance
from jetkit.evaluation.number import Number
from jetkit.evaluation.scores import checked_label, checked_logits, checked_weight, weight_sum


def accuracy(
    logits: Float[np.ndarray, "B C"], label: Int[np.ndarray, " B"], weight: Float[np.ndarray, " B"] | None = None
) -> Number:
    """Share of jets whose largest logit (or probability) is that of the true class.

    Of equal logits the first counts. The error is half the Wilson interval: √(a(1−a)/n) for many jets, not zero when
    all are right. With weights w it is a = Σ_right w/Σw, and the error that of `share_variance` and n_eff = (Σw)²/Σw².

    Raises:
        JetkitError: logits, label and weight do not fit each other, or the weights do not sum to more than zero.

    Example:
        >>> print(accuracy(np.eye(2)[[0, 1, 1, 1]], np.array([0, 1, 1, 0])))
        0.75 ± 0.20
    """
    right = is_right(logits, label)
    w = checked_weight(weight, len(right))
    if weight is None:
        share = np.array(w @ right / w.sum())
        return Number(float(share), float(binomial_error(share, np.array(effective_count(w)))), len(right))
    total, squares = np.array(weight_sum(w, "the jets")), w**2
    share, n_eff = np.array(w @ right / total), effective_count(w)
    variance = share_variance(share, total, squares.sum(), squares[right].sum())
    return Number(float(share), float(binomial_error(share, np.array(n_eff), variance)), len(right), n_eff=n_eff)


def is_right(logits: Float[np.ndarray, "B C"], label: Int[np.ndarray, " B"]) -> Bool[np.ndarray, " B"]:
    """Whether the largest logit of each jet is that of its true class.

    Raises:
        JetkitError: logits and label do not fit each other.
    """
    classes = [str(index) for index in range(np.shape(logits)[-1])]
    logits = checked_logits(logits, classes)
    right: Bool[np.ndarray, " B"] = logits.argmax(axis=1) == checked_label(label, classes, len(logits))
    return right
