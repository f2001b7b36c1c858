"""Soft drop and the modified mass-drop tagger."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from jetkit.errors import JetkitError
from jetkit.kernels import kernel
from jetkit.physics.clustering import cluster
from jetkit.physics.four_vectors import mass, pt
from jetkit.physics.ragged import point, squared_distance


@dataclass(frozen=True)
class Groomed:
    """Groomed jets, and the splitting at which the grooming of each stopped."""

    p4: Float[np.ndarray, "J 4"]
    """Momentum (E, px, py, pz) in GeV."""
    pt: Float[np.ndarray, "J"]
    """Transverse momentum in GeV."""
    mass: Float[np.ndarray, "J"]
    """Groomed mass m_SD in GeV."""
    symmetry: Float[np.ndarray, "J"]
    """z_g = min(pT1, pT2)/(pT1 + pT2); −1 where no splitting passed."""
    delta_r: Float[np.ndarray, "J"]
    """R_g, the distance ΔR of the two prongs; −1 where no splitting passed."""


def soft_drop(
    p4: Float[np.ndarray, "M 4"],
    offsets: Int[np.ndarray, "bounds"],
    *,
    beta: float = 0.0,
    z_cut: float = 0.1,
    R0: float = 0.8,
) -> Groomed:
    """Apply soft drop to every jet: undo its Cambridge/Aachen clustering until z > z_cut (ΔR/R0)^β.

    z = min(pT1, pT2)/(pT1 + pT2). At each splitting that fails, the branch of smaller pT is dropped. If none passes,
    one particle remains and z_g = R_g = −1. A jet without particles has momentum 0. β = 0 is the modified mass-drop
    tagger.

    Args:
        p4: (M, 4) momenta (E, px, py, pz) of all particles in GeV
        offsets: (J + 1,) bounds of the jets: jet j is ``p4[offsets[j] : offsets[j + 1]]``
        beta: exponent β of the angle
        z_cut: smallest momentum fraction z at ΔR = R0
        R0: radius of the jets

    Source: Soft Drop, 2014, arXiv:1402.2657; Towards an understanding of jet substructure, 2013, arXiv:1307.0007.

    Raises:
        JetkitError: the offsets do not fit, or R0 is not positive.

    Example:
        >>> p4 = np.array([[70.0, 70.0, 0.0, 0.0], [30.0, 30 * np.cos(0.2), 30 * np.sin(0.2), 0.0]])
        >>> groomed = soft_drop(p4, np.array([0, 2]))
        >>> np.concatenate([groomed.mass, groomed.symmetry, groomed.delta_r]).round(3).tolist()
        [9.15, 0.3, 0.2]
    """
    if not R0 > 0:
        raise JetkitError(f"R0 should be positive, got {R0}")
    trees = cluster(p4, offsets)
    left, symmetry, delta_r = _soft_drop_all(trees.p4, trees.children, trees.offsets, beta, z_cut, R0)
    return Groomed(left, pt(left), mass(left), symmetry, delta_r)


@kernel
def _soft_drop_all(
    nodes: Float[np.ndarray, "K 4"],
    children: Int[np.ndarray, "K 2"],
    offsets: Int[np.ndarray, "bounds"],
    beta: float,
    z_cut: float,
    R0: float,
) -> tuple[Float[np.ndarray, "J 4"], Float[np.ndarray, "J"], Float[np.ndarray, "J"]]:
    n_jets = len(offsets) - 1
    left, symmetry, delta_r = np.zeros((n_jets, 4)), np.full(n_jets, -1.0), np.full(n_jets, -1.0)
    for j in range(n_jets):
        if offsets[j + 1] == offsets[j]:
            continue
        # The root is the last node of a jet, because nodes are stored in merging order.
        node = offsets[j + 1] - 1
        while children[node, 0] >= 0:
            a, b = nodes[children[node, 0]], nodes[children[node, 1]]
            pt_a, y_a, phi_a = point(a[0], a[1], a[2], a[3])
            pt_b, y_b, phi_b = point(b[0], b[1], b[2], b[3])
            z = min(pt_a, pt_b) / (pt_a + pt_b) if pt_a + pt_b > 0 else 0.0
            separation = math.sqrt(squared_distance(y_a, phi_a, y_b, phi_b))
            if z > z_cut * (separation / R0) ** beta:
                symmetry[j], delta_r[j] = z, separation
                break
            node = children[node, 0] if pt_a >= pt_b else children[node, 1]
        left[j] = nodes[node]
    return left, symmetry, delta_r
