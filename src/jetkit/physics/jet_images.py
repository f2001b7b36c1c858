"""Jet images: transverse momentum in pixels of pseudorapidity and azimuth."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from jetkit.errors import JetkitError
from jetkit.physics.four_vectors import delta_phi
from jetkit.physics.ragged import jet_of, ragged


def jet_images(
    p4: Float[np.ndarray, "M 4"],
    offsets: Int[np.ndarray, "bounds"],
    *,
    pixels: int = 40,
    half_width: float = 0.8,
    align: bool = True,
) -> Float[np.ndarray, "J pixels pixels"]:
    """Compute the image of every jet: the share of ΣpT in each pixel of (Δη, Δφ) within ±half_width of the pT centroid.

    The first axis of an image is Δη, the second Δφ. ``align`` rotates the principal axis of the pT-weighted covariance
    to the second axis, and mirrors the jet so that the quadrant of positive Δη and Δφ has the most pT. Particles
    outside the image are dropped but count in ΣpT. The image of a jet without particles is zero.

    Args:
        p4: (M, 4) momenta (E, px, py, pz) of all particles in GeV
        offsets: (J + 1,) bounds of the jets: jet j is ``p4[offsets[j] : offsets[j + 1]]``
        pixels: number of pixels along each axis
        half_width: half the width of the image in Δη and Δφ
        align: rotate and mirror each jet

    Returns:
        (J, pixels, pixels) images.

    Source: Pulling Out All the Tops with Computer Vision and Deep Learning, 2018, arXiv:1803.00107.

    Raises:
        JetkitError: the offsets do not fit, or the pixels or the width are not positive.

    Example:
        >>> p4 = np.array([[50.0, 50.0, 0.0, 0.0], [50.0, 50 * np.cos(0.6), 50 * np.sin(0.6), 0.0]])
        >>> jet_images(p4, np.array([0, 2]), pixels=4, align=False)[0].tolist()[2]
        [0.0, 0.5, 0.5, 0.0]
    """
    if not (pixels > 0 and half_width > 0):
        raise JetkitError(f"pixels and half_width should be positive, got {pixels} and {half_width}")
    p4, offsets = ragged(p4, offsets)
    jet = jet_of(offsets)
    pt = np.hypot(p4[:, 1], p4[:, 2])
    jet, p4, pt = jet[pt > 0], p4[pt > 0], pt[pt > 0]
    z, eta, phi = _centred(p4, pt, jet, len(offsets) - 1)
    if align:
        eta, phi = _turned_upright(z, eta, phi, jet)
        eta, phi = _mirrored(z, eta, phi, jet)
    column, row = (np.floor((x + half_width) * (pixels / (2 * half_width))).astype(np.int64) for x in (eta, phi))
    inside = (column >= 0) & (column < pixels) & (row >= 0) & (row < pixels)
    pixel = (jet * pixels + column) * pixels + row
    images = np.bincount(pixel[inside], weights=z[inside], minlength=(len(offsets) - 1) * pixels**2)
    return images.reshape(-1, pixels, pixels)


def _centred(
    p4: Float[np.ndarray, "M 4"], pt: Float[np.ndarray, "M"], jet: Int[np.ndarray, "M"], n_jets: int
) -> tuple[Float[np.ndarray, "M"], Float[np.ndarray, "M"], Float[np.ndarray, "M"]]:
    """Return the share of ΣpT, and η and φ relative to the pT centroid; φ is first measured from the summed pT."""
    px, py = (np.bincount(jet, weights=p4[:, c], minlength=n_jets)[jet] for c in (1, 2))
    z = pt / np.bincount(jet, weights=pt)[jet]
    eta = np.arcsinh(p4[:, 3] / pt)
    phi = delta_phi(np.arctan2(p4[:, 2], p4[:, 1]), np.arctan2(py, px))
    return z, eta - _mean(z, eta, jet), phi - _mean(z, phi, jet)


def _turned_upright(
    z: Float[np.ndarray, "M"], eta: Float[np.ndarray, "M"], phi: Float[np.ndarray, "M"], jet: Int[np.ndarray, "M"]
) -> tuple[Float[np.ndarray, "M"], Float[np.ndarray, "M"]]:
    """Rotate the direction of largest pT-weighted variance to the azimuthal axis."""
    angle = 0.5 * np.arctan2(2 * _mean(z, eta * phi, jet), _mean(z, eta**2 - phi**2, jet))
    return eta * np.sin(angle) - phi * np.cos(angle), eta * np.cos(angle) + phi * np.sin(angle)


def _mirrored(
    z: Float[np.ndarray, "M"], eta: Float[np.ndarray, "M"], phi: Float[np.ndarray, "M"], jet: Int[np.ndarray, "M"]
) -> tuple[Float[np.ndarray, "M"], Float[np.ndarray, "M"]]:
    """Mirror both axes so that the quadrant with the most pT has positive coordinates."""
    sums = np.stack([_mean(z, ((eta > 0) == up) & ((phi > 0) == right), jet) for up in (0, 1) for right in (0, 1)])
    fullest = sums.argmax(axis=0)
    return np.where(fullest // 2, eta, -eta), np.where(fullest % 2, phi, -phi)


def _mean(z: Float[np.ndarray, "M"], x: Float[np.ndarray, "M"], jet: Int[np.ndarray, "M"]) -> Float[np.ndarray, "M"]:
    """Compute Σ z x over the jet of each particle."""
    mean: Float[np.ndarray, "M"] = np.bincount(jet, weights=z * x)[jet]
    return mean
