"""Pictures of a leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jetkit.evaluation.number import Number, SeedSummary
from jetkit.reporting.figure import COLOURS, WIDTH, drawing, new_figure, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TICKS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
LINE = 0.19
"""Height of a tagger's line, in inches."""


def auc_ranking(points: Sequence[tuple[str, Number, float | None]]) -> Figure:
    """1 − AUC of each tagger, the best on top; hollow where published.

    Raises:
        JetkitError: matplotlib or mplhep is absent.
    """
    with drawing():
        figure = new_figure(WIDTH, 0.9 + LINE * len(points))
        axes = figure.subplots()
        for place, (_, auc, published) in enumerate(points):
            axes.errorbar(1 - auc.value, place, xerr=auc.error, fmt="o", ms=4, color=COLOURS[0], capsize=0)
            if published is not None:
                axes.plot(1 - published, place, "D", ms=4, color=COLOURS[2], fillstyle="none")
        axes.set(xscale="log", xlabel="1 − AUC", ylim=(len(points) - 0.4, -0.6))
        low, high = axes.get_xlim()
        axes.set_xticks([tick for tick in TICKS if low <= tick <= high], [f"{t:g}" for t in TICKS if low <= t <= high])
        axes.set_xticks([], minor=True)
        axes.set_yticks(range(len(points)), [plain(name, 22) for name, _, _ in points], fontsize=8)
        axes.tick_params(axis="y", which="minor", left=False, right=False)
        axes.grid(axis="y", linewidth=0.4, alpha=0.5)
    return figure


def rejection_against_cost(points: Sequence[tuple[str, float, Number | SeedSummary]]) -> Figure:
    """1/ε_B of each tagger against the floating-point operations of a jet.

    Raises:
        JetkitError: matplotlib or mplhep is absent.
    """
    with drawing():
        figure = new_figure(WIDTH, WIDTH)
        axes = figure.subplots()
        for number, (name, cost, rejection) in enumerate(points):
            value = rejection.mean if isinstance(rejection, SeedSummary) else rejection.value
            axes.plot(cost, value, "o", ms=4, color=COLOURS[number % len(COLOURS)])
            axes.annotate(plain(name, 22), (cost, value), xytext=(3, 3), textcoords="offset points", fontsize=6)
        axes.set(xscale="log", yscale="log", xlabel="operations a jet", ylabel=r"$1/\epsilon_B$")
    return figure
