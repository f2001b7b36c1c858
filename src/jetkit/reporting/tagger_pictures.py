"""Pictures of taggers on test jets: numbers of the evaluation in, figures out.

A curve keeps its colour from picture to picture: the taggers come in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from jetkit.evaluation.calibration import Calibration
from jetkit.evaluation.confusion import Confusion
from jetkit.evaluation.efficiency import EfficiencyCurves
from jetkit.evaluation.rejection import MIN_BACKGROUND
from jetkit.evaluation.roc import Roc
from jetkit.reporting.figure import (
    COLOURS,
    WIDTH,
    colour_scale,
    drawing,
    label_outer,
    legend,
    line_style,
    new_figure,
    plain,
    square_panels,
    stacked,
)
from jetkit.reporting.pictures import bin_edges, draw_fractions, fractions, total_weight

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST = 10
"""Fewest jets of a class that make a point in a bin."""
Curve = tuple[str, Roc]
OfClasses = Mapping[str, Float[np.ndarray, " jets"]]
Panel = tuple[str, OfClasses]
Rows = tuple[tuple[float | None, ...], ...]


def rejection_curve(roc: Roc, passing: Float[np.ndarray, " points"] | None = None) -> Float[np.ndarray, "3 points"]:
    """1/ε_B and the ends of its band at each signal efficiency; NaN where fewer than ten background jets pass.

    Args:
        roc: curve with its band.
        passing: effective number of the background jets that pass, where jets have weights.

    Example:
        >>> roc = Roc((0.5, 1.0), (0.001, 0.5), (0.0005, 0.4), (0.002, 0.625), jets=(100, 100))
        >>> rejection_curve(roc).tolist()
        [[nan, 2.0], [nan, 1.6], [nan, 2.5]]
    """
    share = np.array([roc.background_efficiency, roc.high, roc.low])
    count = np.array(roc.background_efficiency) * roc.jets[1] if passing is None else passing
    enough = count >= MIN_BACKGROUND - 1e-9
    with np.errstate(divide="ignore"):
        return np.where(enough & (share > 0), 1 / share, np.nan)


def roc_curves(curves: Sequence[Curve], passing: Sequence[Float[np.ndarray, " points"] | None] | None = None) -> Figure:
    """1/ε_B against ε_S with bands of 68 %; of several taggers also the ratio to the first.

    Args:
        curves: name and curve of each tagger.
        passing: for each tagger what `rejection_curve` asks for.

    Raises:
        JetkitError: matplotlib or mplhep is absent.
    """
    with drawing():
        figure, drawn = stacked((2.6, 1.0), 4.6) if len(curves) > 1 else stacked((1.0,), 3.6)
        counts = passing or [None] * len(curves)
        rejections = [rejection_curve(roc, count) for (_, roc), count in zip(curves, counts, strict=True)]
        reference = rejections[0][0]
        for number, ((name, roc), values) in enumerate(zip(curves, rejections, strict=True)):
            look = line_style(number)
            for axes, (middle, low, high) in zip(drawn, (values, values / reference), strict=False):
                axes.plot(roc.signal_efficiency, middle, label=plain(name), **look)
                axes.fill_between(roc.signal_efficiency, low, high, color=look["color"], alpha=0.25, linewidth=0)
        drawn[0].set(yscale="log", ylim=(1, None), ylabel=r"background rejection $1/\epsilon_B$")
        if len(curves) > 1:
            drawn[1].set(ylim=_ratio_range(curves, [values[0] / reference for values in rejections]), ylabel="ratio")
        drawn[-1].set(xlim=(0, 1), xlabel=r"signal efficiency $\epsilon_S$")
        _legend_of(figure, drawn[0])
    return figure


def score_panels(panels: Sequence[Panel], label: str, weights: Sequence[OfClasses | None] | None = None) -> Figure:
    """Distributions of a score for the classes in each panel, on a logarithmic axis.

    Negative bins of weighted jets are left out; a line in the panel says how many.

    Args:
        panels: title, and the scores of each class.
        label: of the horizontal axis.
        weights: for each panel those of the jets of each class.

    Raises:
        JetkitError: there is no finite score, or matplotlib or mplhep is absent.
    """
    every = np.concatenate([values for _, classes in panels for values in classes.values()])
    edges = bin_edges(every, 40, "the score")
    of_panels = list(weights or [None] * len(panels))
    smallest = min(
        _least_fraction(values, None if own is None else own[name])
        for (_, classes), own in zip(panels, of_panels, strict=True)
        for name, values in classes.items()
    )
    with drawing():
        figure, drawn = square_panels(len(panels))
        for axes, (title, classes), own in zip(drawn, panels, of_panels, strict=True):
            draw_fractions(axes, classes, edges, own)
            if own is not None:
                _tell_negative(axes, sum(int((fractions(classes[k], edges, own[k])[0] < 0).sum()) for k in classes))
            axes.set(yscale="log", xlim=(edges[0], edges[-1]), ylim=(smallest / 2, None))
            axes.set_title(plain(title, 22 if len(panels) > 1 else 44))
        if any(axes.texts for axes in drawn):
            drawn[0].set_ylim(top=4 * drawn[0].get_ylim()[1])
        label_outer(figure, drawn, label, f"fraction of jets / {edges[1] - edges[0]:.3g}")
        _legend_of(figure, drawn[0])
    return figure


def confusion_matrix(confusion: Confusion) -> Figure:
    """Share of the jets of each true class (row) in each predicted class (column), in percent; blank below ½ %.

    Where weights make a share negative, its cell is white and has its number too.
    """
    count = len(confusion.classes)
    size = 10.0 if count <= 4 else 7.0
    rates = np.array(confusion.rate)
    with drawing():
        figure = new_figure(WIDTH, 4.2)
        axes = figure.subplots()
        axes.imshow(rates, **colour_scale(0.0, 1.0, logarithmic=False))
        for (row, column), rate in np.ndenumerate(rates):
            if abs(rate) >= 0.005:
                shown = f"{100 * rate:.1f}" if count <= 4 else f"{100 * rate:.0f}"
                colour = "white" if rate > 0.55 else "black"
                axes.text(column, row, shown, ha="center", va="center", color=colour, fontsize=size)
        ticks = [plain(name, 16) for name in confusion.classes]
        axes.set_xticks(range(count), ticks, rotation=90 if count > 4 else 0, fontsize=size + 1)
        axes.set_yticks(range(count), ticks, fontsize=size + 1)
        axes.minorticks_off()
        axes.tick_params(length=0)
        axes.set(xlabel="predicted class", ylabel="true class")
    return figure


def calibration_panels(taggers: Sequence[tuple[str, Calibration, Calibration | None]]) -> Figure:
    """Observed share against predicted probability, as trained and, where given, with a temperature.

    Points that negative weights carry out of [0, 1] are not shown.
    """
    lowest = min(min(curve.predicted) for _, *curves in taggers for curve in curves if curve is not None)
    start = min(max(np.floor(10 * lowest) / 10, 0.0), 0.5)
    with drawing():
        figure, drawn = square_panels(len(taggers))
        for axes, (name, before, after) in zip(drawn, taggers, strict=True):
            axes.plot([0, 1], [0, 1], color="black", linewidth=0.8)
            for curve, colour, marker, label in (
                (before, COLOURS[0], "o", "as trained"),
                (after, COLOURS[2], "s", "with temperature"),
            ):
                if curve is not None:
                    _calibration(axes, curve, colour, marker, label)
            axes.set(xlim=(start, 1.02), ylim=(start, 1.02))
            axes.set_title(plain(name, 22 if len(taggers) > 1 else 44))
        label_outer(figure, drawn, "predicted probability", "share that came true")
        _legend_of(figure, drawn[0])
    return figure


def efficiency_panels(taggers: Sequence[tuple[str, EfficiencyCurves]], sides: tuple[str, str], label: str) -> Figure:
    """Efficiency of the signal class (above) and of the background class (below) in bins of a quantity of the jet.

    Raises:
        JetkitError: matplotlib or mplhep is absent.
    """
    with drawing():
        figure, drawn = stacked((1.0, 1.0), 4.4)
        for axes, side, symbol in zip(drawn, sides, "SB", strict=True):
            for number, (name, curves) in enumerate(taggers):
                _efficiency(axes, curves, curves.classes.index(side), plain(name), number, len(taggers))
            axes.set_ylabel(rf"$\epsilon_{symbol}$ ({plain(side, 12)})")
        signal = [value for _, curves in taggers for value in _positive(curves, sides[0])]
        drawn[0].set_ylim(0, 1.05 * max([1.0, *signal]))
        edges = taggers[0][1].edges
        positive = [value for _, curves in taggers for value in _positive(curves, sides[1])] or [1.0]
        highest = max([3 * max(positive), *(1.5 * end for _, curves in taggers for end in _limits(curves, sides[1]))])
        drawn[1].set(yscale="log", ylim=(min(min(positive) / 3, max(positive) / 30), min(highest, 2.0)))
        drawn[1].set(xlim=(edges[0], edges[-1]), xlabel=label)
        _legend_of(figure, drawn[0])
    return figure


def _efficiency(axes: Axes, curves: EfficiencyCurves, row: int, name: str, number: int, of: int) -> None:
    """Points of one tagger, each next to those of the others; triangles where nothing passes, or less than nothing."""
    edges, look = np.array(curves.edges), line_style(number)
    middle = (edges[1:] + edges[:-1]) / 2 + (number - (of - 1) / 2) * 0.1 * (edges[1] - edges[0])
    enough = np.array(curves.jets[row]) >= FEWEST
    value, low, high = (
        np.where(enough, _numbers(rows, row), np.nan) for rows in (curves.efficiency, curves.low, curves.high)
    )
    none = value <= 0
    axes.plot(middle, np.where(none, np.nan, value), marker="o", markersize=3, label=name, **look)
    axes.vlines(middle[~none], low[~none], high[~none], color=look["color"], linewidth=0.9)
    axes.plot(middle[none], high[none], "v", markersize=4, markerfacecolor="none", color=look["color"])


def _least_fraction(values: Float[np.ndarray, " jets"], weight: Float[np.ndarray, " jets"] | None) -> float:
    """Fraction that a single jet is; with weights, one of the typical weight Σw²/Σ|w|."""
    if weight is None or not weight.any():
        return 1 / max(len(values), 1)
    return float(np.square(weight).sum() / np.abs(weight).sum() / total_weight(weight))


def _tell_negative(axes: Axes, bins: int) -> None:
    """Say how many bins a logarithmic axis cannot show."""
    if bins:
        text = f"{bins} negative {'bin' if bins == 1 else 'bins'} not shown"
        axes.text(0.97, 0.97, text, transform=axes.transAxes, ha="right", va="top", fontsize=7)


def _positive(curves: EfficiencyCurves, side: str) -> list[float]:
    row = curves.classes.index(side)
    return [value for value in curves.efficiency[row] if value and value > 0]


def _limits(curves: EfficiencyCurves, side: str) -> list[float]:
    """Upper ends of the intervals of the negative efficiencies of a class, which triangles show."""
    row = curves.classes.index(side)
    ends = zip(curves.efficiency[row], curves.high[row], curves.jets[row], strict=True)
    return [
        high for value, high, jets in ends if value is not None and high is not None and value < 0 and jets >= FEWEST
    ]


def _calibration(axes: Axes, curve: Calibration, colour: str, marker: str, label: str) -> None:
    below, above = np.subtract(curve.observed, curve.low), np.subtract(curve.high, curve.observed)
    axes.errorbar(
        curve.predicted, curve.observed, (np.maximum(below, 0), np.maximum(above, 0)), fmt=marker, markersize=3,
        linestyle="-", linewidth=0.8, elinewidth=0.9, color=colour, label=label,
    )  # fmt: skip


def _numbers(rows: Rows, row: int) -> Float[np.ndarray, " bins"]:
    return np.array([np.nan if value is None else value for value in rows[row]], dtype=np.float64)


def _ratio_range(curves: Sequence[Curve], drawn: Sequence[Float[np.ndarray, " points"]]) -> tuple[float, float]:
    """Room for all ratios between efficiencies of 10 % and 95 %, from 0 to 2 at most."""
    ratios = [
        value
        for (_, roc), values in zip(curves, drawn, strict=True)
        for value, efficiency in zip(values, roc.signal_efficiency, strict=True)
        if 0.1 <= efficiency <= 0.95 and np.isfinite(value)
    ]
    reach = max((abs(ratio - 1) for ratio in ratios), default=0.0) + 0.1
    return 1 - min(reach, 1.0), 1 + min(max(ratios, default=1.0) - 1 + 0.1, 1.0)


def _legend_of(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    legend(figure, labels, handles)
