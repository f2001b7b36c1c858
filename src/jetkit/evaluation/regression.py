"""How well quantities are regressed: bias, resolution and root mean square error, each with its error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from jetkit.errors import JetkitError
from jetkit.evaluation.bootstrap import bootstrap_counts
from jetkit.evaluation.number import Number
from jetkit.evaluation.result import EVALUATION, Predicted, Result
from jetkit.registry import register

Measure = Callable[[Float[np.ndarray, " R"], Float[np.ndarray, " R"]], float]
"""From residuals and weights to a number."""


def weighted_quantile(values: Float[np.ndarray, " R"], weight: Float[np.ndarray, " R"], share: float) -> float:
    """Return the least value up to which a share of the weights lies; NaN where they do not sum to more than zero.

    Example:
        >>> weighted_quantile(np.array([3.0, 1.0, 2.0]), np.ones(3), 0.5)
        2.0
    """
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weight[order])
    if not cumulative[-1] > 0:
        return np.nan
    return float(values[order][np.argmax(cumulative >= share * cumulative[-1])])


MEASURES: dict[str, Measure] = {
    "bias": lambda residual, weight: weighted_quantile(residual, weight, 0.5),
    "resolution": lambda residual, weight: (
        (weighted_quantile(residual, weight, 0.8413) - weighted_quantile(residual, weight, 0.1587)) / 2
    ),
    "rmse": lambda residual, weight: (
        float(np.sqrt(max(np.average(residual**2, weights=weight), 0.0))) if weight.sum() > 0 else np.nan
    ),
}
"""Of the residuals prediction − truth: their median, half the central interval of 68.3 %, root mean square."""


@register("regression", kind=EVALUATION)
def regression(predicted: Predicted, *, replicas: int = 200, seed: int = 0) -> Result:
    """Return bias, resolution and root mean square error of each regressed target, in its unit.

    Beside the resolution stands that of a constant, the median of the truth: what knows nothing. The errors are those
    of a bootstrap over the rows. Of several values a row, such as quantiles, the one that is predicted as ``NAME
    central`` counts.

    Raises:
        JetkitError: nothing that was predicted is among the targets, or it has several values a row.

    Example:
        >>> truth = np.linspace(80.0, 100.0, 400)
        >>> found = Predicted({"jet_mass": truth + 1.0}, {"jet_mass": truth}, np.ones(400), np.arange(400))
        >>> regression(found, replicas=20).numbers["jet_mass bias"].value
        1.0
    """
    names = [name for name in predicted.values if name in predicted.targets]
    if not names:
        raise JetkitError("no predicted quantity is among the targets: evaluate a run of task=regress")
    numbers = {}
    for name in names:
        truth = predicted.targets[name].astype(np.float64)
        central = predicted.values.get(f"{name} central", predicted.values[name]).astype(np.float64)
        if central.ndim > 1:
            raise JetkitError(f"{name} has several values a row: predict one of them as {name} central")
        for measure, residual in {**dict.fromkeys(MEASURES, central - truth), "constant": truth}.items():
            call = MEASURES["resolution" if measure == "constant" else measure]
            label = "resolution of a constant" if measure == "constant" else measure
            numbers[f"{name} {label}"] = _with_error(call, residual, predicted, replicas, seed)
    return Result("regression", numbers)


def _with_error(
    call: Measure, residual: Float[np.ndarray, " R"], predicted: Predicted, replicas: int, seed: int
) -> Number:
    weight = predicted.weight.astype(np.float64)
    again = [call(residual, weight * bootstrap_counts(predicted.row, replica, seed)) for replica in range(replicas)]
    return Number(call(residual, weight), float(np.nanstd(again, ddof=1)), len(residual))
