"""Jet shapes: multiplicity, momentum dispersion, angularities, charge and pull."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int

from jetkit.errors import JetkitError
from jetkit.kernels import kernel
from jetkit.physics.clustering import cluster
from jetkit.physics.ragged import (
    power_of_distance,
    pt_rapidity_phi,
    ragged,
    ratio,
    squared_distance,
    sum_per_jet,
    wrapped,
)

AXES = ("e_scheme", "wta")


def multiplicity(offsets: Int[np.ndarray, "bounds"]) -> Int[np.ndarray, "J"]:
    """Count the particles of every jet; neither infrared nor collinear safe.

    Example:
        >>> multiplicity(np.array([0, 2, 5])).tolist()
        [2, 3]
    """
    return np.diff(offsets)


def momentum_dispersion(p4: Float[np.ndarray, "M 4"], offsets: Int[np.ndarray, "bounds"]) -> Float[np.ndarray, "J"]:
    """Compute pTD = √(Σ pT²)/Σ pT: 1 for one particle, small for many; not collinear safe.

    Args:
        p4: (M, 4) momenta (E, px, py, pz) of all particles in GeV
        offsets: (J + 1,) bounds of the jets: jet j is ``p4[offsets[j] : offsets[j + 1]]``

    Returns:
        (J,) values of pTD; 0 for a jet without particles.

    Source: Search for a Higgs boson in the decay channel H → ZZ → q q̄ ℓ⁻ ℓ⁺, CMS 2012, arXiv:1202.1416.

    Raises:
        JetkitError: the offsets do not fit.

    Example:
        >>> p4 = np.array([[3.0, 3.0, 0.0, 0.0], [4.0, 4.0, 0.0, 0.0]])
        >>> momentum_dispersion(p4, np.array([0, 2])).round(4).tolist()
        [0.7143]
    """
    p4, offsets = ragged(p4, offsets)
    pt = np.hypot(p4[:, 1], p4[:, 2])
    return ratio(np.sqrt(sum_per_jet(pt**2, offsets)), sum_per_jet(pt, offsets))


def angularity(
    p4: Float[np.ndarray, "M 4"],
    offsets: Int[np.ndarray, "bounds"],
    *,
    kappa: float,
    beta: float,
    R0: float = 0.8,
    axis: str = "wta",
) -> Float[np.ndarray, "J"]:
    """Compute the angularity λ^κ_β = Σ_i z_i^κ (ΔR_i/R0)^β of every jet, with z = pT/Σ pT and ΔR from the jet axis.

    (κ, β) = (0, 0) is the multiplicity, (2, 0) is pTD², (1, ½) the Les Houches angularity, (1, 1) the width or girth,
    and (1, 2) thrust. Only κ = 1 with β > 0 is infrared and collinear safe.

    The axis is that of the summed momentum, ``"e_scheme"``, or that of winner-takes-all Cambridge/Aachen clustering,
    ``"wta"``, which is insensitive to soft recoil.

    Args:
        p4: (M, 4) momenta (E, px, py, pz) of all particles in GeV
        offsets: (J + 1,) bounds of the jets: jet j is ``p4[offsets[j] : offsets[j + 1]]``
        kappa: exponent κ of the momentum fraction
        beta: exponent β of the distance from the axis
        R0: radius of the jets
        axis: ``"wta"`` or ``"e_scheme"``

    Returns:
        (J,) angularities; 0 for a jet without particles.

    Source: Gaining (Mutual) Information about Quark/Gluon Discrimination, 2014, arXiv:1408.3122.

    Raises:
        JetkitError: the offsets do not fit, the axis is unknown, or R0 is not positive.

    Example:
        >>> p4 = np.array([[70.0, 70.0, 0.0, 0.0], [30.0, 30 * np.cos(0.2), 30 * np.sin(0.2), 0.0]])
        >>> angularity(p4, np.array([0, 2]), kappa=1.0, beta=1.0, R0=0.8).round(6).tolist()
        [0.075]
    """
    if not R0 > 0:
        raise JetkitError(f"R0 should be positive, got {R0}")
    p4, offsets = ragged(p4, offsets)
    particles = pt_rapidity_phi(p4)
    return _angularities(particles, offsets, _jet_axes(p4, offsets, axis), kappa, beta, R0)


def width(p4: Float[np.ndarray, "M 4"], offsets: Int[np.ndarray, "bounds"]) -> Float[np.ndarray, "J"]:
    """Compute the width (girth) Σ pT_i ΔR_i/Σ pT of every jet about the axis of its summed momentum.

    Args:
        p4: (M, 4) momenta (E, px, py, pz) of all particles in GeV
        offsets: (J + 1,) bounds of the jets: jet j is ``p4[offsets[j] : offsets[j + 1]]``

    Returns:
        (J,) widths; 0 for a jet without particles.

    Source: Quark and Gluon Tagging at the LHC, 2011, arXiv:1106.3076.

    Raises:
        JetkitError: the offsets do not fit.

    Example:
        >>> p4 = np.array([[50.0, 50.0, 0.0, 0.0], [50.0, 50 * np.cos(0.2), 50 * np.sin(0.2), 0.0]])
        >>> width(p4, np.array([0, 2])).round(6).tolist()
        [0.1]
    """
    return angularity(p4, offsets, kappa=1.0, beta=1.0, R0=1.0, axis="e_scheme")


def jet_charge(
    p4: Float[np.ndarray, "M 4"],
    offsets: Int[np.ndarray, "bounds"],
    charge: Float[np.ndarray, "M"],
    *,
    kappa: float = 0.5,
) -> Float[np.ndarray, "J"]:
    """Compute the jet charge Q_κ = Σ q_i pT_i^κ/pT^κ of every jet, with pT of the summed momentum.

    Args:
        p4: (M, 4) momenta (E, px, py, pz) of all particles in GeV
        offsets: (J + 1,) bounds of the jets: jet j is ``p4[offsets[j] : offsets[j + 1]]``
        charge: (M,) charges of the particles in units of the proton's
        kappa: exponent κ of the transverse momenta

    Returns:
        (J,) charges; 0 for a jet without particles.

    Source: Jet Charge at the LHC, 2012, arXiv:1209.2421.

    Raises:
        JetkitError: the offsets do not fit, or there is not one charge a particle.

    Example:
        >>> p4 = np.array([[9.0, 9.0, 0.0, 0.0], [16.0, 16.0, 0.0, 0.0]])
        >>> jet_charge(p4, np.array([0, 2]), np.array([1.0, -1.0])).round(6).tolist()
        [-0.2]
    """
    p4, offsets = ragged(p4, offsets)
    if np.shape(charge) != (len(p4),):
        raise JetkitError(f"charge should have one entry for each of the {len(p4)} particles, got {np.shape(charge)}")
    px, py = sum_per_jet(p4[:, 1], offsets), sum_per_jet(p4[:, 2], offsets)
    weighted = sum_per_jet(charge * np.hypot(p4[:, 1], p4[:, 2]) ** kappa, offsets)
    return ratio(weighted, np.hypot(px, py) ** kappa)


def pull(p4: Float[np.ndarray, "M 4"], offsets: Int[np.ndarray, "bounds"]) -> Float[np.ndarray, "J 2"]:
    """Compute the pull vector t = Σ pT_i |r_i| r_i/pT of every jet, with r = (Δy, Δφ) from its E-scheme axis.

    Args:
        p4: (M, 4) momenta (E, px, py, pz) of all particles in GeV
        offsets: (J + 1,) bounds of the jets: jet j is ``p4[offsets[j] : offsets[j + 1]]``

    Returns:
        (J, 2) components along Δy and Δφ; 0 for a jet without particles.

    Source: Seeing in Color: Jet Superstructure, 2010, arXiv:1001.5027.

    Raises:
        JetkitError: the offsets do not fit.

    Example:
        >>> p4 = np.array([[50.0, 50.0, 0.0, 0.0], [50.0, 50 * np.cos(0.2), 50 * np.sin(0.2), 0.0]])
        >>> np.abs(pull(p4, np.array([0, 2]))).round(6).tolist()
        [[0.0, 0.0]]
    """
    p4, offsets = ragged(p4, offsets)
    return _pulls(pt_rapidity_phi(p4), offsets, _jet_axes(p4, offsets, "e_scheme"))


def _jet_axes(p4: Float[np.ndarray, "M 4"], offsets: Int[np.ndarray, "bounds"], axis: str) -> Float[np.ndarray, "J 3"]:
    """Return the pT, rapidity and azimuth of the axis of every jet."""
    if axis not in AXES:
        raise JetkitError(f"axis should be one of {', '.join(AXES)}, got {axis!r}")
    if axis == "e_scheme":
        return pt_rapidity_phi(np.stack([sum_per_jet(component, offsets) for component in p4.T], axis=1))
    trees = cluster(p4, offsets, winner_takes_all=True)
    axes = np.zeros((len(offsets) - 1, 3))
    filled = np.diff(offsets) > 0
    axes[filled] = pt_rapidity_phi(trees.p4[trees.offsets[1:][filled] - 1])
    return axes


@kernel
def _angularities(
    particles: Float[np.ndarray, "M 3"],
    offsets: Int[np.ndarray, "bounds"],
    axes: Float[np.ndarray, "J 3"],
    kappa: float,
    beta: float,
    R0: float,
) -> Float[np.ndarray, "J"]:
    result = np.zeros(len(offsets) - 1)
    for j in range(len(offsets) - 1):
        jet = particles[offsets[j] : offsets[j + 1]]
        total = jet[:, 0].sum()
        for i in range(len(jet)):
            separation = squared_distance(jet[i, 1], jet[i, 2], axes[j, 1], axes[j, 2]) / (R0 * R0)
            if total > 0:
                result[j] += (jet[i, 0] / total) ** kappa * power_of_distance(separation, beta)
    return result


@kernel
def _pulls(
    particles: Float[np.ndarray, "M 3"], offsets: Int[np.ndarray, "bounds"], axes: Float[np.ndarray, "J 3"]
) -> Float[np.ndarray, "J 2"]:
    result = np.zeros((len(offsets) - 1, 2))
    for j in range(len(offsets) - 1):
        for i in range(offsets[j], offsets[j + 1]):
            y, phi = particles[i, 1] - axes[j, 1], wrapped(particles[i, 2] - axes[j, 2])
            weight = particles[i, 0] * math.hypot(y, phi) / axes[j, 0] if axes[j, 0] > 0 else 0.0
            result[j, 0] += weight * y
            result[j, 1] += weight * phi
    return result
