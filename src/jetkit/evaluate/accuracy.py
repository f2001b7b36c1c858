"""Accuracy: the share of jets whose most probable class is the true one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from jetkit.evaluate.interval import binomial_error, effective_count
from jetkit.evaluate.number import Number
from jetkit.evaluate.scores import checked_label, checked_logits, checked_weight


def accuracy(
    logits: Float[np.ndarray, "B C"], label: Int[np.ndarray, " B"], weight: Float[np.ndarray, " B"] | None = None
) -> Number:
    """Share of jets whose largest logit (or probability) is that of the true class.

    Of equal logits the first counts. The error is half the Wilson interval: √(a(1−a)/n) for many jets, not zero when
    all are right.

    Raises:
        JetkitError: logits, label and weight do not fit each other.

    Example:
        >>> print(accuracy(np.eye(2)[[0, 1, 1, 1]], np.array([0, 1, 1, 0])))
        0.75 ± 0.20
    """
    right = is_right(logits, label)
    weight = checked_weight(weight, len(right))
    share = np.array(weight @ right / weight.sum())
    error = binomial_error(share, np.array(effective_count(weight)))
    return Number(float(share), float(error), len(right))


def is_right(logits: Float[np.ndarray, "B C"], label: Int[np.ndarray, " B"]) -> Bool[np.ndarray, " B"]:
    """Whether the largest logit of each jet is that of its true class.

    Raises:
        JetkitError: logits and label do not fit each other.
    """
    classes = [str(index) for index in range(np.shape(logits)[-1])]
    logits = checked_logits(logits, classes)
    right: Bool[np.ndarray, " B"] = logits.argmax(axis=1) == checked_label(label, classes, len(logits))
    return right
