"""CMS PFNano: NanoAOD with the particle-flow candidates of the jets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Int

from jetkit.data.columns import Column
from jetkit.data.ragged import Array, Ragged
from jetkit.data.readers.cms_nanoaod import event_numbers
from jetkit.data.readers.particles import identity, momenta
from jetkit.data.readers.reader import Reader, Rows
from jetkit.data.readers.root import Tree, unread
from jetkit.errors import JetkitError
from jetkit.physics.four_vectors import from_ptetaphim
from jetkit.physics.ragged import jet_of
from jetkit.registry import register

CANDIDATE = ("pt", "eta", "phi", "mass", "charge", "pdgId")
TRACK = {"d0": "part_d0val", "d0Err": "part_d0err", "dz": "part_dzval", "dzErr": "part_dzerr"}
JET = {
    "pt": "jet_pt",
    "eta": "jet_eta",
    "phi": "jet_phi",
    "mass": "jet_mass",
    "msoftdrop": "jet_sdmass",
    **{f"tau{n}": f"jet_tau{n}" for n in range(1, 5)},
    "rawFactor": "jet_raw_factor",
    "hadronFlavour": "jet_hadron_flavour",
    "partonFlavour": "jet_parton_flavour",
    "nBHadrons": "jet_nbhadrons",
    "nCHadrons": "jet_nchadrons",
}
SCORES = (
    *("btagDeepFlavB", "btagDeepFlavC", "btagDeepFlavG", "btagDeepFlavUDS", "btagDeepB", "btagDDBvLV2", "btagDDCvLV2"),
    *(f"particleNet_{name}" for name in ("QCD", "TvsQCD", "WvsQCD", "ZvsQCD", "HbbvsQCD", "HccvsQCD", "H4qvsQCD")),
    *(f"particleNetMD_{name}" for name in ("QCD", "Xbb", "Xcc", "Xqq")),
    *(f"deepTag_{name}" for name in ("QCD", "H", "TvsQCD", "WvsQCD", "ZvsQCD")),
)
"""Tagger outputs that are kept as ``jet_NAME``."""
NAMES = JET | {name: f"jet_{name}" for name in SCORES}
"""Branch of the jets → column."""
WEIGHT = "genWeight"
OPTIONAL = (*TRACK, "puppiWeight")
"""Branches of the candidates that may be absent."""


@register("cms-pfnano", kind="reader", paper="PFNano: NanoAOD of CMS with particle-flow candidates")
class CMSPFNano(Reader):
    """CMS PFNano (tree ``Events``): jets with their particle-flow candidates, flavours and tagger scores.

    Lengths are converted from cm to mm, and are 0 for candidates without a track. Momenta of candidates are those of
    the file: multiply them by ``part_puppi_weight`` for the constituents of PUPPI jets such as AK8. The jet momentum is
    calibrated; ``jet_raw_factor`` is 1 − raw/calibrated. Candidates of the forward calorimeter (codes 1 and 2) are
    neutral hadrons and photons. Each jet has the weight of its event.

    Args:
        collection: FatJet (AK8) or Jet (AK4)
    """

    suffixes = (".root",)
    program = "uproot"
    columns: ClassVar = {
        "part_puppi_weight": Column("list[float32]", "1", "probability of the candidate to be no pile-up, by PUPPI"),
        "jet_raw_factor": Column("float32", "1", "1 - uncalibrated / calibrated transverse momentum"),
        "jet_hadron_flavour": Column("int32", "1", "truth: 5 jet with a b hadron, 4 with a c hadron, else 0"),
        "jet_parton_flavour": Column("int32", "1", "truth: PDG code of the parton of the jet"),
        "jet_nbhadrons": Column("int32", "1", "truth: number of b hadrons in the jet"),
        "jet_nchadrons": Column("int32", "1", "truth: number of c hadrons in the jet"),
        **{f"jet_{name}": Column("float32", "1", "score of a tagger, as CMS stored it") for name in SCORES},
    }

    def __init__(self, path: Path, *, collection: Literal["FatJet", "Jet"] = "FatJet") -> None:
        super().__init__(path)
        self._tree, self._jets, self._table = Tree(path, "Events"), collection, f"{collection}PFCands"
        self.entries, self.names = self._tree.entries, self._tree.names
        self._links = (f"{self._table}_jetIdx", f"{self._table}_pFCandsIdx")
        self.need("run", "event", *self._links, f"{collection}_pt", *(f"PFCands_{name}" for name in CANDIDATE))

    @property
    def unknown(self) -> list[str]:
        """Return the branches that are not read; fully unread collections count as one."""
        used = [f"{self._jets}_{name}" for name in NAMES] + [f"PFCands_{name}" for name in (*CANDIDATE, *OPTIONAL)]
        return unread(self.names, {*used, *self._links, "run", "event", WEIGHT}, "_")

    def read(self, start: int, stop: int) -> Rows:
        """Read the jets of the entries from ``start`` to ``stop`` in stored order, any number per entry."""
        jets = self._columns(self._jets, NAMES, start, stop)
        event, first = jet_of(jets["pt"].offsets), jets["pt"].offsets
        rows: Rows = {NAMES[name]: column.values for name, column in jets.items()}
        p4 = from_ptetaphim(*(jets[name].values.astype(np.float64) for name in ("pt", "eta", "phi", "mass")))
        rows |= {"jet_energy": p4[:, 0], "jet_rank": np.arange(len(event)) - first[event]}
        candidates = self._columns("PFCands", [*CANDIDATE, *OPTIONAL], start, stop)
        members = self._members(first, candidates["pt"].offsets, start, stop)
        rows |= _particles(
            {name: column.values[members.values] for name, column in candidates.items()}, members.offsets
        )
        weight = self._tree.firsts(WEIGHT, start, stop)
        rows |= {} if weight is None else {"event_weight": weight[event]}
        return rows | {"event_id": event_numbers(self._tree, start, stop)[event]}

    def close(self) -> None:
        """Close the file."""
        self._tree.close()

    def _columns(self, kind: str, names: Iterable[str], start: int, stop: int) -> dict[str, Ragged]:
        here = [name for name in names if f"{kind}_{name}" in self.names]
        found = self._tree.ragged([f"{kind}_{name}" for name in here], start, stop)
        return {name: found[f"{kind}_{name}"] for name in here}

    def _members(self, jets: Int[np.ndarray, " b"], candidates: Int[np.ndarray, " b"], start: int, stop: int) -> Ragged:
        """Return the candidates of each jet, numbered over all entries read."""
        jet, candidate = self._tree.ragged(self._links, start, stop).values()
        entry = jet_of(jet.offsets)
        wrong = (jet.values < 0) | (jet.values >= np.diff(jets)[entry])
        wrong |= (candidate.values < 0) | (candidate.values >= np.diff(candidates)[entry])
        if wrong.any():
            raise JetkitError(
                f"{self.path}: {self._table} of entry {start + entry[wrong][0]} links to what is not there"
            )
        owner = jets[entry] + jet.values
        offsets = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=jets[-1]))])
        return Ragged((candidates[entry] + candidate.values)[np.argsort(owner, kind="stable")], offsets)


def _particles(values: dict[str, Array], offsets: Int[np.ndarray, " bounds"]) -> Rows:
    polar = [Ragged(values[name], offsets) for name in ("pt", "eta", "phi", "mass")]
    charge = values["charge"]
    pid = np.where(values["pdgId"] == 2, 22, values["pdgId"])
    found = {"part_charge": charge} | identity(pid, charge)
    if "puppiWeight" in values:
        found["part_puppi_weight"] = values["puppiWeight"]
    for name, column in TRACK.items():
        if name in values and f"{name.removesuffix('Err')}Err" in values:
            tracked = values[f"{name.removesuffix('Err')}Err"] > 0
            found[column] = np.where(tracked, values[name] * np.float32(10), np.float32(0))
    return momenta(*polar) | {name: Ragged(array, offsets) for name, array in found.items()}
