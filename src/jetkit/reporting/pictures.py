"""Plain arrays in, figures of jets out, and figures to files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from jetkit.data.atomic import write_bytes
from jetkit.errors import JetkitError
from jetkit.evaluation.scores import CANCELLED
from jetkit.reporting.figure import (
    COLOURS,
    WIDTH,
    colour_scale,
    drawing,
    image,
    label_outer,
    legend,
    line_style,
    new_figure,
    plain,
    square_panels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = ("charged hadron", "neutral hadron", "photon", "electron", "muon")
"""Types of particles; an event display numbers them in this order, and −1 is any other."""
MARKERS = ("o", "s", "D", "^", "v", "X")


def histogram(
    values: Mapping[str, Float[np.ndarray, " jets"]],
    name: str,
    *,
    unit: str = "",
    bins: int = 40,
    of: str = "jets",
    weights: Mapping[str, Float[np.ndarray, " jets"]] | None = None,
) -> Figure:
    """One quantity per class: the fraction of the class's jets in each bin, with its error, as `fractions` gives them.

    The range holds the central 99 % of all values; what is not finite is left out. Whole numbers get whole bins. Where
    weights make bins negative, the axis reaches below zero.

    Raises:
        JetkitError: no class has a finite value, or matplotlib is absent.

    Example:
        >>> figure = histogram({"QCD": np.array([1.0, 2.0, 4.0])}, "mass", unit="GeV")
        >>> figure.axes[0].get_xlabel()
        'mass [GeV]'
    """
    finite = {label: array[np.isfinite(array)] for label, array in values.items()}
    kept = weights and {label: weights[label][np.isfinite(array)] for label, array in values.items()}
    edges = bin_edges(np.concatenate(list(finite.values())), bins, name)
    with drawing():
        figure = new_figure(WIDTH, 3.4)
        axes = figure.subplots()
        lowest = draw_fractions(axes, finite, edges, kept)
        axes.set(xlim=(edges[0], edges[-1]), ylim=(1.05 * lowest, None), xlabel=_with_unit(name, unit))
        if lowest < 0:
            axes.axhline(0, color="black", linewidth=0.8)
        axes.set_ylabel(f"fraction of {of} / {edges[1] - edges[0]:.3g} {unit}".rstrip())
        if any(finite):
            legend(figure, list(finite))
    return figure


def draw_fractions(
    axes: Axes,
    values: Mapping[str, Float[np.ndarray, " jets"]],
    edges: Float[np.ndarray, " bins+1"],
    weights: Mapping[str, Float[np.ndarray, " jets"]] | None = None,
) -> float:
    """Steps of the fraction in each bin, with bars of its error, for each class; returns the lowest end of a negative
    bin's bar, zero where there is none.
    """
    middle, lowest = (edges[1:] + edges[:-1]) / 2, 0.0
    for i, (label, array) in enumerate(values.items()):
        fraction, error = fractions(array, edges, None if weights is None else weights[label])
        look = line_style(i)
        axes.stairs(fraction, edges, label=plain(label), linewidth=1.4, **look)
        axes.errorbar(middle, fraction, error, fmt="none", ecolor=look["color"], elinewidth=0.9)
        lowest = min(lowest, float(np.min((fraction - error)[fraction < 0], initial=0.0)))
    return lowest


def fractions(
    values: Float[np.ndarray, " jets"],
    edges: Float[np.ndarray, " bins+1"],
    weight: Float[np.ndarray, " jets"] | None = None,
) -> tuple[Float[np.ndarray, " bins"], Float[np.ndarray, " bins"]]:
    """Fraction of the jets in each bin and its error: n/N ± √n/N; with weights Σ_bin w/Σw ± √(Σ_bin w²)/Σw.

    Example:
        >>> sums, errors = fractions(np.array([1.0, 1.0, 3.0]), np.array([0.0, 2.0, 4.0]), np.array([2.0, -1.0, 1.0]))
        >>> sums.tolist(), errors.round(2).tolist()
        ([0.5, 0.5], [1.12, 0.5])
    """
    if weight is None:
        count, jets = np.histogram(values, edges)[0], max(len(values), 1)
        return count / jets, np.sqrt(count) / jets
    total = total_weight(weight)
    sums, squares = (np.histogram(values, edges, weights=w)[0] for w in (weight, weight**2))
    return sums / total, np.sqrt(squares) / total


def total_weight(weight: Float[np.ndarray, " jets"]) -> float:
    """What fractions of weighted jets refer to: Σw, or Σ|w| where that is not above zero.

    Example:
        >>> total_weight(np.array([1.0, -0.5])), total_weight(np.array([1.0, -1.0]))
        (0.5, 2.0)
    """
    total, size = float(weight.sum()), float(np.abs(weight).sum())
    return total if total > CANCELLED * size else size or 1.0


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
    with drawing():
        figure, panels = square_panels(len(jets))
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
        label_outer(figure, panels, r"$\Delta\eta$", r"$\Delta\phi$ [rad]")
        seen = sorted({int(number) for *_, kind in jets.values() for number in kind}, key=lambda n: n % len(MARKERS))
        for number in seen:
            name = KINDS[number] if number >= 0 else "other"
            panels[0].plot([], [], MARKERS[number], color=COLOURS[number], markersize=6, label=name)
        legend(figure, [KINDS[number] for number in seen])
    return figure


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure to a ``.png`` or ``.svg`` file in one step; makes the folder where it is absent.

    Raises:
        JetkitError: the name has another ending, or the folder cannot be written.
    """
    target = Path(path)
    if target.suffix not in (".png", ".svg"):
        raise JetkitError(f"a picture should be named *.png or *.svg, got {target.name}")
    write_bytes(target, image(figure, target.suffix[1:]))


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
    with drawing():
        scale = colour_scale(top * 10**-decades, top, logarithmic=True)
        figure, panels = square_panels(len(densities))
        for axes, (label, density) in zip(panels, densities.items(), strict=True):
            drawn = axes.imshow(
                density.T, **scale, origin="lower", extent=(*x_range, *y_range), aspect="auto", interpolation="nearest",
            )  # fmt: skip
            axes.set_title(label)
        label_outer(figure, panels, *labels)
        bar = figure.colorbar(drawn, ax=panels, location="top", aspect=40, pad=0.05, extend="min")
        bar.set_label(quantity)
    return figure


def _with_unit(name: str, unit: str) -> str:
    return f"{name} [{unit}]" if unit else name
