"""CATHODE: .npy files of five features of LHC Olympics events and their label."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from jetkit.data.columns import Column
from jetkit.data.readers.hdf5 import native
from jetkit.data.readers.numpy_file import rows_of
from jetkit.data.readers.reader import Reader, Rows
from jetkit.data.usable import REASONS
from jetkit.errors import JetkitError
from jetkit.registry import register

TEV = 1000.0
"""1 TeV in GeV; masses in the files are in TeV."""
SCALES = {"event_mjj": TEV, "event_mj1": TEV, "event_delta_mj": TEV, "event_tau21_j1": 1.0, "event_tau21_j2": 1.0}
"""Column → unit in the file, in the order of the file, where the label follows."""
NAMES = ("mjj", "mJ1", "mJ2 - mJ1", "tau21(J1)", "tau21(J2)", "label")


@register(
    "cathode", kind="reader", paper="Classifying Anomalies THrough Outer Density Estimation, 2021, arXiv:2109.00546"
)
class Cathode(Reader):
    """innerdata_….npy and outerdata_….npy: six numbers per event; masses are converted to GeV, without particles."""

    suffixes = (".npy",)
    program = "numpy"
    objects = "feature"
    kept: ClassVar = dict(zip(NAMES, (*SCALES, "jet_label"), strict=True))
    columns: ClassVar = {
        "event_mj1": Column("float32", "GeV", "mass of the lighter of the two jets"),
        "event_delta_mj": Column("float32", "GeV", "mass of the heavier jet − mass of the lighter one"),
        "event_tau21_j1": Column("float32", "1", "tau2/tau1 of the lighter jet"),
        "event_tau21_j2": Column("float32", "1", "tau2/tau1 of the heavier jet"),
    }

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._values = rows_of(path)
        if self._values.ndim != 2 or self._values.shape[1] != len(NAMES):
            raise JetkitError(f"{path} has the shape {self._values.shape}, not (events, 6): {', '.join(NAMES)}")
        self.entries, self.names, self.classes = len(self._values), NAMES, ("background", "signal")

    def read(self, start: int, stop: int) -> Rows:
        """Read the events of the entries from ``start`` to ``stop``; those with NaN or infinity are left out."""
        values = native(np.asarray(self._values[start:stop])).astype(np.float64)
        finite = np.isfinite(values).all(axis=1)
        self.skipped[REASONS[-1]] += int((~finite).sum())
        *features, label = values[finite].T
        rows: Rows = {
            name: (column * scale).astype(np.float32)
            for (name, scale), column in zip(SCALES.items(), features, strict=True)
        }
        return rows | {"jet_label": label, "entry": start + np.flatnonzero(finite)}

    def close(self) -> None:
        """Close the file."""
        del self._values
