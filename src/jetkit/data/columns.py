"""Columns of a dataset: name, type, unit and meaning, in the order of the public JetClass-II files.

Source: H. Qu et al., "Accelerating Resonance Searches via Signature-Oriented Pre-training" (2024), arXiv:2405.12972;
``event_id`` and the columns after it are ours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Column(NamedTuple):
    """Type (a NumPy name; ``list[...]`` for a list per row), unit and meaning of one column."""

    type: str
    unit: str
    description: str

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """NumPy type of one value."""
        return np.dtype(self.type.removeprefix("list[").removesuffix("]"))


def _particles(prefix: str, rows: list[tuple[str, str, str, str]]) -> dict[str, Column]:
    return {prefix + name: Column(f"list[{kind}]", unit, text) for name, kind, unit, text in rows}


def _momentum(prefix: str, what: str) -> dict[str, Column]:
    axes = [("px", "x"), ("py", "y"), ("pz", "z")]
    rows = [(name, "float32", "GeV", f"{axis} component of the momentum of {what}") for name, axis in axes]
    return _particles(prefix, [*rows, ("energy", "float32", "GeV", f"energy of {what}")])


def _jet(prefix: str, what: str) -> dict[str, Column]:
    return {
        f"{prefix}_pt": Column("float32", "GeV", f"transverse momentum of {what}"),
        f"{prefix}_eta": Column("float32", "1", f"pseudorapidity of {what}"),
        f"{prefix}_phi": Column("float32", "rad", f"azimuth of {what}"),
        f"{prefix}_energy": Column("float32", "GeV", f"energy of {what}"),
        f"{prefix}_sdmass": Column("float32", "GeV", f"soft-drop mass of {what}"),
        f"{prefix}_nparticles": Column("int32", "1", f"number of constituents of {what}"),
    }


_FLAGS = ["Electron", "Muon", "Photon", "ChargedHadron", "NeutralHadron"]
_AUX_FLAGS = {
    "ResX": "is the resonance X",
    "ResY": "is a daughter resonance Y",
    "ResDecayProd": "is a decay product of a resonance",
    "TauDecayProd": "is a decay product of a tau",
    "QcdParton": "is a parton of a QCD jet",
}

COLUMNS: dict[str, Column] = {
    **_momentum("part_", "the particle"),
    **_particles(
        "part_",
        [
            ("deta", "float32", "1", "sign(jet_eta)·(eta − jet_eta)"),
            ("dphi", "float32", "rad", "phi − jet_phi, in [−π, π)"),
            ("d0val", "float32", "mm", "transverse impact parameter; 0 for neutral particles"),
            ("d0err", "float32", "mm", "uncertainty of d0val"),
            ("dzval", "float32", "mm", "longitudinal impact parameter; 0 for neutral particles"),
            ("dzerr", "float32", "mm", "uncertainty of dzval"),
            ("charge", "int32", "e", "electric charge"),
            *[(f"is{kind}", "bool", "1", f"identified as {kind}") for kind in _FLAGS],
        ],
    ),
    **_jet("jet", "the jet"),
    **{f"jet_tau{n}": Column("float32", "1", f"N-subjettiness of the jet, N = {n}, beta = 1") for n in range(1, 5)},
    "jet_label": Column("int32", "1", "class: index into the card's list of classes"),
    **_momentum("genpart_", "the generated particle"),
    **_particles(
        "genpart_",
        [
            ("jet_deta", "float32", "1", "sign(genjet_eta)·(eta − genjet_eta)"),
            ("jet_dphi", "float32", "rad", "phi − genjet_phi, in [−π, π)"),
            *[(axis, "float32", "mm", f"{axis} of the production vertex") for axis in "xyz"],
            ("t", "float32", "s", "time of production"),
            ("pid", "int32", "1", "PDG code"),
        ],
    ),
    **_jet("genjet", "the jet of generated particles"),
    **_particles(
        "aux_genpart_",
        [
            ("pt", "float32", "GeV", "transverse momentum of a particle of the hard process"),
            ("eta", "float32", "1", "its pseudorapidity"),
            ("phi", "float32", "rad", "its azimuth"),
            ("mass", "float32", "GeV", "its mass"),
            ("pid", "int32", "1", "its PDG code"),
            *[(f"is{kind}", "bool", "1", text) for kind, text in _AUX_FLAGS.items()],
        ],
    ),
    "part_pid": Column("list[int32]", "1", "PDG code of the particle, at particle level"),
    "event_id": Column("int64", "1", "number of the event; jets of one event share it"),
    "twin": Column("int32", "1", "which simulation of the same hard process"),
    "pair": Column("int64", "1", "number of the pair of twins, which are rows one after the other"),
    "jet_mass": Column("float32", "GeV", "invariant mass of the jet"),
    "jet_rank": Column("int32", "1", "place of the jet in its event by transverse momentum, from 0"),
    "event_mjj": Column("float32", "GeV", "invariant mass of the two hardest jets"),
    "event_weight": Column("float32", "1", "weight of the event by its generator; may be negative"),
}
"""Every column that jetkit writes, the 54 of JetClass-II first. A dataset may hold a part of them, and more."""

P4_COLUMNS = ("part_energy", "part_px", "part_py", "part_pz")
