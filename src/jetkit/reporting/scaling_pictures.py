"""Pictures of a scaling law: losses of runs as points, the fitted law as lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from jetkit.evaluation.number import Number
from jetkit.reporting.figure import COLOURS, WIDTH, drawing, legend, new_figure, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "D", "^", "v")
SUFFIXES = ("", "k", "M", "G", "T")
STEPS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0))
"""Ticks of a decade, from few to many."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Runs of one width or of one number of jets, and the law for it."""

    name: str
    x: Sequence[float]
    losses: Sequence[Number]
    law: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]


def losses_against(curves: Sequence[Curve], label: str, optimum: Curve | None = None) -> Figure:
    """Loss against a quantity on a logarithmic axis: points with errors, the law through them, the optimum in black.

    Raises:
        JetkitError: matplotlib or mplhep is absent.
    """
    with drawing():
        figure = new_figure(WIDTH, 3.9)
        axes = figure.subplots()
        for number, curve in enumerate(curves):
            colour = COLOURS[number % len(COLOURS)]
            axes.errorbar(
                curve.x,
                [loss.value for loss in curve.losses],
                [loss.error or 0.0 for loss in curve.losses],
                fmt=MARKERS[number % len(MARKERS)],
                ms=4.5,
                elinewidth=0.9,
                label=plain(curve.name),
                color=colour,
            )
            axes.plot(*curve.law, lw=1.0, color=colour)
        names = [curve.name for curve in curves]
        if optimum is not None:
            axes.plot(*optimum.law, color="black", ls="--", lw=1.6, label=optimum.name)
            names.append(optimum.name)
        axes.set(xscale="log", xlabel=label, ylabel="cross entropy of test jets")
        _round_ticks(axes)
        legend(figure, names)
    return figure


def _round_ticks(axes: Axes) -> None:
    """From three to six or so labelled ticks, whatever the range."""
    low, high = axes.get_xlim()
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for steps in STEPS:
        ticks = [float(step * decade) for decade in decades for step in steps if low <= step * decade <= high]
        if len(ticks) >= 3:
            break
    if len(ticks) > 6:
        ticks = ticks[:: -(-len(ticks) // 6)]
    axes.set_xticks(ticks, [short(tick) for tick in ticks])
    axes.set_xticks([], minor=True)


def short(number: float) -> str:
    """A round number as an axis has it.

    Example:
        >>> short(300), short(2e4), short(1e13), short(1e16)
        ('300', '20k', '10T', '$10^{16}$')
    """
    thousands = int(np.floor(np.log10(number) + 1e-9)) // 3
    if thousands >= len(SUFFIXES):
        power = int(np.floor(np.log10(number) + 1e-9))
        factor = round(number / 10.0**power)
        return f"$10^{{{power}}}$" if factor == 1 else rf"${factor}\cdot10^{{{power}}}$"
    return f"{number / 1000.0**thousands:g}{SUFFIXES[thousands]}" if thousands > 0 else f"{number:g}"
