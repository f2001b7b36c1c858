"""Pictures of what pretraining brings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jetkit.evaluation.number import Number
from jetkit.reporting.figure import COLOURS, WIDTH, drawing, legend, line_style, new_figure, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def curves_against_labels(curves: Sequence[tuple[str, Sequence[tuple[int, Number]]]], quantity: str) -> Figure:
    """A quantity against the number of labels, with bands; a limit is an arrow.

    Raises:
        JetkitError: matplotlib or mplhep is absent.
    """
    with drawing():
        figure = new_figure(WIDTH, WIDTH)
        axes = figure.subplots()
        names = [plain(name) for name, _ in curves]
        for number, (name, (_, points)) in enumerate(zip(names, curves, strict=True)):
            labels = np.array([size for size, _ in points])
            values = np.array([point.value for _, point in points])
            errors = np.array([point.error or 0.0 for _, point in points])
            limits = np.array([point.error is None for _, point in points])
            style = line_style(number)
            axes.plot(labels, values, **style, marker="o", ms=3, label=name)
            axes.fill_between(labels, values - errors, values + errors, color=style["color"], alpha=0.2, lw=0)
            axes.plot(labels[limits], values[limits], "^", ms=7, color=COLOURS[number % len(COLOURS)])
        axes.set(xscale="log", xlabel="labelled jets", ylabel=plain(quantity).replace("ε_B", r"$\epsilon_B$"))
        sizes = sorted({size for _, points in curves for size, _ in points})
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.set_xticks([], minor=True)
        legend(figure, names)
    return figure
