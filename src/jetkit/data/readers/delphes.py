"""Delphes: jets of energy-flow objects, clustered here or as stored."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int

from jetkit.data.columns import P4_COLUMNS, Column
from jetkit.data.ragged import Array, Ragged, take_rows
from jetkit.data.readers.particles import identity
from jetkit.data.readers.reader import Reader, Rows
from jetkit.data.readers.root import Tree, beside, unread
from jetkit.errors import JetkitError
from jetkit.physics.clustering import ANTI_KT, cluster, constituents, inclusive_jets
from jetkit.physics.four_vectors import eta, pt
from jetkit.physics.ragged import jet_of
from jetkit.registry import register

CANDIDATES = "ParticleFlowCandidate"
TRACKS, PHOTONS, HADRONS = "EFlowTrack", "EFlowPhoton", "EFlowNeutralHadron"
TRACK = {"D0": "part_d0val", "ErrorD0": "part_d0err", "DZ": "part_dzval", "ErrorDZ": "part_dzerr"}
OPTIONAL = ("E", "Mass", "CtgTheta", "Charge", "PID", *TRACK)
"""Energy-flow branches that may be absent."""
JET = {"PT": "jet_pt", "Eta": "jet_eta", "Phi": "jet_phi", "Flavor": "jet_parton_flavour", "BTag": "jet_btag"}
WEIGHT = "Event.Weight"
UNIQUE = 0xFFFFFF
"""Mask of the bits in ROOT's unique identifier that hold the object number; the others identify the process."""


