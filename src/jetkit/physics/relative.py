"""Positions of particles relative to the axis of their jet."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from jetkit.physics import four_vectors
from jetkit.physics.ragged import jet_of


def about_axis(
    p4: Float[np.ndarray, "M 4"],
    offsets: Int[np.ndarray, "bounds"],
    jet_eta: Float[np.ndarray, "J"],
    jet_phi: Float[np.ndarray, "J"],
) -> tuple[Float[np.ndarray, "M"], Float[np.ndarray, "M"]]:
    """Compute Δη = sign(η_jet) (η − η_jet), with sign(0) = −1 as in the public JetClass files, and Δφ in [−π, π).

    Example:
        >>> p4 = np.array([[5.0, 3.0, 0.0, 4.0]])
        >>> about_axis(p4, np.array([0, 1]), np.array([1.0]), np.array([0.5]))[1]
        array([-0.5])
    """
    jet = jet_of(offsets)
    sign = np.where(jet_eta > 0, 1.0, -1.0)
    deta = sign[jet] * (four_vectors.eta(p4) - jet_eta[jet])
    return deta, four_vectors.delta_phi(four_vectors.phi(p4), jet_phi[jet])
