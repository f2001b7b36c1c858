"""Efficiency of one working point against another quantity, such as the pT of the jet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from pydantic.dataclasses import dataclass

from jetkit.errors import JetkitError
from jetkit.evaluation.comparison import Comparison, parse_comparison
from jetkit.evaluation.interval import share_variance, wilson_interval
from jetkit.evaluation.record import Record
from jetkit.evaluation.scores import CANCELLED, checked_label, checked_logits, checked_weight


@dataclass(frozen=True)
class EfficiencyCurves(Record):
    """Share of jets that pass one threshold, in bins of a variable, for each class (row).

    Attributes:
        threshold: on the score ln Σ_S p − ln Σ_B p.
        edges: of the bins; one more than bins.
        efficiency: Σ_pass w/Σw; None in a bin without jets of the class, or where their weights do not sum to more than
            zero. With negative weights it can lie outside [0, 1].
        low: lower end of the Wilson interval (68 %).
        high: upper end of the Wilson interval (68 %).
        jets: in each bin, whatever their weights.
    """

    comparison: str
    threshold: float
    classes: tuple[str, ...]
    edges: tuple[float, ...]
    efficiency: tuple[tuple[float | None, ...], ...]
    low: tuple[tuple[float | None, ...], ...]
    high: tuple[tuple[float | None, ...], ...]
    jets: tuple[tuple[int, ...], ...]


def efficiency_curves(
    logits: Float[np.ndarray, "B C"],
    label: Int[np.ndarray, " B"],
    classes: Sequence[str],
    variable: Float[np.ndarray, " B"],
    edges: Sequence[float],
    *,
    comparison: str | Comparison,
    signal: float | None = None,
    background: float | None = None,
    weight: Float[np.ndarray, " B"] | None = None,
) -> EfficiencyCurves:
    """Efficiency of every class in bins of a variable, at one threshold for all jets.

    The threshold keeps at least the fraction ``signal`` of all signal jets or at most the fraction ``background`` of
    all background jets; give one of the two. A bin holds its lower edge, the last one its upper edge too; jets outside
    the bins count for the threshold only. Where negative weights make several thresholds possible, `Ranking` says which
    is taken. With weights the intervals are those of `share_variance` and n_eff = (Σw)²/Σw² in each bin.

    Raises:
        JetkitError: the arrays do not fit each other, edges do not rise, the comparison cannot be read, not exactly one
            of signal and background is given, no threshold passes so little background, or the weights of signal or
            background do not sum to more than zero.

    Example:
        >>> score = np.array([1.0, 2.0, 3.0, 4.0, 1.5, 0.5])
        >>> logits, label = np.stack([0 * score, score], axis=1), np.array([1, 1, 1, 1, 0, 0])
        >>> pt = np.array([500.0, 510.0, 600.0, 610.0, 500.0, 600.0])
        >>> curves = efficiency_curves(
        ...     logits, label, ["QCD", "top"], pt, [500, 550, 650], comparison="top vs QCD", signal=0.75
        ... )
        >>> curves.efficiency
        ((0.0, 0.0), (0.5, 1.0))
    """
    logits = checked_logits(logits, classes)
    label = checked_label(label, classes, len(logits))
    w = checked_weight(weight, len(logits))
    bounds = _rising(edges)
    variable = np.asarray(variable, dtype=np.float64)
    if variable.shape != label.shape:
        raise JetkitError(f"the variable should be one number for each of {len(label)} jets, got {variable.shape}")
    chosen = parse_comparison(comparison, classes) if isinstance(comparison, str) else comparison
    score = chosen.score(logits)
    threshold = _threshold(chosen, score, label, weight, signal, background)
    bins = len(bounds) - 1
    number = np.searchsorted(bounds, variable, side="right") - 1
    number[variable == bounds[-1]] = bins - 1
    inside = (number >= 0) & (number < bins) & ~np.isnan(variable)
    shape = (len(classes), bins)

    def sums(x: Float[np.ndarray, " B"]) -> Float[np.ndarray, "C bins"]:
        cell = (label * bins + number)[inside]
        return np.bincount(cell, weights=x[inside], minlength=shape[0] * shape[1]).reshape(shape)

    total, squares, variance = sums(w), sums(w**2), None
    passed = score >= threshold
    with np.errstate(invalid="ignore"):
        if weight is not None:
            total = np.where(total > CANCELLED * sums(np.abs(w)), total, np.nan)
        rate = sums(w * passed) / total
        if weight is not None:
            variance = share_variance(rate, total, squares, sums(w**2 * passed))
        low, high = wilson_interval(rate, total**2 / squares, variance=variance)
    jets = sums(np.ones(len(label))).astype(int)
    counts = tuple(tuple(row) for row in jets.tolist())
    return EfficiencyCurves(
        chosen.text, threshold, tuple(classes), tuple(bounds.tolist()), _rows(rate), _rows(low), _rows(high), counts
    )


def _threshold(
    comparison: Comparison,
    score: Float[np.ndarray, " B"],
    label: Int[np.ndarray, " B"],
    weight: Float[np.ndarray, " B"] | None,
    signal: float | None,
    background: float | None,
) -> float:
    ranking = comparison.rank_by(score, label, weight)
    if signal is not None and background is None:
        return ranking.threshold(signal)
    if background is None or signal is not None:
        raise JetkitError("a working point is a signal efficiency or a background efficiency: give one of the two")
    threshold = ranking.background_threshold(background)
    if threshold == np.inf:
        raise JetkitError(f"{comparison.text}: no threshold passes so little background as {background:g}")
    return threshold


def _rising(edges: Sequence[float]) -> Float[np.ndarray, " edges"]:
    bounds = np.asarray(edges, dtype=np.float64)
    if bounds.ndim != 1 or len(bounds) < 2 or not (np.diff(bounds) > 0).all():
        raise JetkitError("the edges of bins should be two or more rising numbers")
    return bounds


def _rows(matrix: Float[np.ndarray, "C bins"]) -> tuple[tuple[float | None, ...], ...]:
    return tuple(tuple(None if np.isnan(x) else x for x in row) for row in matrix.tolist())