@register("delphes", kind="reader", paper="DELPHES 3, 2014, arXiv:1307.6346")
class Delphes(Reader):
    """Delphes ROOT files (tree ``Delphes``): jets of energy-flow objects with charge, flags and impact parameters.

    The particles are ParticleFlowCandidate if present, else EFlowTrack, EFlowPhoton and EFlowNeutralHadron. Particles
    without transverse momentum (PUPPI weight 0) are left out, also from stored jets, whose mass is that of the
    particles kept. The direction of a track comes from CtgTheta, because Eta in ParticleFlowCandidate refers to the
    point at which it leaves the tracker. Each jet has the weight of its event. The files have no classes.

    Args:
        jets: stored jets to take with their constituents, such as JetPUPPIAK8; none: cluster with anti-kT
        radius: R of the clustering
        pt_min: smallest transverse momentum of a jet in GeV
        abs_eta: largest |eta| of a jet
        leading: hardest jets of an event that are kept; 0: all
    """

    suffixes = (".root",)
    program = "uproot"
    columns: ClassVar = {
        "jet_parton_flavour": Column("int32", "1", "flavour of the stored jet by its partons, as Delphes gives it"),
        "jet_btag": Column("int32", "1", "bits of the b-tagging working points that the stored jet passes"),
    }

    def __init__(
        self,
        path: Path,
        *,
        jets: str = "",
        radius: float = 0.8,
        pt_min: float = 20.0,
        abs_eta: float = 5.0,
        leading: int = 0,
    ) -> None:
        super().__init__(path)
        if not (radius > 0 and pt_min >= 0 and abs_eta > 0 and leading >= 0):
            raise JetkitError("radius and abs_eta should be positive, pt_min and leading not negative")
        self._tree, self._jets, self._radius, self._most = Tree(path, "Delphes"), jets, radius, leading
        self._cuts = (pt_min, abs_eta)
        self.entries, self.names = self._tree.entries, self._tree.names
        together = f"{CANDIDATES}.PT" in self.names
        self._flow = (CANDIDATES,) if together else (TRACKS, PHOTONS, HADRONS)
        stored = [f"{jets}.{key}" for key in ("Constituents", "PT", "Eta", "Phi")] if jets else []
        self.need(*(f"{name}.Eta" for name in self._flow), *stored)

    @property
    def unknown(self) -> list[str]:
        """Return the branches that are not read; fully unread collections count as one."""
        used = {f"{name}.{key}" for name in self._flow for key in ("PT", "ET", "Eta", "Phi", *OPTIONAL, "fUniqueID")}
        used |= {f"{self._jets}.{key}" for key in (*JET, "Constituents")} if self._jets else set()
        return [name for name in unread(self.names, used | {WEIGHT}, ".") if not name.endswith("_size")]

    def read(self, start: int, stop: int) -> Rows:
        """Read the jets of the entries from ``start`` to ``stop`` by falling pT, any number per entry."""
        parts = [self._particles(name, start, stop) for name in self._flow]
        shared = [name for name in parts[0] if all(name in part for part in parts)]
        flow = {name: beside([part[name] for part in parts]) for name in shared}
        event: dict[str, Array] = {"event_id": self._tree.events(start, stop)}
        weight = self._tree.firsts(WEIGHT, start, stop)
        event |= {} if weight is None else {"event_weight": weight}
        return self._stored(flow, event, start, stop) if self._jets else self._clustered(flow, event)

    def close(self) -> None:
        """Close the file."""
        self._tree.close()

    def _clustered(self, flow: dict[str, Ragged], event: dict[str, Array]) -> Rows:
        offsets = flow["part_px"].offsets
        p4 = np.stack([flow[name].values for name in P4_COLUMNS], axis=1).astype(np.float64)
        broken = np.bincount(jet_of(offsets), weights=~np.isfinite(p4).all(axis=1), minlength=len(offsets) - 1) > 0
        self.skipped["event with NaN or infinity"] += int(broken.sum())
        chosen = np.flatnonzero(_moving(flow) & ~broken[jet_of(offsets)])
        bounds = np.searchsorted(chosen, offsets)
        trees = cluster(p4[chosen], bounds, power=ANTI_KT, radius=self._radius)
        nodes, limits = inclusive_jets(trees)
        kept, rank = self._chosen(pt(trees.p4[nodes]), eta(trees.p4[nodes]), limits, np.flatnonzero(~broken))
        leaves, jets = constituents(trees, nodes[kept])
        members = chosen[_particles_of(leaves, trees.offsets, bounds)]
        owner = jet_of(limits)[kept]
        rows: Rows = {"jet_rank": rank[kept], **{name: values[owner] for name, values in event.items()}}
        return _jet_rows(flow, members, jets) | rows

    def _stored(self, flow: dict[str, Ragged], event: dict[str, Array], start: int, stop: int) -> Rows:
        here = {name: column for name, column in JET.items() if f"{self._jets}.{name}" in self.names}
        read = self._tree.ragged([f"{self._jets}.{name}" for name in here], start, stop)
        links, limits = self._tree.lists(f"{self._jets}.Constituents", start, stop, "refs")
        place = self._resolved(links, jet_of(limits), start, stop)
        whole = np.bincount(jet_of(links.offsets), weights=place < 0, minlength=limits[-1]) == 0
        self.skipped["stored jet with constituents that are not in the energy flow"] += int((~whole).sum())
        columns = {here[name]: read[f"{self._jets}.{name}"].values for name in here}
        kept, rank = self._chosen(columns["jet_pt"], columns["jet_eta"], limits, np.arange(stop - start))
        kept = kept[whole[kept]]
        rows: Rows = {**columns, "jet_rank": rank} | {name: values[jet_of(limits)] for name, values in event.items()}
        rows |= {name: columns[name].astype(np.int32) for name in self.columns if name in columns}
        moving = place >= 0
        moving[moving] = _moving(flow)[place[moving]]
        counts = np.bincount(jet_of(links.offsets)[moving], minlength=limits[-1])
        jets = Ragged(place[moving], np.concatenate([[0], np.cumsum(counts)]))
        members = take_rows(jets, kept)
        assert isinstance(members, Ragged)
        return _jet_rows(flow, *members) | {name: take_rows(column, kept) for name, column in rows.items()}

    def _chosen(self, pt: Array, eta: Array, limits: Array, entries: Array) -> tuple[Array, Array]:
        """Select jets within the cuts, and return the rank of each in its event; events without jets are counted."""
        rank = np.arange(len(pt)) - limits[jet_of(limits)]
        within = (pt >= self._cuts[0]) & (np.abs(eta) < self._cuts[1])
        kept = np.flatnonzero(within & ((rank < self._most) | (self._most == 0)))
        self.skipped["event without a jet within the cuts"] += int((~np.isin(entries, jet_of(limits)[kept])).sum())
        return kept, rank

    def _resolved(self, links: Ragged, event: Array, start: int, stop: int) -> Int[np.ndarray, " links"]:
        """Return the energy-flow index of each particle to which a stored jet links; −1 if it is absent."""
        names = [f"{name}.fUniqueID" for name in self._flow]
        unique = beside(list(self._tree.ragged(names, start, stop).values()))
        keys = (jet_of(unique.offsets) << 24) | (unique.values.astype(np.int64) & UNIQUE)
        wanted = (event[jet_of(links.offsets)] << 24) | (links.values.astype(np.int64) & UNIQUE)
        order = np.argsort(keys)
        place = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
        return np.where(keys[order[place]] == wanted, order[place], -1) if len(keys) else np.full(len(wanted), -1)

    def _particles(self, name: str, start: int, stop: int) -> dict[str, Ragged]:
        """Return the columns of one energy-flow collection."""
        transverse = "ET" if f"{name}.ET" in self.names else "PT"
        keys = [transverse, "Eta", "Phi", *(key for key in OPTIONAL if f"{name}.{key}" in self.names)]
        read = dict(zip(keys, self._tree.ragged([f"{name}.{key}" for key in keys], start, stop).values(), strict=True))
        values = {key: column.values for key, column in read.items()}
        zero = np.zeros(len(values["Eta"]), np.int32)
        charge = values.get("Charge", zero)
        pid = values.get("PID", zero + (22 if name == PHOTONS else 0))
        found = _momentum(values, transverse) | {"part_charge": charge} | identity(pid, charge)
        found |= {column: np.where(charge != 0, values.get(key, zero), zero) for key, column in TRACK.items()}
        return {column: Ragged(array, read["Eta"].offsets) for column, array in found.items()}


