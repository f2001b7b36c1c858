"""Jets of unequal length as one array of particles and offsets: jet j is p4[offsets[j] : offsets[j + 1]]."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float, Int

from jetkit.errors import JetkitError
from jetkit.kernels import kernel

FARTHEST = 1e5
"""Rapidity assigned to a particle along the beam that has neither transverse momentum nor mass."""


def ragged(
    p4: Float[np.ndarray, "M 4"], offsets: Int[np.ndarray, "bounds"]
) -> tuple[Float[np.ndarray, "M 4"], Int[np.ndarray, "bounds"]]:
    """Check that momenta and offsets match, and return them in the memory layout of the compiled loops.

    Raises:
        JetkitError: the shapes are wrong, or the offsets do not rise from 0 to the number of particles.

    Example:
        >>> ragged(np.zeros((3, 4)), np.array([0, 1, 3]))[1].tolist()
        [0, 1, 3]
    """
    p4 = np.ascontiguousarray(p4, dtype=np.float64)
    offsets = np.ascontiguousarray(offsets, dtype=np.int64)
    if p4.ndim != 2 or p4.shape[1] != 4:
        raise JetkitError(f"p4 should have the shape (particles, 4), got {p4.shape}")
    rises = offsets.ndim == 1 and offsets.size > 0 and offsets[0] == 0 and bool(np.all(np.diff(offsets) >= 0))
    if not rises or offsets[-1] != len(p4):
        raise JetkitError(f"offsets should rise from 0 to {len(p4)}, the number of particles")
    return p4, offsets


def jet_of(offsets: Int[np.ndarray, "bounds"]) -> Int[np.ndarray, "M"]:
    """Return the index of the jet that contains each particle.

    Example:
        >>> jet_of(np.array([0, 1, 3])).tolist()
        [0, 1, 1]
    """
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def sum_per_jet(x: Float[np.ndarray, "M"], offsets: Int[np.ndarray, "bounds"]) -> Float[np.ndarray, "J"]:
    """Sum a quantity over the particles of each jet; 0.0 where there are none.

    Example:
        >>> sum_per_jet(np.array([1.0, 2.0, 3.0]), np.array([0, 1, 3])).tolist()
        [1.0, 5.0]
    """
    total = np.empty(len(offsets) - 1)
    _sum_per_jet(x, offsets, total)
    return total


@kernel
def _sum_per_jet(x: Float[np.ndarray, "M"], offsets: Int[np.ndarray, "bounds"], total: Float[np.ndarray, "J"]) -> None:
    for j in range(len(total)):
        total[j] = 0.0
        for i in range(offsets[j], offsets[j + 1]):
            total[j] += x[i]


def ratio(numerator: Float[np.ndarray, "n"], denominator: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Divide two arrays, with 0 where the denominator is 0.

    Example:
        >>> ratio(np.array([1.0, 1.0]), np.array([2.0, 0.0])).tolist()
        [0.5, 0.0]
    """
    quotient: Float[np.ndarray, "n"] = np.divide(
        numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0
    )
    return quotient


def ragged_from_padded(
    p4: Float[np.ndarray, "J N 4"], mask: Bool[np.ndarray, "J N"]
) -> tuple[Float[np.ndarray, "M 4"], Int[np.ndarray, "bounds"]]:
    """Return the real particles of a padded batch, and the offsets of its jets.

    Example:
        >>> ragged_from_padded(np.ones((2, 3, 4)), np.array([[True, True, False], [True, False, False]]))[1].tolist()
        [0, 2, 3]
    """
    return ragged(p4[mask], np.concatenate([[0], np.cumsum(mask.sum(axis=1))]))


def padded_from_ragged(
    p4: Float[np.ndarray, "M 4"], offsets: Int[np.ndarray, "bounds"]
) -> tuple[Float[np.ndarray, "J N 4"], Bool[np.ndarray, "J N"]]:
    """Return a batch padded with zeros to the longest jet, and its mask of real particles.

    Example:
        >>> padded_from_ragged(np.ones((3, 4)), np.array([0, 2, 3]))[1].tolist()
        [[True, True], [True, False]]
    """
    p4, offsets = ragged(p4, offsets)
    lengths = np.diff(offsets)
    mask = np.arange(lengths.max(initial=0)) < lengths[:, None]
    padded = np.zeros((*mask.shape, 4))
    padded[mask] = p4
    return padded, mask


@kernel
def pt_rapidity_phi(p4: Float[np.ndarray, "M 4"]) -> Float[np.ndarray, "M 3"]:
    """Compute the transverse momentum in GeV, the rapidity and the azimuth of each particle.

    Example:
        >>> pt_rapidity_phi(np.array([[5.0, 3.0, 0.0, 4.0]])).round(4).tolist()
        [[3.0, 1.0986, 0.0]]
    """
    coordinates = np.empty((len(p4), 3))
    for i in range(len(p4)):
        coordinates[i] = point(p4[i, 0], p4[i, 1], p4[i, 2], p4[i, 3])
    return coordinates


@kernel
def point(energy: float, px: float, py: float, pz: float) -> tuple[float, float, float]:
    """Compute pT in GeV, rapidity sign(pz) ln((E + |pz|)/√(pT² + max(m², 0))) and azimuth of one particle.

    Example:
        >>> point(2.0, 0.0, 2.0, 0.0) == (2.0, 0.0, math.pi / 2)
        True
    """
    pt2 = px * px + py * py
    transverse_mass2 = pt2 + max(0.0, (energy - pz) * (energy + pz) - pt2)
    if transverse_mass2 == 0.0:
        return 0.0, math.copysign(FARTHEST, pz), 0.0
    rapidity = math.log((energy + abs(pz)) / math.sqrt(transverse_mass2))
    return math.sqrt(pt2), math.copysign(rapidity, pz), math.atan2(py, px)


@kernel
def wrapped(angle: float) -> float:
    """Shift an angle by full turns into [−π, π).

    Example:
        >>> round(wrapped(6.0), 4)
        -0.2832
    """
    return angle - 2 * math.pi * math.floor(angle / (2 * math.pi) + 0.5)


@kernel
def squared_distance(rapidity1: float, phi1: float, rapidity2: float, phi2: float) -> float:
    """Compute ΔR² = Δy² + Δφ², with Δφ wrapped into [−π, π).

    Example:
        >>> round(squared_distance(0.0, 3.1, 0.0, -3.1), 5)
        0.00692
    """
    delta_phi = abs(phi1 - phi2)
    delta_phi = min(delta_phi, 2 * math.pi - delta_phi)
    return (rapidity1 - rapidity2) ** 2 + delta_phi * delta_phi


@kernel
def power_of_distance(squared: float, beta: float) -> float:
    """Compute ΔR^β from ΔR², with shortcuts for common powers.

    Example:
        >>> power_of_distance(9.0, 1.0), power_of_distance(9.0, 2.0), power_of_distance(9.0, 4.0)
        (3.0, 9.0, 81.0)
    """
    if beta == 1.0:
        return math.sqrt(squared)
    if beta == 2.0:
        return squared
    return math.pow(squared, 0.5 * beta)


@kernel
def mass_of(energy: float, px: float, py: float, pz: float) -> float:
    """Compute the mass √max(E² − p², 0) of one particle in GeV.

    Example:
        >>> mass_of(5.0, 0.0, 3.0, 0.0)
        4.0
    """
    return math.sqrt(max(0.0, (energy - pz) * (energy + pz) - px * px - py * py))
