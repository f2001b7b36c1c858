"""Four-momenta: energy, transverse momentum, rapidity, azimuth, mass, sums and boosts.

Every function takes momenta (E, px, py, pz) in GeV along the last axis, as NumPy arrays or PyTorch tensors, and returns
the same kind of array. With PyTorch all functions are differentiable, also at padding (zero momenta).
"""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace
from jaxtyping import Bool, Float

Array = Any
"""A NumPy array or a PyTorch tensor."""


def energy(p4: Float[Array, "*batch 4"]) -> Float[Array, "*batch"]:
    """Return the energy E in GeV.

    Example:
        >>> import numpy as np
        >>> float(energy(np.array([5.0, 3.0, 4.0, 0.0])))
        5.0
    """
    return p4[..., 0]


def pt(p4: Float[Array, "*batch 4"]) -> Float[Array, "*batch"]:
    """Compute the transverse momentum √(px² + py²) in GeV.

    Example:
        >>> import numpy as np
        >>> float(pt(np.array([5.0, 3.0, 4.0, 0.0])))
        5.0
    """
    return safe_sqrt(p4[..., 1] ** 2 + p4[..., 2] ** 2)


def phi(p4: Float[Array, "*batch 4"]) -> Float[Array, "*batch"]:
    """Compute the azimuth atan2(py, px) in (−π, π]; 0 for zero transverse momentum.

    Example:
        >>> import numpy as np
        >>> round(float(phi(np.array([1.0, 0.0, 1.0, 0.0]))), 4)
        1.5708
    """
    xp = array_namespace(p4)
    px, py = p4[..., 1], p4[..., 2]
    at_rest = (px == 0) & (py == 0)
    return xp.atan2(py, xp.where(at_rest, xp.ones_like(px), px))


def eta(p4: Float[Array, "*batch 4"]) -> Float[Array, "*batch"]:
    """Compute the pseudorapidity η = asinh(pz / pT); 0 for zero momentum, finite (beyond 80) along the beam.

    Example:
        >>> import numpy as np
        >>> round(float(eta(np.array([2.0, 1.0, 0.0, 1.7320508]))), 4)
        1.317
    """
    return _longitudinal(p4[..., 3], p4[..., 1] ** 2 + p4[..., 2] ** 2, safe_norm(p4))


def rapidity(p4: Float[Array, "*batch 4"]) -> Float[Array, "*batch"]:
    """Compute the rapidity y = ½ ln((E + pz)/(E − pz)).

    It is evaluated as sign(pz) ln((E + |pz|)/mT) with mT² = pT² + max(m², 0). This form avoids subtracting nearly equal
    numbers, so forward massless particles keep their precision.

    Example:
        >>> import numpy as np
        >>> round(float(rapidity(np.array([np.cosh(8.0), 1.0, 0.0, np.sinh(8.0)]))), 10)
        8.0
    """
    xp = array_namespace(p4)
    mass_squared = xp.where(mass2(p4) > 0, mass2(p4), xp.zeros_like(p4[..., 0]))
    return _longitudinal(p4[..., 3], p4[..., 1] ** 2 + p4[..., 2] ** 2 + mass_squared, p4[..., 0])


def mass2(p4: Float[Array, "*batch 4"]) -> Float[Array, "*batch"]:
    """Compute the squared mass m² = (E − pz)(E + pz) − px² − py² in GeV²; rounding can make it negative.

    Example:
        >>> import numpy as np
        >>> float(mass2(np.array([5.0, 0.0, 0.0, 3.0])))
        16.0
    """
    return (p4[..., 0] - p4[..., 3]) * (p4[..., 0] + p4[..., 3]) - p4[..., 1] ** 2 - p4[..., 2] ** 2


def mass(p4: Float[Array, "*batch 4"]) -> Float[Array, "*batch"]:
    """Compute the mass √max(m², 0) in GeV.

    Example:
        >>> import numpy as np
        >>> float(mass(np.array([5.0, 0.0, 0.0, 3.0]))), float(mass(np.array([1.0, 0.0, 0.0, 2.0])))
        (4.0, 0.0)
    """
    return safe_sqrt(mass2(p4))


def delta_phi(phi1: Float[Array, "*#batch"], phi2: Float[Array, "*#batch"]) -> Float[Array, "*#batch"]:
    """Return the azimuthal difference φ1 − φ2 wrapped into [−π, π).

    Example:
        >>> import numpy as np
        >>> round(float(delta_phi(np.array(3.1), np.array(-3.1))), 4)
        -0.0832
    """
    xp = array_namespace(phi1, phi2)
    turns = xp.floor((phi1 - phi2) / (2 * xp.pi) + 0.5)
    return phi1 - phi2 - 2 * xp.pi * turns