def _momentum(values: dict[str, Array], transverse: str) -> dict[str, Array]:
    pt, phi = values[transverse].astype(np.float64), values["Phi"].astype(np.float64)
    slope = values["CtgTheta"].astype(np.float64) if "CtgTheta" in values else np.sinh(values["Eta"].astype(np.float64))
    found = {"part_px": pt * np.cos(phi), "part_py": pt * np.sin(phi), "part_pz": pt * slope}
    mass = values.get("Mass", np.zeros(len(pt))).astype(np.float64)
    return found | {"part_energy": values.get("E", np.sqrt((pt * np.hypot(1, slope)) ** 2 + mass**2))}


def _moving(flow: dict[str, Ragged]) -> Bool[np.ndarray, " M"]:
    moving: Bool[np.ndarray, " M"] = (flow["part_px"].values != 0) | (flow["part_py"].values != 0)
    return moving


def _jet_rows(flow: dict[str, Ragged], members: Int[np.ndarray, " m"], jets: Int[np.ndarray, " bounds"]) -> Rows:
    """Return the columns of the constituents, by falling pT in each jet."""
    pt = np.hypot(flow["part_px"].values[members], flow["part_py"].values[members])
    members = members[np.lexsort((-pt, jet_of(jets)))]
    return {name: Ragged(column.values[members], jets) for name, column in flow.items()}


def _particles_of(nodes: Array, node_offsets: Array, offsets: Array) -> Int[np.ndarray, " n"]:
    """Convert node numbers of particles to indices among the particles of all events."""
    event = np.searchsorted(node_offsets, nodes, side="right") - 1
    place: Int[np.ndarray, " n"] = nodes - node_offsets[event] + offsets[event]
    return place
