"""JetClass-II: Parquet or ROOT files of 100,000 jets of 188 classes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from jetkit.data.columns import COLUMNS, P4_COLUMNS
from jetkit.data.labels import JETCLASS_II
from jetkit.data.readers.parquet_table import open_table
from jetkit.data.readers.reader import Reader, Rows
from jetkit.registry import register

BRANCHES = tuple(COLUMNS)[:54]
"""Branches of the public files, in order."""


@register(
    "jetclass2",
    kind="reader",
    paper="Accelerating Resonance Searches via Signature-Oriented Pre-training, 2024, arXiv:2405.12972",
)
class JetClass2(Reader):
    """JetClass-II, Parquet or ROOT (tree ``tree``): all 54 branches are kept under their own names."""

    suffixes = (".parquet", ".root")
    program = "pyarrow"
    kept: ClassVar = {name: name for name in BRANCHES}

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._table = open_table(path, "tree")
        self.entries, self.names, self.classes = self._table.entries, self._table.names, tuple(JETCLASS_II)
        self.need(*P4_COLUMNS, "jet_label")

    def read(self, start: int, stop: int) -> Rows:
        """Read the jets of the entries from ``start`` to ``stop``."""
        return self._table.read([name for name in self.names if name in self.kept], start, stop)

    def close(self) -> None:
        """Close the file."""
        self._table.close()
