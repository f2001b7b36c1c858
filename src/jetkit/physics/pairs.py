"""Pair kinematics in Lund coordinates, which the Particle Transformer adds to its attention."""

from __future__ import annotations

from array_api_compat import array_namespace
from jaxtyping import Float, Int

from jetkit.physics.four_vectors import Array, delta_phi, phi, pt, rapidity, safe_sqrt

FLOOR = 1e-8
"""Lower bound of kT, z, Δ and m² before the logarithm."""


def pair_kinematics(p4: Float[Array, "*batch N 4"]) -> Float[Array, "*batch N N 4"]:
    """Compute the features (ln kT, ln z, ln Δ, ln m²) of all pairs of particles; symmetric in the pair.

    Δ = √((y_i − y_j)² + (φ_i − φ_j)²), kT = min(pT_i, pT_j) Δ, z = min(pT_i, pT_j)/(pT_i + pT_j), m² = (p_i + p_j)²,
    in GeV; each is at least 1e-8 before the logarithm. The rapidity y is that of `four_vectors.rapidity`: the form
    ½ ln(1 + 2 pz/(E − pz)) of the paper's code is −∞ in single precision for a particle at η = −8.

    (ln kT, ln z, ln Δ) are the coordinates of the Lund plane: of the pair taken as one splitting, with kT = pT2 Δ.
    Padding (zero momenta) gives finite values, which the caller masks.

    Source: Particle Transformer for Jet Tagging, 2022, arXiv:2202.03772; The Lund Jet Plane, 2018, arXiv:1807.04758.

    Example:
        >>> import numpy as np
        >>> p4 = np.array([[70.0, 70.0, 0.0, 0.0], [30.0, 30 * np.cos(0.2), 30 * np.sin(0.2), 0.0]])
        >>> np.exp(pair_kinematics(p4)[0, 1, :3]).round(6).tolist()
        [6.0, 0.3, 0.2]
    """
    particles = _particles(p4)
    return _between([one[..., :, None] for one in particles], [one[..., None, :] for one in particles])


def kinematics_of(
    p4: Float[Array, "*batch N 4"], first: tuple[Int[Array, " P"], ...], second: tuple[Int[Array, " P"], ...]
) -> Float[Array, "P 4"]:
    """Compute the features of `pair_kinematics` for selected pairs, given by the indices of their particles.

    Args:
        p4: (..., N, 4) momenta (E, px, py, pz) in GeV
        first: indices of the first particle of each pair
        second: indices of the second particle of each pair

    Example:
        >>> import numpy as np
        >>> p4 = np.array([[70.0, 70.0, 0.0, 0.0], [30.0, 30 * np.cos(0.2), 30 * np.sin(0.2), 0.0]])
        >>> bool((kinematics_of(p4, (np.array([0]),), (np.array([1]),)) == pair_kinematics(p4)[0, 1]).all())
        True
    """
    particles = _particles(p4)
    return _between([one[first] for one in particles], [one[second] for one in particles])


def _particles(p4: Float[Array, "*batch N 4"]) -> list[Float[Array, "*batch N"]]:
    """Return pT, rapidity, azimuth and the four momentum components of each particle."""
    return [pt(p4), rapidity(p4), phi(p4), *(p4[..., component] for component in range(4))]


def _between(first: list[Float[Array, "*#pairs"]], second: list[Float[Array, "*#pairs"]]) -> Float[Array, "*pairs 4"]:
    """Compute the features of pairs from the quantities of their particles."""
    xp = array_namespace(first[0])
    (pt_i, y_i, phi_i, *p_i), (pt_j, y_j, phi_j, *p_j) = first, second
    delta = safe_sqrt((y_i - y_j) ** 2 + delta_phi(phi_i, phi_j) ** 2)
    pt_min = xp.where(pt_i < pt_j, pt_i, pt_j)
    energy, px, py, pz = (a + b for a, b in zip(p_i, p_j, strict=True))
    mass2 = energy**2 - (px**2 + py**2 + pz**2)
    quantities = (pt_min * delta, pt_min / _at_least(pt_i + pt_j, FLOOR), delta, mass2)
    return xp.stack([xp.log(_at_least(quantity, FLOOR)) for quantity in quantities], axis=-1)


def _at_least(x: Float[Array, "*batch"], floor: float) -> Float[Array, "*batch"]:
    xp = array_namespace(x)
    return xp.where(x > floor, x, xp.full_like(x, floor))
