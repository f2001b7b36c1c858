"""Pictures of what a jet costs a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetkit.reporting.figure import COLOURS, WIDTH, drawing, legend, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "D", "^", "v")
GREY = "#94a4a2"


@dataclass(frozen=True)
class Line:
    """A curve; lines of one name have one colour, those of training steps are dashed."""

    name: str
    points: Mapping[int, float]
    training: bool = False


def cost_against(lines: Sequence[Line], x: str, y: str, powers: Sequence[int] = ()) -> Figure:
    """A quantity of a jet against particles or batch, both logarithmic; grey: guides N and N².

    Raises:
        JetkitError: matplotlib or mplhep is absent.
    """
    with drawing():
        figure = new_figure(WIDTH, 3.9)
        axes = figure.subplots()
        names = list(dict.fromkeys(line.name for line in lines))
        for line in lines:
            number = names.index(line.name)
            axes.plot(
                list(line.points),
                list(line.points.values()),
                marker=MARKERS[number % len(MARKERS)],
                ms=4.5,
                color=COLOURS[number % len(COLOURS)],
                ls="--" if line.training else "-",
                markerfacecolor="white" if line.training else None,
            )
        axes.set(xscale="log", yscale="log", xlabel=x, ylabel=y)
        ticks = sorted({place for line in lines for place in line.points})
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.set_xticks([], minor=True)
        for power in powers if len(ticks) > 1 else ():
            _guide(axes, lines, power)
        _legend(figure, axes, names, with_training=any(line.training for line in lines))
    return figure


def _guide(axes: Axes, lines: Sequence[Line], power: int) -> None:
    """A grey line x^power that begins at a third of the lowest point, on the left."""
    places = sorted({place for line in lines for place in line.points})
    low, high = places[0], places[-1]
    bottom = min(value for line in lines for value in line.points.values()) / 3
    ends = [bottom, bottom * (high / low) ** power]
    axes.plot([low, high], ends, color=GREY, lw=0.9, ls=":", zorder=0)
    axes.annotate(
        "$N$" if power == 1 else f"$N^{power}$",
        (high, ends[1]),
        xytext=(-4, -3),
        textcoords="offset points",
        ha="right",
        va="top",
        color="#717581",
        fontsize=8.5,
    )


def _legend(figure: Figure, axes: Axes, names: Sequence[str], *, with_training: bool) -> None:
    """Colours and, where both are drawn, what is solid and what is dashed."""
    handles = [
        axes.plot([], [], color=COLOURS[number % len(COLOURS)], marker=MARKERS[number % len(MARKERS)], ms=4.5)[0]
        for number in range(len(names))
    ]
    shown = list(names)
    if with_training:
        handles += [axes.plot([], [], color="black", ls=style)[0] for style in ("-", "--")]
        shown += ["inference", "training step"]
    for handle, name in zip(handles, shown, strict=True):
        handle.set_label(name)
    if len(shown) > 1:
        legend(figure, shown, handles)
