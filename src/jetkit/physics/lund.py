"""The Lund plane: every splitting of a jet's Cambridge/Aachen tree in its natural coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from jetkit.kernels import kernel
from jetkit.physics.clustering import cluster
from jetkit.physics.ragged import jet_of, mass_of, point, squared_distance, wrapped

Coordinate = Literal["ln_delta", "ln_z", "ln_kt", "ln_kappa", "ln_mass", "psi"]
"""Natural coordinate of a splitting: ln Δ, ln z, ln(kT/GeV), ln κ, ln(m/GeV) or ψ."""
SMALLEST = 1e-6
"""Lower bound of the argument of a logarithm, which keeps the logarithm of 0 finite."""


@dataclass(frozen=True)
class Declusterings:
    """Splittings 1 + 2 of many jets, where 2 is the branch of smaller transverse momentum.

    The splittings of jet j run from ``offsets[j]`` to ``offsets[j + 1]``. Each follows its parent, and the harder
    branch precedes the softer one. The splittings of the primary plane therefore come first, from wide to small angle.
    Numbers of splittings run over all jets.
    """

    delta: Float[np.ndarray, "D"]
    """Angle Δ = √((y1 − y2)² + (φ1 − φ2)²)."""
    z: Float[np.ndarray, "D"]
    """Momentum fraction z = pT2/(pT1 + pT2)."""
    kt: Float[np.ndarray, "D"]
    """Relative transverse momentum kT = pT2 Δ in GeV."""
    kappa: Float[np.ndarray, "D"]
    """κ = z Δ."""
    psi: Float[np.ndarray, "D"]
    """Azimuth of the softer branch around the harder one, ψ = atan2(y2 − y1, φ2 − φ1)."""
    mass: Float[np.ndarray, "D"]
    """Mass of the sum of the branches in GeV."""
    parent: Int[np.ndarray, "D"]
    """Number of the splitting that produced the branch which splits here; −1 for the first."""
    origin: Int[np.ndarray, "D"]
    """Number of the splitting whose softer branch carries this plane; −1 in the primary plane."""
    level: Int[np.ndarray, "D"]
    """Number of softer branches between the jet and this splitting: 0 in the primary plane, 1 in secondary planes."""
    offsets: Int[np.ndarray, "bounds"]
    """First splitting of each jet, and the number of splittings."""


def lund_declusterings(p4: Float[np.ndarray, "M 4"], offsets: Int[np.ndarray, "bounds"]) -> Declusterings:
    """Return all splittings of every jet in all Lund planes: one fewer than there are particles.

    Args:
        p4: (M, 4) momenta (E, px, py, pz) of all particles in GeV
        offsets: (J + 1,) bounds of the jets: jet j is ``p4[offsets[j] : offsets[j + 1]]``

    Source: The Lund Jet Plane, 2018, arXiv:1807.04758; Jet tagging in the Lund plane with graph networks, 2020,
    arXiv:2012.08526.

    Raises:
        JetkitError: the offsets do not fit.

    Example:
        >>> p4 = np.array([[70.0, 70.0, 0.0, 0.0], [30.0, 30 * np.cos(0.2), 30 * np.sin(0.2), 0.0]])
        >>> splittings = lund_declusterings(p4, np.array([0, 2]))
        >>> splittings.delta.round(6).tolist(), splittings.z.round(6).tolist(), splittings.kt.round(6).tolist()
        ([0.2], [0.3], [6.0])
    """
    trees = cluster(p4, offsets)
    first = np.concatenate([[0], np.cumsum(np.diff(trees.offsets) // 2)])
    coordinates, numbers = _decluster_all(trees.p4, trees.children, trees.offsets, first)
    delta, z, kt, kappa, psi, mass = coordinates
    parent, origin, level = numbers
    return Declusterings(delta, z, kt, kappa, psi, mass, parent, origin, level, first)


def primary_plane(splittings: Declusterings) -> Declusterings:
    """Select the splittings along the harder branches, from wide to small angle.

    Example:
        >>> p4 = np.array([[9.0, 9.0, 0, 0], [5.0, 4.0, 3.0, 0], [5.0, 3.9, 3.1225, 0], [1.0, 1.0, 0, 0]])
        >>> primary_plane(lund_declusterings(p4, np.array([0, 4]))).kt.round(2).tolist()
        [6.59, 0.0]
    """
    return _select(splittings, splittings.level == 0)


def secondary_plane(splittings: Declusterings, *, z_cut: float = 0.025) -> Declusterings:
    """Select the plane of the leading emission: the softer branch of the first primary splitting with z > z_cut.

    Within it the harder branch is followed. Jets without such a splitting have an empty plane. This is the "mMDT"
    choice of the LundPlane package of FastJet contrib.

    Source: The Lund Jet Plane, 2018, arXiv:1807.04758.

    Example:
        >>> p4 = np.array([[9.0, 9.0, 0, 0], [5.0, 4.0, 3.0, 0], [5.0, 3.9, 3.1225, 0], [1.0, 1.0, 0, 0]])
        >>> secondary_plane(lund_declusterings(p4, np.array([0, 4]))).kt.round(2).tolist()
        [0.16]
    """
    jet = jet_of(splittings.offsets)
    passing = np.flatnonzero((splittings.level == 0) & (splittings.z > z_cut))
    _, which = np.unique(jet[passing], return_index=True)
    return _select(splittings, np.isin(splittings.origin, passing[which]))


def lund_multiplicity(splittings: Declusterings, kt_cut: float) -> Int[np.ndarray, "J"]:
    """Count the splittings of each jet, in all planes, with kT above ``kt_cut`` in GeV.

    Source: Lund multiplicity in QCD jets, 2022, arXiv:2212.05076.

    Example:
        >>> p4 = np.array([[70.0, 70.0, 0.0, 0.0], [30.0, 30 * np.cos(0.2), 30 * np.sin(0.2), 0.0]])
        >>> splittings = lund_declusterings(p4, np.array([0, 2]))
        >>> lund_multiplicity(splittings, 5.0).tolist(), lund_multiplicity(splittings, 7.0).tolist()
        ([1], [0])
    """
    counted = np.concatenate([[0], np.cumsum(splittings.kt > kt_cut)])
    return np.diff(counted[splittings.offsets])


def perturbative(splittings: Declusterings, kt_min: float) -> Declusterings:
    """Select the splittings with kT ≥ ``kt_min`` in GeV, and drop the softer branch of every other splitting.

    A selected splitting is linked to its nearest selected ancestor.

    Source: Jet tagging in the Lund plane with graph networks, 2020, arXiv:2012.08526.

    Example:
        >>> p4 = np.array([[9.0, 9.0, 0, 0], [5.0, 4.0, 3.0, 0], [5.0, 3.9, 3.1225, 0], [1.0, 1.0, 0, 0]])
        >>> perturbative(lund_declusterings(p4, np.array([0, 4])), 0.1).kt.round(2).tolist()
        [6.59, 0.16]
    """
    kept, parent = _follow_above(splittings.kt, splittings.parent, splittings.origin, kt_min)
    return _select(replace(splittings, parent=parent), kept)


def lund_coordinates(splittings: Declusterings, names: Sequence[Coordinate]) -> Float[np.ndarray, "D names"]:
    """Compute the named coordinates of every splitting; arguments of logarithms are at least 10⁻⁶.

    Source: Jet tagging in the Lund plane with graph networks, 2020, arXiv:2012.08526.

    Example:
        >>> p4 = np.array([[70.0, 70.0, 0.0, 0.0], [30.0, 30 * np.cos(0.2), 30 * np.sin(0.2), 0.0]])
        >>> lund_coordinates(lund_declusterings(p4, np.array([0, 2])), ["ln_delta", "ln_kt"]).round(4).tolist()
        [[-1.6094, 1.7918]]
    """
    columns = [getattr(splittings, name.removeprefix("ln_")) for name in names]
    is_logarithm = [name.startswith("ln_") for name in names]
    table = np.stack(columns, axis=1)
    return np.where(is_logarithm, np.log(np.maximum(table, SMALLEST)), table)


def _select(splittings: Declusterings, kept: Bool[np.ndarray, "D"]) -> Declusterings:
    """Return the selected splittings, renumbered."""
    counted = np.concatenate([[0], np.cumsum(kept)])

    def renumbered(number: Int[np.ndarray, "D"]) -> Int[np.ndarray, "d"]:
        number = number[kept]
        return np.where((number >= 0) & kept[number], counted[number], -1)

    chosen = {field.name: getattr(splittings, field.name)[kept] for field in fields(splittings)[:-1]}
    chosen["parent"], chosen["origin"] = renumbered(splittings.parent), renumbered(splittings.origin)
    return Declusterings(**chosen, offsets=counted[splittings.offsets])


@kernel
def _follow_above(
    kt: Float[np.ndarray, "D"], parent: Int[np.ndarray, "D"], origin: Int[np.ndarray, "D"], kt_min: float
) -> tuple[Bool[np.ndarray, "D"], Int[np.ndarray, "D"]]:
    """Return whether each splitting is kept, and its nearest kept ancestor."""
    kept, above = np.empty(len(kt), dtype=np.bool_), parent.copy()
    for d in range(len(kt)):
        kept[d] = kt[d] >= kt_min and (origin[d] < 0 or kept[origin[d]])
        if parent[d] >= 0 and not kept[parent[d]]:
            above[d] = above[parent[d]]
    return kept, above


@kernel
def _decluster_all(
    nodes: Float[np.ndarray, "K 4"],
    children: Int[np.ndarray, "K 2"],
    node_offsets: Int[np.ndarray, "bounds"],
    first: Int[np.ndarray, "bounds"],
) -> tuple[Float[np.ndarray, "6 D"], Int[np.ndarray, "3 D"]]:
    coordinates, numbers = np.empty((6, first[-1])), np.empty((3, first[-1]), dtype=np.int64)
    waiting = [(0, 0, 0, 0) for _ in range(0)]
    for j in range(len(first) - 1):
        d = first[j]
        if first[j + 1] > d:
            waiting.append((node_offsets[j + 1] - 1, -1, -1, 0))
        while waiting:
            node, parent, origin, level = waiting.pop()
            harder, softer = _split(nodes, children[node, 0], children[node, 1], coordinates[:, d])
            coordinates[5, d] = mass_of(nodes[node, 0], nodes[node, 1], nodes[node, 2], nodes[node, 3])
            numbers[0, d], numbers[1, d], numbers[2, d] = parent, origin, level
            if children[softer, 0] >= 0:
                waiting.append((softer, d, d, level + 1))
            if children[harder, 0] >= 0:
                waiting.append((harder, d, origin, level))
            d += 1
    return coordinates, numbers


@kernel
def _split(nodes: Float[np.ndarray, "K 4"], a: int, b: int, coordinates: Float[np.ndarray, "6"]) -> tuple[int, int]:
    """Write Δ, z, kT, κ and ψ of a splitting, and return its harder and its softer branch."""
    pt_a, y_a, phi_a = point(nodes[a, 0], nodes[a, 1], nodes[a, 2], nodes[a, 3])
    pt_b, y_b, phi_b = point(nodes[b, 0], nodes[b, 1], nodes[b, 2], nodes[b, 3])
    swap = -1.0 if pt_b > pt_a else 1.0
    delta = math.sqrt(squared_distance(y_a, phi_a, y_b, phi_b))
    coordinates[0] = delta
    coordinates[1] = min(pt_a, pt_b) / (pt_a + pt_b) if pt_a + pt_b > 0 else 0.0
    coordinates[2] = min(pt_a, pt_b) * delta
    coordinates[3] = coordinates[1] * delta
    coordinates[4] = math.atan2(swap * (y_b - y_a), wrapped(swap * (phi_b - phi_a)))
    return (b, a) if pt_b > pt_a else (a, b)
