"""CMS NanoAOD: events as lists of their reconstructed objects."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from jetkit.data.columns import Column
from jetkit.data.ragged import Array, Ragged
from jetkit.data.readers.objects import OBJECT_COLUMNS, POLAR, event_rows
from jetkit.data.readers.reader import Reader, Rows
from jetkit.data.readers.root import Tree, unread
from jetkit.registry import register

KINDS = {
    "Jet": "part_isJet",
    "Electron": "part_isElectron",
    "Muon": "part_isMuon",
    "Tau": "part_isTau",
    "Photon": "part_isPhoton",
}
TRACK = {"dxy": "part_d0val", "dxyErr": "part_d0err", "dz": "part_dzval", "dzErr": "part_dzerr"}
OTHERS = {"charge": "part_charge", "hadronFlavour": "part_hadron_flavour", "partonFlavour": "part_parton_flavour"}
EVENT = {"MET_pt": "event_met_pt", "MET_phi": "event_met_phi", "genWeight": "event_weight"}
RUN = 2**40
"""Range of event numbers within a run."""


@register("cms-nanoaod", kind="reader", paper="NanoAOD, the compact event format of CMS")
class CMSNanoAOD(Reader):
    """CMS NanoAOD (tree ``Events``): one row per event, with its jets, leptons, taus and photons as particles.

    NanoAOD has no jet constituents, so jets cannot be rows. The objects are those of the file, without cuts or overlap
    removal. An electron is usually also part of a jet, so ``jet_pt`` … ``jet_mass``, which belong to the sum of all
    objects, count it twice. Missing transverse momentum and the weight are event columns. Impact parameters, converted
    from cm to mm, are 0 for objects without them.

    Args:
        btag: the b-tagging score of jets to keep: Jet_NAME; -1 for other objects
    """

    suffixes = (".root",)
    program = "uproot"
    columns: ClassVar = {
        **OBJECT_COLUMNS,
        "part_btag": Column("list[float32]", "1", "score of the b-tagging of a jet; -1 for other objects"),
        "event_met_pt": Column("float32", "GeV", "missing transverse momentum"),
        "event_met_phi": Column("float32", "rad", "azimuth of the missing transverse momentum"),
    }

    def __init__(self, path: Path, *, btag: str = "btagDeepFlavB") -> None:
        super().__init__(path)
        self._tree, self._btag = Tree(path, "Events"), btag
        self.entries, self.names = self._tree.entries, self._tree.names
        self.need("run", "event", *(f"{kind}_pt" for kind in KINDS), f"Jet_{btag}")

    @property
    def unknown(self) -> list[str]:
        """Return the branches that are not read; fully unread collections count as one."""
        objects = [f"{kind}_{name}" for kind in KINDS for name in (*POLAR, *TRACK, *OTHERS)]
        return unread(self.names, {*objects, f"Jet_{self._btag}", *EVENT, "run", "event"}, "_")

    def read(self, start: int, stop: int) -> Rows:
        """Read the events of the entries from ``start`` to ``stop``."""
        rows = event_rows({flag: self._objects(kind, start, stop) for kind, flag in KINDS.items()})
        found = self._tree.read([name for name in EVENT if name in self.names], start, stop)
        rows |= {EVENT[name]: values for name, values in found.items()}
        return rows | {"event_id": event_numbers(self._tree, start, stop)}

    def close(self) -> None:
        """Close the file."""
        self._tree.close()

    def _objects(self, kind: str, start: int, stop: int) -> dict[str, Ragged]:
        wanted = {name: name for name in POLAR} | TRACK | OTHERS
        wanted |= {self._btag: "part_btag"} if kind == "Jet" else {}
        here = [name for name in wanted if f"{kind}_{name}" in self.names]
        found = self._tree.ragged([f"{kind}_{name}" for name in here], start, stop)
        columns = {wanted[name]: found[f"{kind}_{name}"] for name in here}
        return {name: millimetres(column) if name in TRACK.values() else column for name, column in columns.items()}


def millimetres(column: Ragged) -> Ragged:
    """Convert lengths from cm to mm."""
    return Ragged(column.values * np.float32(10), column.offsets)


def event_numbers(tree: Tree, start: int, stop: int) -> Array:
    """Return ``event_id`` = run · 2⁴⁰ + event number."""
    found = tree.read(["run", "event"], start, stop)
    numbers: Array = np.asarray(found["run"]).astype(np.int64) * RUN + np.asarray(found["event"]).astype(np.int64)
    return numbers
