"""Events as lists of reconstructed objects: jets, electrons, muons, taus and photons together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from jetkit.data.columns import Column
from jetkit.data.ragged import Ragged
from jetkit.data.readers.particles import momenta
from jetkit.data.readers.reader import Rows
from jetkit.data.readers.root import beside
from jetkit.errors import JetkitError

FLAGS = ("part_isJet", "part_isElectron", "part_isMuon", "part_isTau", "part_isPhoton")
OBJECT_COLUMNS = {
    "part_isJet": Column("list[bool]", "1", "the object is a jet"),
    "part_isTau": Column("list[bool]", "1", "the object is a hadronic tau"),
    "part_hadron_flavour": Column("list[int32]", "1", "truth: 5 jet with a b hadron, 4 with a c hadron, else 0"),
    "part_parton_flavour": Column("list[int32]", "1", "truth: PDG code of the parton of a jet, 0 for other objects"),
}
"""Additional columns of events as lists of objects."""
OTHERWISE = {
    "part_charge": 0,
    "part_d0val": 0.0,
    "part_d0err": 0.0,
    "part_dzval": 0.0,
    "part_dzerr": 0.0,
    "part_hadron_flavour": 0,
    "part_parton_flavour": 0,
}
"""Default value of a column for objects without it; −1 for b-tagging scores."""
POLAR = ("pt", "eta", "phi", "mass")

Objects = Mapping[str, Ragged]
"""``pt``, ``eta``, ``phi`` and optionally ``mass`` (else 0) of objects of one kind, and any jetkit columns."""


def event_rows(kinds: Mapping[str, Objects]) -> Rows:
    """Return one row per event: momenta, a flag for each object's kind, and all columns that any kind has.

    Args:
        kinds: one of `FLAGS` → the objects of this kind

    Raises:
        JetkitError: lists of unequal lengths.
    """
    names = {name for objects in kinds.values() for name in objects if name not in POLAR}
    parts: list[Rows] = []
    for flag, objects in kinds.items():
        offsets, values = objects["pt"].offsets, objects["pt"].values
        if any(not np.array_equal(column.offsets, offsets) for column in objects.values()):
            raise JetkitError(f"the columns of the objects with {flag} have lists of unequal lengths")
        part = momenta(*(objects[name] for name in POLAR if name in objects))
        part |= {other: Ragged(np.full(len(values), other == flag), offsets) for other in FLAGS}
        absent = {name: Ragged(np.full(len(values), OTHERWISE.get(name, -1.0)), offsets) for name in names}
        parts.append(part | absent | {name: objects[name] for name in names & objects.keys()})
    return {name: beside([column for part in parts if isinstance(column := part[name], Ragged)]) for name in parts[0]}
