"""The angular spectrum of two-point energy correlations."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int

from jetkit.errors import JetkitError
from jetkit.kernels import kernel
from jetkit.physics.ragged import pt_rapidity_phi, ragged, squared_distance


def two_point_spectrum(
    p4: Float[np.ndarray, "M 4"], offsets: Int[np.ndarray, "bounds"], *, bins: int, width: float
) -> Float[np.ndarray, "J bins"]:
    """Compute S₂(R) = Σ_ij z_i z_j δ(R − R_ij), integrated over bins of R = √(Δy² + Δφ²) from R = 0.

    z = pT/Σ pT. The sum runs over all ordered pairs. The terms with i = j add Σ z_i² to the first bin, which makes the
    spectrum collinear safe. The bins of a jet add up to 1 if none of its pairs is farther apart than bins · width;
    pairs beyond are dropped.

    Args:
        p4: (M, 4) momenta (E, px, py, pz) of all particles in GeV
        offsets: (J + 1,) bounds of the jets: jet j is ``p4[offsets[j] : offsets[j + 1]]``
        bins: number of bins
        width: width of a bin in R

    Returns:
        (J, bins) spectra.

    Source: Neural Network-based Top Tagger with Two-Point Energy Correlations and Geometry of Soft Emissions, 2020,
    arXiv:2003.11787.

    Raises:
        JetkitError: the offsets do not fit, or the bins or their width are not positive.

    Example:
        >>> p4 = np.array([[70.0, 70.0, 0.0, 0.0], [30.0, 30 * np.cos(0.25), 30 * np.sin(0.25), 0.0]])
        >>> two_point_spectrum(p4, np.array([0, 2]), bins=4, width=0.1).round(2).tolist()
        [[0.58, 0.0, 0.42, 0.0]]
    """
    if not (bins > 0 and width > 0):
        raise JetkitError(f"bins and width of a spectrum should be positive, got {bins} and {width}")
    p4, offsets = ragged(p4, offsets)
    return _spectra(pt_rapidity_phi(p4), offsets, bins, width)


@kernel
def _spectra(
    particles: Float[np.ndarray, "M 3"], offsets: Int[np.ndarray, "bounds"], bins: int, width: float
) -> Float[np.ndarray, "J bins"]:
    spectra = np.zeros((len(offsets) - 1, bins))
    for jet in range(len(offsets) - 1):
        inside = particles[offsets[jet] : offsets[jet + 1]]
        total = inside[:, 0].sum()
        if total == 0.0:
            continue
        for i in range(len(inside)):
            pt, y, phi = inside[i]
            spectra[jet, 0] += (pt / total) ** 2
            for j in range(i):
                place = math.sqrt(squared_distance(y, phi, inside[j, 1], inside[j, 2])) / width
                if place < bins:
                    spectra[jet, int(place)] += 2 * (pt / total) * (inside[j, 0] / total)
    return spectra
