"""Plain arrays in, figures out; the one file that knows matplotlib.

Figures are 4.2 inches wide so that their text is readable on a telephone, use colours that the colour-blind can tell
apart (M. A. Petroff, "Accessible Color Sequences for Data Visualization", 2021, arXiv:2107.02270) and are the same
bytes on every run.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from jetkit.errors import JetkitError, require

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
KINDS = ("charged hadron", "neutral hadron", "photon", "electron", "muon")
"""Types of particles; an event display numbers them in this order, and −1 is any other."""
MARKERS = ("o", "s", "D", "^", "v", "X")
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


def histogram(values: Mapping[str, Float[np.ndarray, " jets"]], name: str, *, unit: str = "", bins: int = 40) -> Figure:
    """One quantity per class: the fraction of the class's jets in each bin, f = n/N, with its error √n/N.

    The range holds the central 99 % of all values; what is not finite is left out. Whole numbers get whole bins.

    Raises:
        JetkitError: no class has a finite value, or matplotlib is absent.

    Example:
        >>> figure = histogram({"QCD": np.array([1.0, 2.0, 4.0])}, "mass", unit="GeV")
        >>> figure.axes[0].get_xlabel()
        'mass [GeV]'
    """
    finite = {label: array[np.isfinite(array)] for label, array in values.items()}
    edges = bin_edges(np.concatenate(list(finite.values())), bins, name)
    width, middle = edges[1] - edges[0], (edges[1:] + edges[:-1]) / 2
    with _style():
        figure = _figure(WIDTH, 3.4)
        axes = figure.subplots()
        for i, (label, array) in enumerate(finite.items()):
            count = np.histogram(array, edges)[0]
            look: Any = {"color": COLOURS[i % len(COLOURS)], "linestyle": LINES[i // 2 % len(LINES)]}
            total = max(len(array), 1)
            axes.stairs(count / total, edges, label=label, linewidth=1.4, **look)
            axes.errorbar(
                middle, count / total, np.sqrt(count) / total, fmt="none", ecolor=look["color"], elinewidth=0.9
            )
        axes.set(xlim=(edges[0], edges[-1]), ylim=(0, None), xlabel=_with_unit(name, unit))
        axes.set_ylabel(f"fraction of jets / {width:.3g} {unit}".rstrip())
        _legend(figure, list(finite))
    return figure


def bin_edges(values: Float[np.ndarray, " n"], bins: int, name: str) -> Float[np.ndarray, " bins+1"]:
    """Edges of equal bins that hold the central 99 % of the values, at round numbers.

    Raises:
        JetkitError: there are no values.

    Example:
        >>> bin_edges(np.linspace(0, 99.0, 1000), 10, "mass").tolist()
        [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0]
    """
    if len(values) == 0:
        raise JetkitError(f"there is no finite value of {name} to draw")
    low, high = np.quantile(values, (0.005, 0.995))
    whole = bool(np.all(values == np.round(values)))
    span = max(float(high - low), 1.0 if whole else 1e-6 * max(1.0, abs(float(high))))
    bins = int(np.clip(2 * len(values) ** (1 / 3), 8, bins))
    power = 10.0 ** np.floor(np.log10(span / bins))
    width = power * min((step for step in (1, 2, 2.5, 5, 10) if step * power * bins >= 0.999 * span), default=10)
    if whole:
        width = max(1.0, float(np.ceil(width)))
    first, last = np.floor(low / width + 1e-9), np.floor(high / width + 1e-9) + 1
    return np.asarray(width * np.arange(first, last + 1) - (0.5 if whole else 0.0))


def image_grid(images: Mapping[str, Float[np.ndarray, "pixels pixels"]], extent: float, *, quantity: str) -> Figure:
    """One image per class in (Δη, Δφ), first axis Δη, from −`extent` to `extent`; one logarithmic colour scale for all.

    Raises:
        JetkitError: no image has a positive pixel, or matplotlib is absent.
    """
    edges = (-extent, extent)
    return _colour_grid(images, edges, edges, (r"$\Delta\eta$", r"$\Delta\phi$ [rad]"), quantity, decades=4.0)


def lund_grid(
    densities: Mapping[str, Float[np.ndarray, "x y"]],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
) -> Figure:
    """The density of primary Lund declusterings per jet and class, ρ = d²n/(d ln 1/Δ d ln kT), first axis ln 1/Δ.

    Source: F. A. Dreyer, G. P. Salam, G. Soyez, "The Lund Jet Plane", 2018, arXiv:1807.04758.

    Raises:
        JetkitError: no density is positive anywhere, or matplotlib is absent.
    """
    labels = (r"$\ln\,1/\Delta$", r"$\ln\,(k_T/\mathrm{GeV})$")
    return _colour_grid(densities, x_range, y_range, labels, r"$\rho$ per jet", decades=2.5)


def event_display(
    jets: Mapping[
        str, tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"], Float[np.ndarray, " n"], Int[np.ndarray, " n"]]
    ],
    extent: float,
) -> Figure:
    """One jet per class: its particles (Δη, Δφ, pT in GeV, kind) in the plane, marker by kind, area ∝ pT.

    `kind` is an index into `KINDS`, or −1. A marker of the same size has the same share of the jet's pT in every panel.
    """
    with _style():
        figure, panels = _panels(len(jets))
        for axes, (label, (deta, dphi, pt, kind)) in zip(panels, jets.items(), strict=False):
            share = pt / max(float(pt.sum()), 1e-12)
            for number in range(-1, len(KINDS)):
                chosen = kind == number
                axes.scatter(
                    deta[chosen], dphi[chosen], s=4 + 700 * share[chosen], marker=MARKERS[number], alpha=0.75,
                    color=COLOURS[number], edgecolor="black", linewidth=0.3,
                )  # fmt: skip
            axes.set(xlim=(-extent, extent), ylim=(-extent, extent))
            axes.set_title(f"{label}, {pt.sum():.0f} GeV, n = {len(pt)}")
        _label_outer(figure, panels, r"$\Delta\eta$", r"$\Delta\phi$ [rad]")
        seen = sorted({int(number) for *_, kind in jets.values() for number in kind}, key=lambda n: n % len(MARKERS))
        for number in seen:
            name = KINDS[number] if number >= 0 else "other"
            panels[0].plot([], [], MARKERS[number], color=COLOURS[number], markersize=6, label=name)
        _legend(figure, [KINDS[number] for number in seen])
    return figure


def image(figure: Figure, kind: str = "png") -> bytes:
    """The file of a figure, ``png`` or ``svg``; the same bytes on every run.

    Example:
        >>> image(histogram({"top": np.arange(9.0)}, "mass"))[1:4]
        b'PNG'
    """
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with _style(), io.BytesIO() as file:
        figure.savefig(file, format=kind, metadata=metadata)
        return file.getvalue()


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure to a ``.png`` or ``.svg`` file in one step; makes the folder where it is absent.

    Raises:
        JetkitError: the name has another ending, or the folder cannot be written.
    """
    target = Path(path)
    if target.suffix not in (".png", ".svg"):
        raise JetkitError(f"a picture should be named *.png or *.svg, got {target.name}")
    write_bytes(target, image(figure, target.suffix[1:]))


