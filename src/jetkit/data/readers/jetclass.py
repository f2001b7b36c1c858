"""JetClass: ROOT files of 100,000 jets of one of ten classes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from jetkit.data.columns import COLUMNS
from jetkit.data.ragged import Array
from jetkit.data.readers.reader import Reader, Rows
from jetkit.data.readers.root import Tree
from jetkit.errors import JetkitError
from jetkit.registry import register

CLASSES = ("QCD", "Hbb", "Hcc", "Hgg", "H4q", "Hqql", "Zqq", "Wqq", "Tbqq", "Tbl")
LABELS = tuple(f"label_{name}" for name in CLASSES)


@register("jetclass", kind="reader", paper="Particle Transformer for Jet Tagging, 2022, arXiv:2202.03772")
class JetClass(Reader):
    """JetClass ROOT files (tree ``tree``): all branches but the truth match code are kept, under their own names."""

    suffixes = (".root",)
    program = "uproot"
    kept = {name: name for name in COLUMNS if name != "jet_label"} | dict.fromkeys(LABELS, "jet_label")
    dropped: ClassVar = {"aux_truth_match": "codes of the decay found"}

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._tree = Tree(path, "tree")
        self.entries, self.names, self.classes = self._tree.entries, self._tree.names, CLASSES
        self.need("part_px", "part_py", "part_pz", "part_energy", *LABELS)

    def read(self, start: int, stop: int) -> Rows:
        """Read the jets of the entries from ``start`` to ``stop``."""
        rows = self._tree.read([name for name in self.names if name in self.kept], start, stop)
        labels = np.stack([np.asarray(rows.pop(name)) for name in LABELS], axis=1)
        return rows | {"jet_label": one_hot(labels, self.path)}

    def close(self) -> None:
        """Close the file."""
        self._tree.close()


def one_hot(labels: Array, path: Path) -> Array:
    """Return the index of the single true label of each row.

    Raises:
        JetkitError: a row has no true label, or several.
    """
    true = labels.astype(bool)
    wrong = np.flatnonzero(true.sum(axis=1) != 1)
    if len(wrong):
        raise JetkitError(
            f"{path}: entry {wrong[0]} of a part that was read has {true[wrong[0]].sum()} labels, not one"
        )
    found: Array = true.argmax(axis=1).astype(np.int32)
    return found
