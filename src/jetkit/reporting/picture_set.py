"""The pictures of a dataset: histograms, mean jet images, Lund planes and single jets, per class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from jetkit.errors import JetkitError
from jetkit.physics.jet_images import jet_images
from jetkit.physics.lund import lund_declusterings, primary_plane
from jetkit.physics.ragged import jet_of
from jetkit.reporting.class_table import QUANTITIES
from jetkit.reporting.jet_sample import JetSample
from jetkit.reporting.pictures import event_display, histogram, image_grid, lund_grid, total_weight

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTIONS = {
    **{name: (quantity.name, f"{quantity.caption} Bars: statistical errors.") for name, quantity in QUANTITIES.items()},
    "images": ("Mean jet image", "Mean share of the jet's pT in each pixel around its centre."),
    "lund": (
        "Primary Lund plane",
        "Splittings per jet along the harder branch: angle Δ against transverse momentum kT.",
    ),
    "events": ("One jet of each class", "Its particles; the area of a marker is the particle's share of the jet's pT."),
}
WEIGHTED = {
    **dict.fromkeys(QUANTITIES, "Jets count with their weights; the bars are √Σw²."),
    **dict.fromkeys(("images", "lund"), "Jets count with their weights; white where these sum to zero or less."),
}
"""What a caption says more of jets that have weights."""
PIXELS = 33
LUND_RANGE = ((0.0, 7.0), (-3.0, 6.0))
LUND_BINS = (35, 36)


def picture_set(jets: JetSample) -> dict[str, Figure]:
    """Histograms of the quantities, mean images, Lund planes and one jet of each class, by name.

    Raises:
        JetkitError: matplotlib or mplhep is absent.
    """
    figures = {}
    for name, quantity in QUANTITIES.items():
        if name in jets.columns and np.isfinite(jets.columns[name]).any():
            label = quantity.symbol or quantity.name
            figures[name] = histogram(jets.by_class(name), label, unit=quantity.unit, weights=jets.weights)
    extent = _extent(jets)
    by_class = {name: jets.select(jets.label == i) for i, name in enumerate(jets.classes)}
    images = {name: mean_image(chosen, extent) for name, chosen in by_class.items()}
    if any((picture > 0).any() for picture in images.values()):
        figures["images"] = image_grid(images, extent, quantity=r"mean share of $p_T$ per pixel")
    densities = {name: lund_density(chosen) for name, chosen in by_class.items()}
    if any((density > 0).any() for density in densities.values()):
        figures["lund"] = lund_grid(densities, *LUND_RANGE)
    figures["events"] = event_display({name: _typical(chosen) for name, chosen in by_class.items()}, extent)
    return figures


def captions(jets: JetSample) -> dict[str, tuple[str, str]]:
    """Title and caption of each picture."""
    if jets.weight is None:
        return CAPTIONS
    return {name: (title, f"{text} {WEIGHTED.get(name, '')}".rstrip()) for name, (title, text) in CAPTIONS.items()}


def lund_density(jets: JetSample) -> Float[np.ndarray, "x y"]:
    """Primary Lund plane density per jet, ρ = d²n/(d ln 1/Δ d ln kT), on `LUND_BINS` cells over `LUND_RANGE`.

    Source: F. A. Dreyer, G. P. Salam, G. Soyez, "The Lund Jet Plane", 2018, arXiv:1807.04758.
    """
    plane = primary_plane(lund_declusterings(jets.p4, jets.offsets))
    kept = (plane.delta > 0) & (plane.kt > 0)
    total, weight = float(max(len(jets), 1)), None
    if jets.weight is not None:
        total, weight = total_weight(jets.weight), jets.weight[jet_of(plane.offsets)][kept]
    values = -np.log(plane.delta[kept]), np.log(plane.kt[kept])
    counts, x, y = np.histogram2d(*values, LUND_BINS, LUND_RANGE, weights=weight)
    return np.asarray(counts / (total * (x[1] - x[0]) * (y[1] - y[0])))


def mean_image(jets: JetSample, extent: float) -> Float[np.ndarray, "pixels pixels"]:
    """Mean share of the jet's pT in each pixel; first axis Δη, second Δφ, within ±`extent` of the pT centroid."""
    images = jet_images(jets.p4, jets.offsets, pixels=PIXELS, half_width=extent, align=False)
    if jets.weight is None:
        return np.asarray(images.mean(axis=0))
    return np.tensordot(jets.weight, images, 1) / total_weight(jets.weight)


def _extent(jets: JetSample) -> float:
    """Half width of the square that holds 99.5 % of the particles, at most 1.5, rounded up to 0.1."""
    reach = np.maximum(np.abs(jets.part_deta), np.abs(jets.part_dphi))
    reach = reach[np.isfinite(reach)]
    if len(reach) == 0:
        raise JetkitError("the jets have no particles to show")
    return float(np.clip(np.ceil(10 * np.quantile(reach, 0.995)) / 10, 0.1, 1.5))


def _typical(jets: JetSample) -> tuple[Any, Any, Any, Any]:
    """(Δη, Δφ, pT, type) of the particles of the jet with the median number of particles."""
    counts = np.diff(jets.offsets)
    j = int(np.argsort(counts, kind="stable")[len(counts) // 2])
    here = slice(jets.offsets[j], jets.offsets[j + 1])
    return jets.part_deta[here], jets.part_dphi[here], jets.part_pt[here], jets.part_type[here]
