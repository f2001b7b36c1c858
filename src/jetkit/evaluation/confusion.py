"""The confusion matrix, each row normalised to the jets of one true class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from pydantic.dataclasses import dataclass

from jetkit.errors import JetkitError
from jetkit.evaluation.interval import binomial_error, effective_count, share_variance
from jetkit.evaluation.record import Record
from jetkit.evaluation.scores import checked_label, checked_logits, checked_weight, weight_sum


@dataclass(frozen=True)
class Confusion(Record):
    """Share of the jets of each true class (row) that are given to each class (column).

    Attributes:
        rate: rows sum to one; with negative weights a share can lie outside [0, 1].
        error: half the width of the Wilson interval of each share.
        jets: of each true class, whatever their weights.
    """

    classes: tuple[str, ...]
    rate: tuple[tuple[float, ...], ...]
    error: tuple[tuple[float, ...], ...]
    jets: tuple[int, ...]


def confusion(
    logits: Float[np.ndarray, "B C"],
    label: Int[np.ndarray, " B"],
    classes: Sequence[str],
    weight: Float[np.ndarray, " B"] | None = None,
) -> Confusion:
    """Where the jets of each true class go when each jet is given to the class of its largest logit.

    Jets count with their weights, and errors are then those of `share_variance` and of each class's n_eff = (Σw)²/Σw².

    Raises:
        JetkitError: logits, label and weight do not fit each other, a class has no jets, or its weights do not sum to
            more than zero.

    Example:
        >>> confusion(np.eye(2)[[0, 1, 1, 1]], np.array([0, 0, 1, 1]), ["QCD", "top"]).rate
        ((0.5, 0.5), (0.0, 1.0))
    """
    logits = checked_logits(logits, classes)
    label = checked_label(label, classes, len(logits))
    w = checked_weight(weight, len(logits))
    count = len(classes)
    jets = np.bincount(label, minlength=count)
    if not jets.all():
        raise JetkitError(f"there are no jets of {classes[int(jets.argmin())]}")
    cell = label * count + logits.argmax(axis=1)

    def sums(x: Float[np.ndarray, " B"]) -> Float[np.ndarray, "C C"]:
        return np.bincount(cell, weights=x, minlength=count**2).reshape(count, count)

    of_class = [w[label == index] for index in range(count)]
    if weight is not None:
        for name, own in zip(classes, of_class, strict=True):
            weight_sum(own, f"the {name} jets")
    passing = sums(w)
    totals = passing.sum(axis=1, keepdims=True)
    rate, variance = passing / totals, None
    if weight is not None:
        squares = sums(w**2)
        variance = share_variance(rate, totals, squares.sum(axis=1, keepdims=True), squares)
    effective = np.array([effective_count(own) for own in of_class])
    error = binomial_error(rate, np.broadcast_to(effective[:, None], rate.shape), variance)
    return Confusion(tuple(classes), _rows(rate), _rows(error), tuple(jets.tolist()))


def _rows(matrix: Float[np.ndarray, "C C"]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())
