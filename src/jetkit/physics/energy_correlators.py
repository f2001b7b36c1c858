"""Energy correlation functions and their ratios: the C, D, N, M and U series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from jetkit.errors import JetkitError
from jetkit.kernels import kernel
from jetkit.physics.ragged import power_of_distance, pt_rapidity_phi, ragged, squared_distance


@dataclass(frozen=True)
class ThreePointRatios:
    """Ratios of two- and three-point correlators, one value per jet; 0 where the denominator vanishes."""

    C1: Float[np.ndarray, "J"]
    """e2, small for a jet with one core."""
    C2: Float[np.ndarray, "J"]
    """e3/e2², small for two prongs."""
    D2: Float[np.ndarray, "J"]
    """e3/e2³, small for two prongs."""
    N2: Float[np.ndarray, "J"]
    """₂e3/(₁e2)², small for two prongs."""
    M2: Float[np.ndarray, "J"]
    """₁e3/₁e2, small for two prongs."""
    U1: Float[np.ndarray, "J"]
    """₁e2, which separates quarks from gluons."""
    U2: Float[np.ndarray, "J"]
    """₁e3, which separates quarks from gluons."""


@dataclass(frozen=True)
class FourPointRatios:
    """Ratios of four-point correlators to lower ones, one value per jet; 0 where the denominator vanishes."""

    C3: Float[np.ndarray, "J"]
    """e4 e2/e3², small for three prongs."""
    N3: Float[np.ndarray, "J"]
    """₂e4/(₁e3)², small for three prongs."""
    M3: Float[np.ndarray, "J"]
    """₁e4/₁e3, small for three prongs."""
    U3: Float[np.ndarray, "J"]
    """₁e4, which separates quarks from gluons."""


def energy_correlators(
    p4: Float[np.ndarray, "M 4"], offsets: Int[np.ndarray, "bounds"], *, points: int, beta: float = 1.0
) -> Float[np.ndarray, "J angles"]:
    """Compute the correlators _v e_N = Σ_{i<j<…} z_i z_j … Π (v smallest ΔR^β) of N = 2, 3 or 4 particles.

    z = pT/Σ pT. Column v − 1 of the result holds the sum with the product of the v smallest of the N(N − 1)/2 angles.
    The last column is therefore the ordinary e_N.

    Args:
        p4: (M, 4) momenta (E, px, py, pz) of all particles in GeV
        offsets: (J + 1,) bounds of the jets: jet j is ``p4[offsets[j] : offsets[j + 1]]``
        points: N, the number of particles in each term: 2, 3 or 4
        beta: exponent β of the angles

    Returns:
        (J, N(N − 1)/2) correlators _v e_N, with v − 1 along the last axis.

    Source: Energy Correlation Functions for Jet Substructure, 2013, arXiv:1305.0007; New Angles on Energy Correlation
    Functions, 2016, arXiv:1609.07483.

    Raises:
        JetkitError: the offsets do not fit, or the number of points is not 2, 3 or 4.

    Example:
        >>> p4 = np.array([[70.0, 70.0, 0.0, 0.0], [30.0, 30 * np.cos(0.2), 30 * np.sin(0.2), 0.0]])
        >>> energy_correlators(p4, np.array([0, 2]), points=2).round(6).tolist()
        [[0.042]]
    """
    if points not in (2, 3, 4):
        raise JetkitError(f"points should be 2, 3 or 4, got {points}")
    p4, offsets = ragged(p4, offsets)
    return _correlate_all(pt_rapidity_phi(p4), offsets, points, beta)


def three_point_ratios(
    p4: Float[np.ndarray, "M 4"], offsets: Int[np.ndarray, "bounds"], *, beta: float = 1.0
) -> ThreePointRatios:
    """Compute C1, C2, D2, N2, M2, U1 and U2 of every jet in one pass over its triples of particles.

    Sums run over i < j < k, as in FastJet contrib. EnergyFlow sums over ordered indices, so its C2 is 3/2 and its D2 is
    3/4 of the values here.

    Args:
        p4: (M, 4) momenta (E, px, py, pz) of all particles in GeV
        offsets: (J + 1,) bounds of the jets: jet j is ``p4[offsets[j] : offsets[j + 1]]``
        beta: exponent β of the angles

    Source: Energy Correlation Functions for Jet Substructure, 2013, arXiv:1305.0007; Power Counting to Better Jet
    Observables, 2014, arXiv:1409.6298; New Angles on Energy Correlation Functions, 2016, arXiv:1609.07483.

    Raises:
        JetkitError: the offsets do not fit.

    Example:
        >>> y = np.array([0.0, 0.2, 0.1])
        >>> phi = np.array([0.0, 0.0, 0.03**0.5])
        >>> p4 = np.stack([np.cosh(y), np.cos(phi), np.sin(phi), np.sinh(y)], axis=1)
        >>> three_point_ratios(p4, np.array([0, 3])).D2.round(6).tolist()
        [1.0]
    """
    e2 = energy_correlators(p4, offsets, points=2, beta=beta)[:, 0]
    e3 = energy_correlators(p4, offsets, points=3, beta=beta).T
    return ThreePointRatios(
        C1=e2,
        C2=_ratio(e3[2], e2**2),
        D2=_ratio(e3[2], e2**3),
        N2=_ratio(e3[1], e2**2),
        M2=_ratio(e3[0], e2),
        U1=e2,
        U2=e3[0],
    )


def four_point_ratios(
    p4: Float[np.ndarray, "M 4"], offsets: Int[np.ndarray, "bounds"], *, beta: float = 1.0
) -> FourPointRatios:
    """Compute C3, N3, M3 and U3 of every jet with N⁴/24 operations for N particles.

    Args:
        p4: (M, 4) momenta (E, px, py, pz) of all particles in GeV
        offsets: (J + 1,) bounds of the jets: jet j is ``p4[offsets[j] : offsets[j + 1]]``
        beta: exponent β of the angles

    Source: New Angles on Energy Correlation Functions, 2016, arXiv:1609.07483.

    Raises:
        JetkitError: the offsets do not fit.

    Example:
        >>> p4 = np.array([[70.0, 70.0, 0.0, 0.0], [30.0, 30 * np.cos(0.2), 30 * np.sin(0.2), 0.0]])
        >>> four_point_ratios(p4, np.array([0, 2])).N3.tolist()
        [0.0]
    """
    e2 = energy_correlators(p4, offsets, points=2, beta=beta)[:, 0]
    e3 = energy_correlators(p4, offsets, points=3, beta=beta).T
    e4 = energy_correlators(p4, offsets, points=4, beta=beta).T
    return FourPointRatios(
        C3=_ratio(e4[5] * e2, e3[2] ** 2), N3=_ratio(e4[1], e3[0] ** 2), M3=_ratio(e4[0], e3[0]), U3=e4[0]
    )


def _ratio(numerator: Float[np.ndarray, "J"], denominator: Float[np.ndarray, "J"]) -> Float[np.ndarray, "J"]:
    ratio: Float[np.ndarray, "J"] = np.divide(
        numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0
    )
    return ratio


@kernel
def _correlate_all(
    particles: Float[np.ndarray, "M 3"], offsets: Int[np.ndarray, "bounds"], points: int, beta: float
) -> Float[np.ndarray, "J angles"]:
    sums = np.zeros((len(offsets) - 1, points * (points - 1) // 2))
    for j in range(len(offsets) - 1):
        jet = particles[offsets[j] : offsets[j + 1]]
        total = jet[:, 0].sum()
        if total > 0:
            z, angle = jet[:, 0] / total, _angles(jet, beta)
            if points == 2:
                _add_pairs(z, angle, sums[j])
            elif points == 3:
                _add_triples(z, angle, sums[j])
            else:
                _add_quadruples(z, angle, sums[j])
    return sums


@kernel
def _angles(jet: Float[np.ndarray, "N 3"], beta: float) -> Float[np.ndarray, "N N"]:
    """Compute ΔR^β for all pairs of particles."""
    angle = np.zeros((len(jet), len(jet)))
    for i in range(len(jet)):
        for k in range(i):
            separation = squared_distance(jet[i, 1], jet[i, 2], jet[k, 1], jet[k, 2])
            angle[i, k] = angle[k, i] = power_of_distance(separation, beta)
    return angle


@kernel
def _add_pairs(z: Float[np.ndarray, "N"], angle: Float[np.ndarray, "N N"], sums: Float[np.ndarray, "1"]) -> None:
    for i in range(len(z)):
        for j in range(i):
            sums[0] += z[i] * z[j] * angle[i, j]


@kernel
def _add_triples(z: Float[np.ndarray, "N"], angle: Float[np.ndarray, "N N"], sums: Float[np.ndarray, "3"]) -> None:
    for i in range(len(z)):
        for j in range(i):
            one, two, three, a = 0.0, 0.0, 0.0, angle[i, j]
            for k in range(j):
                b, c = angle[i, k], angle[j, k]
                smallest = min(a, min(b, c))
                middle = max(min(a, b), min(max(a, b), c))
                one += z[k] * smallest
                two += z[k] * smallest * middle
                three += z[k] * a * b * c
            sums[0] += z[i] * z[j] * one
            sums[1] += z[i] * z[j] * two
            sums[2] += z[i] * z[j] * three


@kernel
def _add_quadruples(z: Float[np.ndarray, "N"], angle: Float[np.ndarray, "N N"], sums: Float[np.ndarray, "6"]) -> None:
    ordered = np.empty(6)
    for i in range(len(z)):
        for j in range(i):
            for k in range(j):
                for m in range(k):
                    six = (angle[i, j], angle[i, k], angle[i, m], angle[j, k], angle[j, m], angle[k, m])
                    for filled in range(6):
                        place = filled
                        while place > 0 and ordered[place - 1] > six[filled]:
                            ordered[place] = ordered[place - 1]
                            place -= 1
                        ordered[place] = six[filled]
                    product = z[i] * z[j] * z[k] * z[m]
                    for v in range(6):
                        product *= ordered[v]
                        sums[v] += product