def delta_r(p4: Float[Array, "*#batch 4"], other: Float[Array, "*#batch 4"]) -> Float[Array, "*#batch"]:
    """Compute the distance ΔR = √(Δy² + Δφ²) in the rapidity–azimuth plane.

    Example:
        >>> import numpy as np
        >>> a, b = from_ptetaphim(np.array([9.0, 5.0]), np.array([0.0, 0.3]), np.array([3.0, -2.8832]), np.zeros(2))
        >>> round(float(delta_r(a, b)), 3)
        0.5
    """
    delta_y = rapidity(p4) - rapidity(other)
    return safe_sqrt(delta_y**2 + delta_phi(phi(p4), phi(other)) ** 2)


def from_ptetaphim(
    pt: Float[Array, "*batch"], eta: Float[Array, "*batch"], phi: Float[Array, "*batch"], mass: Float[Array, "*batch"]
) -> Float[Array, "*batch 4"]:
    """Return the momentum (√(pT² cosh²η + m²), pT cos φ, pT sin φ, pT sinh η) in GeV.

    Example:
        >>> import numpy as np
        >>> from_ptetaphim(np.array(3.0), np.array(0.0), np.array(0.0), np.array(4.0)).tolist()
        [5.0, 3.0, 0.0, 0.0]
    """
    xp = array_namespace(pt, eta, phi, mass)
    energy = safe_sqrt((pt * xp.cosh(eta)) ** 2 + mass**2)
    return xp.stack([energy, pt * xp.cos(phi), pt * xp.sin(phi), pt * xp.sinh(eta)], axis=-1)


def total(p4: Float[Array, "*batch N 4"], mask: Bool[Array, "*batch N"]) -> Float[Array, "*batch 4"]:
    """Sum the momenta of the real particles, which gives the momentum of the jet.

    Example:
        >>> import numpy as np
        >>> total(np.ones((3, 4)), np.array([True, True, False])).tolist()
        [2.0, 2.0, 2.0, 2.0]
    """
    xp = array_namespace(p4)
    return xp.sum(xp.where(mask[..., None], p4, xp.zeros_like(p4)), axis=-2)


def boost(p4: Float[Array, "*#batch 4"], velocity: Float[Array, "*#batch 3"]) -> Float[Array, "*#batch 4"]:
    """Boost momenta by the velocity β (|β| < 1), so that a particle at rest then moves with +β.

    E' = γ(E + β·p), p' = p + β (γE + γ²/(1+γ) β·p), with γ = 1/√(1 − β²).

    Example:
        >>> import numpy as np
        >>> boost(np.array([4.0, 0.0, 0.0, 0.0]), np.array([0.0, 0.0, 0.6])).tolist()
        [5.0, 0.0, 0.0, 3.0]
    """
    xp = array_namespace(p4, velocity)
    gamma = 1 / xp.sqrt(1 - xp.sum(velocity**2, axis=-1))
    along = xp.sum(velocity * p4[..., 1:], axis=-1)
    momentum = p4[..., 1:] + velocity * (gamma * p4[..., 0] + gamma**2 / (1 + gamma) * along)[..., None]
    return xp.concat([(gamma * (p4[..., 0] + along))[..., None], momentum], axis=-1)


def safe_sqrt(x: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """Compute √max(x, 0) with derivative 0 instead of infinity at x ≤ 0.

    Example:
        >>> import numpy as np
        >>> safe_sqrt(np.array([4.0, -1e-12])).tolist()
        [2.0, 0.0]
    """
    xp = array_namespace(x)
    positive = x > 0
    return xp.where(positive, xp.sqrt(xp.where(positive, x, xp.ones_like(x))), xp.zeros_like(x))


def safe_norm(p4: Float[Array, "*batch 4"]) -> Float[Array, "*batch"]:
    """Compute the absolute three-momentum |p| in GeV, with derivative 0 at p = 0.

    Example:
        >>> import numpy as np
        >>> float(safe_norm(np.array([9.0, 2.0, 3.0, 6.0])))
        7.0
    """
    return safe_sqrt(p4[..., 1] ** 2 + p4[..., 2] ** 2 + p4[..., 3] ** 2)


def _longitudinal(
    pz: Float[Array, "*batch"], transverse2: Float[Array, "*batch"], length: Float[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """Compute sign(pz) ln((length + |pz|)/√transverse²); 0 for zero momentum."""
    xp = array_namespace(pz)
    smallest = xp.finfo(pz.dtype).smallest_normal
    longest = length + xp.abs(pz)
    moving = longest > 0
    ratio = xp.log(xp.where(moving, longest, xp.ones_like(pz)))
    depth = 0.5 * xp.log(xp.where(transverse2 > smallest, transverse2, xp.full_like(pz, smallest)))
    return xp.where(moving, xp.sign(pz) * (ratio - depth), xp.zeros_like(pz))
