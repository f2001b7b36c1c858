"""EDM4hep: events of electron–positron colliders as lists of reconstructed particles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int

from jetkit.data.ragged import Array, Ragged
from jetkit.data.readers.particles import identity
from jetkit.data.readers.reader import Reader, Rows
from jetkit.data.readers.root import Tree, unread
from jetkit.errors import JetkitError
from jetkit.physics.ragged import jet_of
from jetkit.registry import register

PARTICLES = "ReconstructedParticles"
MOMENTUM = {"momentum.x": "part_px", "momentum.y": "part_py", "momentum.z": "part_pz", "energy": "part_energy"}
IMPACT = (
    f"{PARTICLES}.tracks_begin",
    f"{PARTICLES}.tracks_end",
    f"{PARTICLES}#1.index",
    "EFlowTrack.trackStates_begin",
    "EFlowTrack_1.D0",
    "EFlowTrack_1.Z0",
)
"""Particle → range of links → track → state → impact parameters."""
COVARIANCE = "EFlowTrack_1.covMatrix[21]"
D0, Z0 = 0, 9
"""Indices of the variances of d0 and z0 among the 21 of a track state (d0, φ, ω, z0, tan λ, t)."""
ELECTRON, MUON, NEUTRAL_HADRON = 0.000511, 0.10566, 0.4976
"""Masses in GeV that identify the particle hypothesis."""
WEIGHT = "EventHeader.weight"
TRUTH = ("MCRecoAssociations#0.index", "MCRecoAssociations#1.index", "Particle.PDG")
"""Indices of the reconstructed and the true particle of each association, and PDG codes of the true particles."""


@register("edm4hep", kind="reader", paper="EDM4hep, the event data model of future colliders")
class EDM4hep(Reader):
    """EDM4hep (tree ``events``): one row per event, with its ReconstructedParticles as particles.

    The flags follow the mass that the reconstruction assigned: e, μ or π for tracks, K0 for neutral hadrons, (nearly) 0
    for photons. ``part_pid`` is the PDG code of the first linked true particle, 0 if there is none. Impact parameters,
    in mm, are those of the first state of the first track. The weight comes from the event header.
    """

    suffixes = (".root",)
    program = "uproot"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._tree = Tree(path, "events")
        self.entries, self.names = self._tree.entries, self._tree.names
        self.need(*(f"{PARTICLES}.{name}" for name in (*MOMENTUM, "charge", "mass")))

    @property
    def unknown(self) -> list[str]:
        """Return the branches that are not read; fully unread collections count as one."""
        used = {f"{PARTICLES}.{name}" for name in (*MOMENTUM, "charge", "mass")}
        return unread(self.names, used | {*TRUTH, *IMPACT, COVARIANCE, WEIGHT}, ".")

    def read(self, start: int, stop: int) -> Rows:
        """Read the events of the entries from ``start`` to ``stop``."""
        names = [*MOMENTUM, "charge", "mass"]
        found = self._tree.ragged([f"{PARTICLES}.{name}" for name in names], start, stop)
        columns = dict(zip(names, found.values(), strict=True))
        charge = np.rint(columns["charge"].values).astype(np.int32)
        flags = identity(kinds(columns["mass"].values, charge), charge)
        offsets = columns["charge"].offsets
        rows: Rows = {column: columns[name] for name, column in MOMENTUM.items()}
        rows |= {name: Ragged(array, offsets) for name, array in ({"part_charge": charge} | flags).items()}
        if set(TRUTH) <= set(self.names):
            rows["part_pid"] = Ragged(self._truth(offsets, start, stop), offsets)
        if {*IMPACT, COVARIANCE} <= set(self.names):
            rows |= {name: Ragged(array, offsets) for name, array in self._impact(offsets, start, stop).items()}
        weight = self._tree.firsts(WEIGHT, start, stop)
        return rows if weight is None else rows | {"event_weight": weight}

    def close(self) -> None:
        """Close the file."""
        self._tree.close()

    def _truth(self, offsets: Int[np.ndarray, " bounds"], start: int, stop: int) -> Int[np.ndarray, " particles"]:
        """Return the PDG code of the first true particle linked to each particle."""
        particle, true, codes = self._tree.ragged(TRUTH, start, stop).values()
        owner = self._place(offsets, particle)[::-1]
        found = np.zeros(offsets[-1], np.int32)
        found[owner] = codes.values[self._place(codes.offsets, true)[::-1]]
        return found

    def _impact(self, offsets: Int[np.ndarray, " bounds"], start: int, stop: int) -> dict[str, Array]:
        """Return impact parameters and uncertainties, through particle → track → state; 0 without a track."""
        begin, end, links, first, d0, z0 = self._tree.ragged(IMPACT, start, stop).values()
        variances, _ = self._tree.lists(COVARIANCE, start, stop)
        errors = np.sqrt(np.maximum(variances.values.reshape(-1, 21)[:, [D0, Z0]], 0))
        tracked = np.flatnonzero(end.values > begin.values)
        entry = jet_of(offsets)[tracked]
        track = links.values[links.offsets[entry] + begin.values[tracked]]
        state = d0.offsets[entry] + first.values[first.offsets[entry] + track]
        values = [d0.values[state], errors[state, 0], z0.values[state], errors[state, 1]]
        found = {}
        for name, array in zip(("part_d0val", "part_d0err", "part_dzval", "part_dzerr"), values, strict=True):
            found[name] = np.zeros(offsets[-1], np.float32)
            found[name][tracked] = array
        return found

    def _place(self, offsets: Int[np.ndarray, " bounds"], index: Ragged) -> Int[np.ndarray, " links"]:
        """Convert indices within an entry to indices over all entries."""
        entry = jet_of(index.offsets)
        if ((index.values < 0) | (index.values >= np.diff(offsets)[entry])).any():
            raise JetkitError(f"{self.path}: an association links to a particle that is not there")
        place: Int[np.ndarray, " links"] = offsets[entry] + index.values
        return place


def kinds(mass: Array, charge: Int[np.ndarray, " M"]) -> Int[np.ndarray, " M"]:
    """Return the PDG codes of e, μ and γ, 0 for hadrons, identified by their assigned mass in GeV.

    Example:
        >>> kinds(np.array([0.000511, 0.1056584, 0.1395704, 1e-5, 0.4976]), np.array([1, -1, 1, 0, 0])).tolist()
        [11, 13, 0, 22, 0]
    """
    charged = np.where(np.abs(mass - ELECTRON) < 1e-3, 11, np.where(np.abs(mass - MUON) < 1e-3, 13, 0))
    found: Array = np.where(charge != 0, charged, np.where(mass < NEUTRAL_HADRON / 2, 22, 0))
    return found
