"""What pretraining is worth, in labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from jetkit.errors import JetkitError
from jetkit.evaluation.number import Number

REPLICAS = 2000
"""Of the curve and the value, drawn within their errors."""
SEED = 0
CONFIDENCE = 0.95
"""Of a limit."""
BEYOND = 0.16
"""Share of the draws beyond an end of the curve from which on the error on that side is not known."""


def label_efficiency(labels: Sequence[int], scratch: Sequence[Number], pretrained: Number, at: int) -> Number:
    """N_scratch/N: how many times the labels training from scratch needs to reach a value that N labels gave.

    The values from scratch rise with ln N along straight lines; a point below the one before it counts as equal to it,
    and a value beyond the curve as its end. The error is the spread over curves and values drawn within their errors.
    Where more than 16 % of them lie above the curve there is a lower limit only, N_max/N if nearly all do; below it, an
    upper one.

    Args:
        labels: sizes of the training from scratch, rising
        scratch: the value at each
        pretrained: value of the pretrained model
        at: N, its number of labels

    Raises:
        JetkitError: fewer than two sizes, sizes that do not rise, or limits among the values.

    Example:
        >>> curve = [Number(0.5, 0.01, jets=1000), Number(0.6, 0.01, jets=1000), Number(0.7, 0.01, jets=1000)]
        >>> print(label_efficiency([100, 1000, 10000], curve, Number(0.6, 0.01, jets=1000), at=100))
        10.0 ± 3.0
        >>> print(label_efficiency([100, 1000, 10000], curve, Number(0.8, 0.01, jets=1000), at=1000))
        > 10 (95 % CL)
    """
    if len(labels) < 2 or len(labels) != len(scratch) or any(np.diff(labels) <= 0):
        raise JetkitError(
            "a label efficiency needs two rising numbers of labels or more, with a value from scratch each"
        )
    if pretrained.error is None or any(number.error is None for number in scratch):
        raise JetkitError("a label efficiency needs values with errors, not limits")
    axis = np.log(labels)
    curve, errors = np.array([(number.value, number.error) for number in scratch]).T
    random = np.random.default_rng(SEED)
    curves = random.normal(curve, errors, (REPLICAS, len(curve)))
    values = random.normal(pretrained.value, pretrained.error, REPLICAS)
    drawn = np.array([_crossing(axis, one, value) for one, value in zip(curves, values, strict=True)])
    limits: tuple[tuple[Literal["lower", "upper"], int, float], ...]
    limits = ("lower", -1, 1 - CONFIDENCE), ("upper", 0, CONFIDENCE)
    for limit, end, share in limits:
        if np.mean(drawn == axis[end]) > BEYOND:
            return Number(float(np.exp(np.quantile(drawn, share))) / at, None, jets=pretrained.jets, limit=limit)
    factor = float(np.exp(_crossing(axis, curve, pretrained.value)) / at)
    return Number(factor, factor * float(np.std(drawn)), jets=pretrained.jets)


def _crossing(axis: Float[np.ndarray, " n"], curve: Float[np.ndarray, " n"], value: float) -> float:
    """Where a curve reaches a value; its ends where it does not."""
    rising = np.maximum.accumulate(curve) + 1e-12 * np.arange(len(curve))
    return float(np.interp(value, rising, axis))
