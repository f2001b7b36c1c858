"""Figures in one style; the one file that knows matplotlib.

Figures are 4.2 inches wide so that their text is readable on a telephone, use colours that the colour-blind can tell
apart (M. A. Petroff, "Accessible Color Sequences for Data Visualization", 2021, arXiv:2107.02270) and are the same
bytes on every run.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jetkit.errors import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#717581",
    "#b9ac70",
    "#94a4a2",
    "#92dadd",
)
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
WIDTH = 4.2
STYLE: dict[str, Any] = {
    "axes.labelsize": 10.5,
    "axes.linewidth": 1.0,
    "axes.titlesize": 10,
    "figure.dpi": 200,
    "figure.facecolor": "white",
    "font.size": 10,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.4,
    "savefig.dpi": 200,
    "svg.hashsalt": "jetkit",
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    **{f"{axis}tick.{kind}.size": size for axis in "xy" for kind, size in (("major", 5), ("minor", 2.5))},
    **{f"{axis}tick.{kind}.width": width for axis in "xy" for kind, width in (("major", 1.0), ("minor", 0.8))},
    "xtick.major.pad": 4,
    "ytick.major.pad": 4,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Drawing in the style of the CMS experiment, at our size; the global settings are put back.

    Raises:
        JetkitError: matplotlib or mplhep is absent.
    """
    matplotlib, mplhep = require("matplotlib"), require("mplhep")
    with matplotlib.rc_context({**mplhep.style.CMS, **STYLE}):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure; sizes in inches."""
    figure: Figure = require("matplotlib.figure").Figure(figsize=(width, height), layout="constrained")
    require("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
    return figure


def square_panels(count: int) -> tuple[Figure, list[Axes]]:
    """A figure with square panels, two in a row; those beyond `count` are not drawn."""
    columns = min(count, 2)
    rows = -(-count // columns)
    figure = new_figure(WIDTH, 0.7 + rows * (3.3 if columns == 1 else 2.05))
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    drawn: list[Axes] = list(grid.flat)
    for axes in drawn[count:]:
        axes.set_axis_off()
        drawn[count - columns].tick_params(labelbottom=True)
    return figure, drawn[:count]


def stacked(heights: Sequence[float], height: float) -> tuple[Figure, list[Axes]]:
    """A figure with panels above each other on one horizontal axis, of the given relative heights."""
    figure = new_figure(WIDTH, height)
    grid = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=list(heights))
    figure.align_ylabels()
    return figure, list(grid.flat)


def line_style(number: int) -> dict[str, Any]:
    """Colour and dashes of the curve of a number: they repeat after fifty."""
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": LINES[number // 2 % len(LINES)]}


def colour_scale(low: float, high: float, *, logarithmic: bool) -> dict[str, Any]:
    """What `imshow` needs for colours from `low` to `high`; what lies below and what is not finite is white.

    A linear scale, for text in the cells, is a pale one.
    """
    colours, name = require("matplotlib.colors"), "viridis" if logarithmic else "Blues"
    scale = colours.LogNorm(low, high, clip=False) if logarithmic else colours.Normalize(low, high)
    return {"norm": scale, "cmap": require("matplotlib").colormaps[name].with_extremes(under="white", bad="white")}


def label_outer(figure: Figure, drawn: Sequence[Axes], x: str, y: str) -> None:
    """One label for the horizontal and one for the vertical axes of all panels."""
    figure.supxlabel(x, fontsize=10.5)
    figure.supylabel(y, fontsize=10.5)
    for axes in drawn:
        axes.minorticks_off()
        axes.tick_params(top=False, right=False)


def legend(figure: Figure, names: Sequence[str], handles: Sequence[Any] | None = None) -> None:
    """A legend above the data, in as many columns as fit; `names` are those of the legend, for their lengths."""
    longest = max((len(name) for name in names), default=0)
    columns = max(1, min(len(names), int(46 / (longest + 5))))
    given = {} if handles is None else {"handles": list(handles)}
    figure.legend(
        loc="outside upper center", ncols=columns, frameon=False, columnspacing=1.2, handlelength=2.0, **given
    )


def plain(name: str, longest: int = 36) -> str:
    r"""A name as matplotlib writes it letter by letter: no mathematics, not hidden, not too long.

    Example:
        >>> plain("_a$b$"), plain("abcdefgh", longest=5)
        (' _a\\$b\\$', 'abcd…')
    """
    short = name if len(name) <= longest else f"{name[: longest - 1]}…"
    return (" " if short.startswith("_") else "") + short.replace("$", r"\$")


def image(figure: Figure, kind: str = "png") -> bytes:
    """The file of a figure, ``png`` or ``svg``; the same bytes on every run.

    Example:
        >>> image(new_figure(1, 1))[1:4]
        b'PNG'
    """
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with drawing(), io.BytesIO() as file:
        figure.savefig(file, format=kind, metadata=metadata)
        return file.getvalue()
