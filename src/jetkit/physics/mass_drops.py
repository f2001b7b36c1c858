"""Mass drops: every splitting of a jet's Cambridge/Aachen tree in variables of the mass that splits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from jetkit.physics import four_vectors as fv
from jetkit.physics.clustering import cluster
from jetkit.physics.ragged import ratio

EQUAL = 1e-3
"""Difference of two masses, in units of the splitting mass, below which they count as equal."""


@dataclass(frozen=True)
class MassDrops:
    """Splittings 0 → 1 + 2 of many jets, where 1 is the heavier branch, or the harder one if the masses are equal.

    The splittings of jet j run from ``offsets[j]`` to ``offsets[j + 1]``, in no meaningful order.
    """

    mass: Float[np.ndarray, "D"]
    """m0 in GeV."""
    drop: Float[np.ndarray, "D"]
    """m1/m0."""
    balance: Float[np.ndarray, "D"]
    """m2/m1; 0 where m1 is 0."""
    distance: Float[np.ndarray, "D"]
    """kT distance min(pT1, pT2)² Δ²/m0², which is z/(1 − z) for two massless branches at a small angle."""
    helicity: Float[np.ndarray, "D"]
    """cos θ between branch 1 and the flight direction of 0, in the rest frame of 0, as seen from the subjet
    that split into 0; 0 where 0 is the whole jet."""
    offsets: Int[np.ndarray, "bounds"]
    """First splitting of each jet, and the number of splittings."""


def mass_drops(p4: Float[np.ndarray, "M 4"], offsets: Int[np.ndarray, "bounds"], *, mass_min: float = 0.0) -> MassDrops:
    """Compute the mass-drop variables of all splittings of every jet with m0 > ``mass_min`` in GeV.

    ``p4`` (M, 4) holds (E, px, py, pz) in GeV; ``offsets`` (J + 1) bounds the particles of each jet. With the momenta
    p0 and p1, and P of the subjet that split into 0,

        cos θ = (p1·P − (p1·p0)(P·p0)/m0²) / √(((p1·p0)²/m0² − m1²) ((P·p0)²/m0² − M²)).

    All fields but ``distance`` are Lorentz invariant.

    Source: Uncovering latent jet substructure, 2019, arXiv:1904.04200, whose published code names the five numbers.
    The definition of the distance is inferred from its sample of splittings. For the angle, the sample only shows that
    it is 0 for the whole jet and mostly positive; its formula here is jetkit's own.

    Raises:
        JetkitError: the offsets do not fit.

    Example:
        >>> p4 = np.array([[50.0, 50.0, 0.0, 0.0], [50.0, 30.0, 40.0, 0.0], [20.0, 20.0, 0.0, 0.0]])
        >>> found = mass_drops(p4, np.array([0, 3]), mass_min=1.0)
        >>> found.mass.round(3).tolist(), found.drop.tolist(), found.helicity.tolist(), found.offsets.tolist()
        ([52.915], [0.0], [0.0], [0, 1])
    """
    trees = cluster(p4, offsets)
    mass, pt = fv.mass(trees.p4), fv.pt(trees.p4)
    split = np.flatnonzero((trees.children[:, 0] >= 0) & (mass > max(mass_min, 0.0)))
    first, second = trees.children[split].T
    m0 = mass[split]
    equal = np.abs(mass[first] - mass[second]) < EQUAL * m0
    swap = np.where(equal, pt[second] > pt[first], mass[second] > mass[first])
    heavy, light = np.where(swap, second, first), np.where(swap, first, second)
    return MassDrops(
        mass=m0,
        drop=mass[heavy] / m0,
        balance=ratio(mass[light], mass[heavy]),
        distance=np.minimum(pt[first], pt[second]) ** 2 * trees.distance[split] / m0**2,
        helicity=_helicity(trees.p4[split], trees.p4[heavy], trees.p4[trees.parent[split]], trees.parent[split] >= 0),
        offsets=np.searchsorted(split, trees.offsets),
    )


def _helicity(
    p0: Float[np.ndarray, "D 4"], p1: Float[np.ndarray, "D 4"], origin: Float[np.ndarray, "D 4"], known: np.ndarray
) -> Float[np.ndarray, "D"]:
    """Compute cos θ of p1 in the rest frame of p0, relative to the flight direction of p0 as seen from its origin."""
    energy1, energy = _dot(p1, p0), _dot(origin, p0)
    m2 = _dot(p0, p0)
    norm = (energy1**2 / m2 - _dot(p1, p1)) * (energy**2 / m2 - _dot(origin, origin))
    cosine = ratio(_dot(p1, origin) - energy1 * energy / m2, np.sqrt(np.maximum(norm, 0.0)))
    return np.where(known, np.clip(cosine, -1.0, 1.0), 0.0)


def _dot(p: Float[np.ndarray, "D 4"], q: Float[np.ndarray, "D 4"]) -> Float[np.ndarray, "D"]:
    """Compute the Minkowski product p·q."""
    product: Float[np.ndarray, "D"] = p[:, 0] * q[:, 0] - (p[:, 1:] * q[:, 1:]).sum(axis=1)
    return product
