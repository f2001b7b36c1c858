"""What pretraining is worth, in labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from jetkit.errors import JetkitError
from jetkit.evaluate.number import Number

REPLICAS = 2000
"""Of the curve and the value, drawn within their errors."""
SEED = 0
ONE_SIDED = 1.645
"""Standard deviations of a limit at 95 % confidence."""


def label_efficiency(labels: Sequence[int], scratch: Sequence[Number], pretrained: Number, at: int) -> Number:
    """N_scratch/N: how many times the labels training from scratch needs to reach a value that N labels gave.

    The values from scratch rise with ln N along straight lines; a point below the one before it counts as equal to it,
    and a value beyond the curve as its end. The error is the spread over curves and values drawn within their errors.
    A value surely above the whole curve gives the limit N_max/N.

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
    best = curve.argmax()
    if pretrained.value - curve[best] > ONE_SIDED * np.hypot(pretrained.error, errors[best]):
        return Number(labels[-1] / at, None, jets=pretrained.jets, limit="lower")
    random = np.random.default_rng(SEED)
    curves = random.normal(curve, errors, (REPLICAS, len(curve)))
    values = random.normal(pretrained.value, pretrained.error, REPLICAS)
    drawn = [_crossing(axis, one, value) for one, value in zip(curves, values, strict=True)]
    factor = float(np.exp(_crossing(axis, curve, pretrained.value)) / at)
    return Number(factor, factor * float(np.std(drawn)), jets=pretrained.jets)


def _crossing(axis: Float[np.ndarray, " n"], curve: Float[np.ndarray, " n"], value: float) -> float:
    """Where a curve reaches a value; its ends where it does not."""
    rising = np.maximum.accumulate(curve) + 1e-12 * np.arange(len(curve))
    return float(np.interp(value, rising, axis))
