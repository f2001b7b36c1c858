"""ATLAS DAOD_PHYSLITE: events as lists of their reconstructed objects."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from jetkit.data.columns import Column
from jetkit.data.ragged import Array, Ragged
from jetkit.data.readers.objects import OBJECT_COLUMNS, event_rows
from jetkit.data.readers.reader import Reader, Rows
from jetkit.data.readers.root import Tree, unread
from jetkit.errors import JetkitError
from jetkit.physics.ragged import jet_of
from jetkit.registry import register

KINDS = {
    "Jets": "part_isJet",
    "Electrons": "part_isElectron",
    "Muons": "part_isMuon",
    "TauJets": "part_isTau",
    "Photons": "part_isPhoton",
}
MUON_MASS = 0.1056583755
"""Mass of the muon in GeV, which the file does not store."""
POLAR = {"pt": "pt", "eta": "eta", "phi": "phi", "m": "mass"}
OTHERS = {
    "charge": "part_charge",
    "HadronConeExclTruthLabelID": "part_hadron_flavour",
    "PartonTruthLabelID": "part_parton_flavour",
}
TAGGING = "BTagging_AntiKt4EMPFlowAuxDyn"
LINK = "AnalysisJetsAuxDyn.btaggingLink.m_persIndex"
WEIGHTS = "EventInfoAuxDyn.mcEventWeights"
"""Event weights of the generator and its variations, the nominal one first."""
NUMBERS = ("EventInfoAuxDyn.runNumber", "EventInfoAuxDyn.mcChannelNumber", "EventInfoAuxDyn.eventNumber")


@register(
    "atlas-physlite",
    kind="reader",
    paper="DAOD_PHYSLITE, the compact event format of ATLAS",
)
class ATLASPhyslite(Reader):
    """ATLAS DAOD_PHYSLITE (tree ``CollectionTree``): one row per event, with its calibrated objects as particles.

    The particles are small-radius jets, electrons, muons, taus and photons, without cuts or overlap removal; ``jet_pt``
    … ``jet_mass`` belong to their sum. The format has no jet constituents, because most of the linked tracks were
    removed. Missing transverse momentum is omitted, because the file contains only its soft term. The weight of a
    simulated event is the first one of its generator, the nominal weight. Energies are converted from MeV to GeV.

    Args:
        btag: whose probabilities of b, c and light jets are kept, as GN2v00 or DL1dv01; -1 for other objects
    """

    suffixes = (".root",)
    program = "uproot"
    columns: ClassVar = {
        **OBJECT_COLUMNS,
        **{
            f"part_btag_p{kind}": Column("list[float32]", "1", f"probability of a {name} jet; -1 for other objects")
            for kind, name in (("b", "b"), ("c", "c"), ("u", "light"))
        },
    }

    def __init__(self, path: Path, *, btag: str = "GN2v00") -> None:
        super().__init__(path)
        self._tree = Tree(path, "CollectionTree")
        self._scores = {f"{TAGGING}.{btag}_p{kind}": f"part_btag_p{kind}" for kind in "bcu"}
        self.entries, self.names = self._tree.entries, self._tree.names
        needed = [f"Analysis{kind}AuxDyn.pt" for kind in KINDS]
        self.need(*needed, *self._scores, LINK, NUMBERS[0], NUMBERS[2])

    @property
    def unknown(self) -> list[str]:
        """Return the branches that are not read; fully unread collections, and trigger matches, count as one."""
        objects = [f"Analysis{kind}AuxDyn.{name}" for kind in KINDS for name in (*POLAR, *OTHERS)]
        left = unread(self.names, {*objects, *self._scores, *NUMBERS, LINK, WEIGHTS}, ".")
        return unread(left, (), "_HLT_")

    def read(self, start: int, stop: int) -> Rows:
        """Read the events of the entries from ``start`` to ``stop``."""
        rows = event_rows({flag: self._objects(kind, start, stop) for kind, flag in KINDS.items()})
        weight = self._tree.firsts(WEIGHTS, start, stop)
        rows |= {} if weight is None else {"event_weight": weight}
        return rows | {"event_id": self._numbers(start, stop)}

    def close(self) -> None:
        """Close the file."""
        self._tree.close()

    def _objects(self, kind: str, start: int, stop: int) -> dict[str, Ragged]:
        wanted, place = POLAR | OTHERS, f"Analysis{kind}AuxDyn."
        here = [name for name in wanted if place + name in self.names]
        found = self._tree.ragged([place + name for name in here], start, stop)
        columns = {wanted[name]: found[place + name] for name in here}
        for name in {"pt", "mass"} & columns.keys():
            columns[name] = Ragged(columns[name].values / np.float32(1000), columns[name].offsets)
        if kind == "Muons":
            columns.setdefault("mass", Ragged(np.full(len(columns["pt"].values), MUON_MASS), columns["pt"].offsets))
        if "part_charge" in columns:
            charge = columns["part_charge"]
            columns["part_charge"] = Ragged(np.rint(charge.values).astype(np.int32), charge.offsets)
        return columns | self._tagged(start, stop) if kind == "Jets" else columns

    def _tagged(self, start: int, stop: int) -> dict[str, Ragged]:
        """Return the flavour probabilities of each jet, through its link to the b-tagging collection."""
        link = self._tree.ragged([LINK], start, stop)[LINK]
        scores = self._tree.ragged(list(self._scores), start, stop)
        entry = jet_of(link.offsets)
        found = {}
        for name, column in scores.items():
            if (link.values >= column.counts[entry]).any():
                raise JetkitError(f"{self.path}: a jet links to a b-tagging that is not there")
            found[self._scores[name]] = Ragged(column.values[column.offsets[entry] + link.values], link.offsets)
        return found

    def _numbers(self, start: int, stop: int) -> Array:
        """Return ``event_id`` = number of the simulated sample, or of the run, · 2⁴⁰ + event number."""
        found = self._tree.read([name for name in NUMBERS if name in self.names], start, stop)
        values = [np.asarray(found.get(name, 0)).astype(np.int64) for name in NUMBERS]
        numbers: Array = np.where(values[1] > 0, values[1], values[0]) * 2**40 + values[2]
        return numbers
