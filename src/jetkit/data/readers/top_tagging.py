"""The top tagging reference dataset: one pandas table in HDF5 with 200 four-momenta per jet."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from jetkit.data.columns import P4_COLUMNS, Column
from jetkit.data.readers.pandas_table import PandasTable
from jetkit.data.readers.particles import from_padded
from jetkit.data.readers.reader import Reader, Rows
from jetkit.registry import register

MOMENTA = tuple(f"{axis}_{i}" for i in range(200) for axis in ("E", "PX", "PY", "PZ"))
TRUTH = {"truthE": "truth_energy", "truthPX": "truth_px", "truthPY": "truth_py", "truthPZ": "truth_pz"}


@register("top-tagging", kind="reader", paper="The Machine Learning Landscape of Top Taggers, 2019, arXiv:1902.09914")
class TopTagging(Reader):
    """Reference files train.h5, val.h5 and test.h5 (pandas table ``table``); slots of zeros are empty."""

    suffixes = (".h5", ".hdf5")
    program = "h5py"
    kept = dict.fromkeys(MOMENTA, "momenta of the particles") | TRUTH | {"is_signal_new": "jet_label", "ttv": "ttv"}
    dropped: ClassVar = {"index": "number of the row"}
    columns: ClassVar = {
        **{name: Column("float32", "GeV", "momentum of the top quark, 0 for QCD") for name in TRUTH.values()},
        "ttv": Column("int32", "1", "part in which the row came: 0 train, 1 test, 2 validation"),
    }

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._table = PandasTable(path, "table")
        self.entries, self.names, self.classes = self._table.rows, self._table.columns, ("QCD", "top")
        self.need(*MOMENTA, "is_signal_new")

    def read(self, start: int, stop: int) -> Rows:
        """Read the jets of the entries from ``start`` to ``stop``."""
        others = [name for name in (*TRUTH, "ttv") if name in self.names]
        found = self._table.columns_of([*MOMENTA, "is_signal_new", *others], start, stop)
        values = np.stack([found[name] for name in MOMENTA], axis=1).reshape(-1, 200, 4)
        rows: Rows = dict(zip(P4_COLUMNS, from_padded(values, (values != 0).any(axis=-1)), strict=True))
        rows |= {TRUTH[name]: found[name].astype(np.float32) for name in TRUTH if name in found}
        rows |= {"ttv": found["ttv"].astype(np.int32)} if "ttv" in found else {}
        return rows | {"jet_label": found["is_signal_new"]}

    def close(self) -> None:
        """Close the file."""
        self._table.close()