def write_bytes(target: Path, content: bytes) -> None:
    """Write a file in one step: a reader sees the old one or the new one, never a part.

    Raises:
        JetkitError: the folder cannot be made or written.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    make_folder(target.parent)
    try:
        partial.write_bytes(content)
        partial.replace(target)
    except OSError as error:
        raise JetkitError(f"{target} cannot be written ({error.strerror}): choose another folder") from error
    finally:
        if partial.is_file():
            partial.unlink()


def make_folder(folder: Path) -> None:
    """Make a folder where it is absent.

    Raises:
        JetkitError: it cannot be made, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JetkitError(f"the folder {folder} cannot be made ({error.strerror}): choose another folder") from error
    if not os.access(folder, os.W_OK):
        raise JetkitError(f"the folder {folder} cannot be written: choose another folder")


@contextmanager
def _style() -> Iterator[None]:
    """Drawing in the style of the CMS experiment, at our size; the global settings are put back."""
    matplotlib, mplhep = require("matplotlib"), require("mplhep")
    with matplotlib.rc_context({**mplhep.style.CMS, **STYLE}):
        yield


def _figure(width: float, height: float) -> Figure:
    figure: Figure = require("matplotlib.figure").Figure(figsize=(width, height), layout="constrained")
    require("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
    return figure


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    """A figure with square panels, two in a row; those beyond `count` are not drawn."""
    columns = min(count, 2)
    rows = -(-count // columns)
    figure = _figure(WIDTH, 0.7 + rows * (3.3 if columns == 1 else 2.05))
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    panels: list[Axes] = list(grid.flat)
    for axes in panels[count:]:
        axes.set_axis_off()
        panels[count - columns].tick_params(labelbottom=True)
    return figure, panels[:count]


def _colour_grid(
    densities: Mapping[str, Float[np.ndarray, "x y"]],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    labels: tuple[str, str],
    quantity: str,
    *,
    decades: float,
) -> Figure:
    """Panels of densities on one logarithmic scale, which ends the given number of decades below the largest value."""
    top = max((float(np.max(density, initial=0.0)) for density in densities.values()), default=0.0)
    if not (np.isfinite(top) and top > 0):
        raise JetkitError("there is nothing to draw: every pixel is zero or not finite")
    with _style():
        norm = require("matplotlib.colors").LogNorm(top * 10**-decades, top, clip=False)
        colours = require("matplotlib").colormaps["viridis"].with_extremes(under="white", bad="white")
        figure, panels = _panels(len(densities))
        for axes, (label, density) in zip(panels, densities.items(), strict=True):
            drawn = axes.imshow(
                density.T, norm=norm, cmap=colours, origin="lower", extent=(*x_range, *y_range), aspect="auto",
                interpolation="nearest",
            )  # fmt: skip
            axes.set_title(label)
        _label_outer(figure, panels, *labels)
        bar = figure.colorbar(drawn, ax=panels, location="top", aspect=40, pad=0.05, extend="min")
        bar.set_label(quantity)
    return figure


def _label_outer(figure: Figure, panels: Sequence[Axes], x: str, y: str) -> None:
    figure.supxlabel(x, fontsize=10.5)
    figure.supylabel(y, fontsize=10.5)
    for axes in panels:
        axes.minorticks_off()
        axes.tick_params(top=False, right=False)


def _legend(figure: Figure, names: Sequence[str]) -> None:
    """A legend above the data, in as many columns as fit."""
    longest = max((len(name) for name in names), default=0)
    columns = max(1, min(len(names), int(46 / (longest + 5))))
    figure.legend(loc="outside upper center", ncols=columns, frameon=False, columnspacing=1.2, handlelength=2.0)


def _with_unit(name: str, unit: str) -> str:
    return f"{name} [{unit}]" if unit else name
