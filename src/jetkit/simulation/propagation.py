"""Propagation from the production point to the calorimeter, in a solenoidal field along z."""

from __future__ import annotations

from math import atan2, copysign, cos, hypot, inf, pi, sin, sqrt

import numpy as np

from jetkit.kernels import kernel
from jetkit.simulation.particles import Bools, Floats, Ints

CURVATURE = 0.299792458e-3
"""Constant in pT [GeV] = CURVATURE · |q| · B [T] · radius [mm]."""


@kernel
def _straight(x: float, y: float, px: float, py: float, radius: float) -> float:
    """Return the forward path length to the cylinder wall in units of momentum: t with |x + p t| = R."""
    pt2 = px * px + py * py
    along = x * px + y * py
    inside = pt2 * radius * radius - (px * y - py * x) ** 2
    if inside < 0.0:
        return inf
    return float((-along + sqrt(inside)) / pt2)


@kernel
def _turning_angle(x: float, y: float, px: float, py: float, bend: float, radius: float) -> float:
    """Return the angle by which a track turns before it meets the wall; infinite if it never does.

    The circle has the signed radius ``bend`` (positive: clockwise, a positive charge in a field along +z).
    """
    pt = hypot(px, py)
    xc, yc = x + bend * py / pt, y - bend * px / pt
    centre = hypot(xc, yc)
    if centre + abs(bend) < radius or centre == 0.0:
        return inf
    start = atan2(y - yc, x - xc)
    cosine = (radius * radius - centre * centre - bend * bend) / (2.0 * centre * abs(bend))
    opening = np.arccos(min(1.0, max(-1.0, cosine)))
    outward = atan2(yc, xc)
    clockwise = copysign(1.0, bend)
    first = (clockwise * (start - outward - opening)) % (2.0 * pi)
    second = (clockwise * (start - outward + opening)) % (2.0 * pi)
    return float(min(first, second))


@kernel
def propagate(
    p4: Floats, charge: Ints, vertex: Floats, field: float, radius: float, half_length: float
) -> tuple[Floats, Bools]:
    """Compute the point at which each particle leaves the solenoid, on a straight line or, if charged, a helix.

    With the helix radius ρ = pT / (0.3 q B), the path ends at the cylinder wall r = R or at the end caps |z| = L,
    whichever comes first.

    Args:
        p4: (M, 4) momenta (E, px, py, pz) in GeV.
        charge: (M,) in units of the proton's.
        vertex: (M, 3) production points in mm.
        field: Bz in tesla.
        radius: R in mm.
        half_length: L in mm.

    Returns:
        (M, 2) pseudorapidity and azimuth of the point, seen from the origin; and (M,) whether the particle was
        produced inside and gets there.

    Example:
        >>> p4 = np.array([[5.0, 3.0, 0.0, 4.0]])
        >>> exit, reached = propagate(p4, np.array([0]), np.zeros((1, 3)), 3.8, 1290.0, 3000.0)
        >>> bool(reached[0]), round(float(np.sinh(exit[0, 0])), 4)
        (True, 1.3333)
    """
    exits = np.zeros((len(p4), 2))
    reached = np.zeros(len(p4), dtype=np.bool_)
    for i in range(len(p4)):
        px, py, pz = p4[i, 1], p4[i, 2], p4[i, 3]
        x, y, z = vertex[i, 0], vertex[i, 1], vertex[i, 2]
        pt = hypot(px, py)
        if hypot(x, y) > radius or abs(z) > half_length or pt * pt < 1e-9:
            continue
        caps = inf if pz == 0.0 else (copysign(half_length, pz) - z) / pz
        if charge[i] == 0 or field == 0.0:
            path = min(_straight(x, y, px, py, radius), caps)
            xe, ye = x + px * path, y + py * path
        else:
            bend = pt / (CURVATURE * charge[i] * field)
            path = min(_turning_angle(x, y, px, py, bend, radius) * abs(bend) / pt, caps)
            turned = pt * path / bend
            xe = x + bend / pt * (py - py * cos(turned) + px * sin(turned))
            ye = y - bend / pt * (px - px * cos(turned) - py * sin(turned))
        if path == inf or hypot(xe, ye) == 0.0:
            continue
        exits[i, 0] = np.arcsinh((z + pz * path) / hypot(xe, ye))
        exits[i, 1] = atan2(ye, xe)
        reached[i] = True
    return exits, reached
