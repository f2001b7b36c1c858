"""Momenta, charge and identity of particles, from quantities stored in foreign files."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from jetkit.data.ragged import Array, Ragged
from jetkit.data.readers.reader import Rows
from jetkit.physics.four_vectors import from_ptetaphim

CHARGED_HADRONS = (211, 321, 2212)


def from_padded(values: Float[np.ndarray, "J N F"], real: Array) -> list[Ragged]:
    """Return the F features of the real particles, each as a list per jet, in stored order.

    Example:
        >>> values, real = np.arange(6.0).reshape(1, 3, 2), np.array([[True, False, True]])
        >>> from_padded(values, real)[1].values
        array([1., 5.])
    """
    offsets = np.concatenate([[0], np.cumsum(real.sum(axis=1))])
    packed = values[real]
    return [Ragged(np.ascontiguousarray(packed[:, k]), offsets) for k in range(values.shape[2])]


def momenta(pt: Ragged, eta: Ragged, phi: Ragged, mass: Ragged | None = None) -> Rows:
    """Return momentum columns from pT, η, φ and the mass (default: 0)."""
    zero = np.zeros(len(pt.values)) if mass is None else mass.values.astype(np.float64)
    p4 = from_ptetaphim(
        pt.values.astype(np.float64), eta.values.astype(np.float64), phi.values.astype(np.float64), zero
    )
    names = ("part_energy", "part_px", "part_py", "part_pz")
    return {name: Ragged(p4[:, k], pt.offsets) for k, name in enumerate(names)}


def identity(pid: Int[np.ndarray, " M"], charge: Int[np.ndarray, " M"]) -> dict[str, Array]:
    """Return the five flags: e, μ and γ by PDG code, any other particle by charge."""
    kind = np.abs(pid)
    electron, muon, photon = kind == 11, kind == 13, kind == 22
    hadron = ~(electron | muon | photon)
    return {
        "part_isElectron": electron,
        "part_isMuon": muon,
        "part_isPhoton": photon,
        "part_isChargedHadron": hadron & (charge != 0),
        "part_isNeutralHadron": hadron & (charge == 0),
    }


def charge_of(pid: Int[np.ndarray, " M"]) -> Int[np.ndarray, " M"]:
    """Return the charge of long-lived particles by PDG code: e, μ, π, K, p; 0 for all others.

    Example:
        >>> charge_of(np.array([11, -13, 211, -321, 2212, 22, 130])).tolist()
        [-1, 1, 1, -1, 1, 0, 0]
    """
    lepton, hadron = np.isin(np.abs(pid), (11, 13)), np.isin(np.abs(pid), CHARGED_HADRONS)
    charge: Array = np.sign(pid) * (hadron.astype(np.int64) - lepton.astype(np.int64))
    return charge
