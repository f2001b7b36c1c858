"""The confusion matrix, each row normalised to the jets of one true class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from pydantic.dataclasses import dataclass

from jetkit.errors import JetkitError
from jetkit.evaluate.interval import binomial_error, effective_count
from jetkit.evaluate.record import Record
from jetkit.evaluate.scores import checked_label, checked_logits, checked_weight


@dataclass(frozen=True)
class Confusion(Record):
    """Share of the jets of each true class (row) that are given to each class (column).

    Attributes:
        rate: rows sum to one.
        error: half the width of the Wilson interval of each share.
        jets: of each true class.
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

    Raises:
        JetkitError: logits, label and weight do not fit each other, or a class has no jets.

    Example:
        >>> confusion(np.eye(2)[[0, 1, 1, 1]], np.array([0, 0, 1, 1]), ["QCD", "top"]).rate
        ((0.5, 0.5), (0.0, 1.0))
    """
    logits = checked_logits(logits, classes)
    label = checked_label(label, classes, len(logits))
    weight = checked_weight(weight, len(logits))
    count = len(classes)
    cell = label * count + logits.argmax(axis=1)
    sums = np.bincount(cell, weights=weight, minlength=count**2).reshape(count, count)
    totals = sums.sum(axis=1, keepdims=True)
    if not totals.all():
        raise JetkitError(f"there are no jets of {classes[int(totals.argmin())]}")
    rate = sums / totals
    effective = np.array([effective_count(weight[label == index]) for index in range(count)])
    error = binomial_error(rate, np.broadcast_to(effective[:, None], rate.shape))
    jets = np.bincount(label, minlength=count)
    return Confusion(tuple(classes), _rows(rate), _rows(error), tuple(jets.tolist()))


def _rows(matrix: Float[np.ndarray, "C C"]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())
