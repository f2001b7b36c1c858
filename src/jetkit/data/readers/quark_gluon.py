"""Quark and gluon jets: EnergyFlow's .npz files of jet constituents from Pythia or Herwig."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from jetkit.data.ragged import Ragged
from jetkit.data.readers.numpy_file import Archive
from jetkit.data.readers.particles import charge_of, from_padded, identity, momenta
from jetkit.data.readers.reader import Reader, Rows
from jetkit.errors import JetkitError
from jetkit.registry import register


@register(
    "quark-gluon", kind="reader", paper="Energy Flow Networks: Deep Sets for Particle Jets, 2018, arXiv:1810.05165"
)
class QuarkGluon(Reader):
    """QG_jets….npz (arrays X and y), Pythia or Herwig, with or without b and c; massless particles in stored order."""

    suffixes = (".npz",)
    program = "numpy"
    kept: ClassVar = {
        "X": "momenta (pT, y = η of massless particles, φ) and PDG codes of the particles",
        "y": "jet_label",
    }

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._arrays = Archive(path)
        self.names, self.classes = self._arrays.names, ("gluon", "quark")
        self.need("X", "y")
        shape, labels = self._arrays.shape("X"), self._arrays.shape("y")
        if len(shape) != 3 or shape[2] != 4 or labels != shape[:1]:
            raise JetkitError(f"{path} has X {shape} and y {labels}: X should be (jets, particles, 4), y (jets)")
        self.entries = shape[0]

    def read(self, start: int, stop: int) -> Rows:
        """Read the jets of the entries from ``start`` to ``stop``."""
        values = self._arrays.read("X", start, stop)
        whole = (np.floor(values[..., 3]) == values[..., 3]).all(axis=1)
        self.skipped["a PDG code that is no whole number"] += int((~whole).sum())
        values = values[whole]
        pt, eta, phi, pid = from_padded(values, (values != 0).any(axis=-1))
        codes = pid.values.astype(np.int32)
        lists = {"part_pid": codes, "part_charge": charge_of(codes)} | identity(codes, charge_of(codes))
        rows = momenta(pt, eta, phi) | {name: Ragged(column, pt.offsets) for name, column in lists.items()}
        return rows | {"jet_label": self._arrays.read("y", start, stop)[whole], "entry": start + np.flatnonzero(whole)}

    def close(self) -> None:
        """Close the file."""
        self._arrays.close()
