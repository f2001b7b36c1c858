"""Assignment of each particle of a jet to its nearest decay product."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Float, Int

from jetkit.data.ragged import Array, Ragged
from jetkit.kernels import kernel

ORIGIN = "part_origin"
"""Number of the decay product nearest to a particle, −1 if the jet has none."""
ORIGIN_COLUMNS = ("aux_genpart_eta", "aux_genpart_phi", "aux_genpart_isResDecayProd")
"""Columns from which it is computed if a dataset has no such column."""


def origin_columns(files: Sequence[Collection[str]]) -> list[str]:
    """Return the columns needed for origins, if any file has them; jets of a class without a resonance lack them.

    Example:
        >>> origin_columns([["jet_pt"], ["jet_pt", *ORIGIN_COLUMNS]]) == [*ORIGIN_COLUMNS]
        True
    """
    return list(ORIGIN_COLUMNS) if any(set(ORIGIN_COLUMNS) <= set(columns) for columns in files) else []


def nearest_decay_products(
    p3: Float[np.ndarray, "3 M"],
    offsets: Int[np.ndarray, " bounds"],
    eta: Ragged,
    phi: Ragged,
    is_product: Ragged,
) -> Int[np.ndarray, " M"]:
    """Return the number of the decay product nearest in ΔR² = Δη² + Δφ², within each jet; −1 if none.

    A hadron does not originate from a single parton; the nearest one separates the prongs of a resolved decay.

    Args:
        p3: (px, py, pz) of the particles, in GeV
        offsets: of the jets among the particles
        eta: of particles of the hard process, a list per jet
        phi: the same
        is_product: True for each of them that is a decay product

    Example:
        >>> one = np.array([0, 3])
        >>> products = [Ragged(np.array(values), one) for values in ([0.0, 0.5, -0.5], [0.0, 0.0, 0.0], [0, 1, 1])]
        >>> p3 = np.array([[1.0, 1.0], [0.0, 0.0], [0.4, -0.3]])
        >>> nearest_decay_products(p3, np.array([0, 2]), *products).tolist()
        [0, 1]
    """
    pt, found = np.hypot(p3[0], p3[1]), np.full(p3.shape[1], -1)
    particle_eta = np.arcsinh(np.divide(p3[2], pt, out=np.zeros(len(pt)), where=pt > 0))
    particle_phi = np.arctan2(p3[1], p3[0])
    _nearest(particle_eta, particle_phi, offsets, eta.values, phi.values, is_product.values, eta.offsets, found)
    return found


@kernel
def _nearest(
    eta: Array, phi: Array, offsets: Array, to_eta: Array, to_phi: Array, allowed: Array, limits: Array, out: Array
) -> None:
    for jet in range(len(offsets) - 1):
        for i in range(offsets[jet], offsets[jet + 1]):
            least, number = np.inf, 0
            for k in range(limits[jet], limits[jet + 1]):
                if allowed[k]:
                    turn = abs(phi[i] - to_phi[k]) % (2 * math.pi)
                    distance = (eta[i] - to_eta[k]) ** 2 + min(turn, 2 * math.pi - turn) ** 2
                    if distance < least:
                        least = distance
                        out[i] = number
                    number += 1
