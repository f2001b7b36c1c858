"""Flat ROOT trees and Parquet files with one jet per entry, read with a mapping of their branches."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic.dataclasses import dataclass

from jetkit.config import build, load, nearest
from jetkit.data.columns import COLUMNS, P4_COLUMNS
from jetkit.data.ragged import Ragged
from jetkit.data.readers.jetclass import one_hot
from jetkit.data.readers.parquet_table import open_table
from jetkit.data.readers.particles import momenta
from jetkit.data.readers.reader import Reader, Rows
from jetkit.errors import JetkitError
from jetkit.registry import register

POLAR = ("part_pt", "part_eta", "part_phi", "part_mass")
"""Momenta in polar form; the mass may be absent (0) or replaced by ``part_energy``."""


@dataclass(frozen=True)
class Label:
    """Source of the class of a jet: one branch with its number, or one branch of 0 and 1 per class."""

    branch: str = ""
    branches: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    """Content of a mapping file."""

    columns: dict[str, str]
    """Column of jetkit → branch."""
    tree: str = "tree"
    label: Label = field(default_factory=Label)
    classes: list[str] = field(default_factory=list)


@register("weaver", kind="reader", paper="Particle Transformer for Jet Tagging, 2022, arXiv:2202.03772")
class Weaver(Reader):
    """Flat ROOT trees and Parquet files as weaver-core reads them, with the branches that a mapping file names.

    The mapping is YAML such as ``{tree: tree, columns: {part_px: px, ...}, label: {branches: [label_QCD, ...]}}``.
    Momenta are ``part_px, part_py, part_pz, part_energy`` or ``part_pt, part_eta, part_phi`` with ``part_mass``,
    ``part_energy`` or neither, in GeV. The label is one branch of 0 and 1 for each class, or ``{branch: NAME}`` with
    the number of the class; ``classes`` names them.

    Args:
        mapping: YAML file that maps columns to branches
    """

    suffixes = (".root", ".parquet")
    program = "pyarrow"
    kept: ClassVar[dict[str, str]] = {}

    def __init__(self, path: Path, *, mapping: str = "") -> None:
        super().__init__(path)
        self._layout = read_layout(mapping)
        self.companions = (Path(mapping),)
        self._table = open_table(path, self._layout.tree)
        label = self._layout.label
        self._used = [*self._layout.columns.values(), *label.branches, *([label.branch] if label.branch else [])]
        self.entries, self.names = self._table.entries, self._table.names
        self.classes = tuple(self._layout.classes or [name.removeprefix("label_") for name in label.branches])
        self.need(*self._used)

    @property
    def unknown(self) -> list[str]:
        """Return the branches that the mapping does not name."""
        return sorted(set(self.names) - set(self._used))

    def read(self, start: int, stop: int) -> Rows:
        """Read the jets of the entries from ``start`` to ``stop``."""
        found = self._table.read(list(dict.fromkeys(self._used)), start, stop)
        rows = {column: found[branch] for column, branch in self._layout.columns.items()}
        label = self._layout.label
        if label.branches:
            flags = np.stack([np.asarray(found[name]) for name in label.branches], axis=1)
            rows["jet_label"] = one_hot(flags, self.path)
        elif label.branch:
            rows["jet_label"] = found[label.branch]
        return rows if "part_px" in rows else cartesian(rows, self.path)

    def close(self) -> None:
        """Close the file."""
        self._table.close()


def cartesian(rows: Rows, path: Path) -> Rows:
    """Convert pT, η, φ, with mass, energy or neither, to momenta (E, px, py, pz).

    Raises:
        JetkitError: the columns are not lists, or their lists have unequal lengths.
    """
    given = [rows[name] for name in POLAR if name in rows]
    lists = [column for column in given if isinstance(column, Ragged)]
    if len(lists) < len(given) or any(not np.array_equal(column.offsets, lists[0].offsets) for column in lists):
        raise JetkitError(f"{path}: pT, eta, phi and mass of the particles should be lists of equal lengths")
    return momenta(*lists) | {name: column for name, column in rows.items() if name not in POLAR}


def read_layout(mapping: str) -> Layout:
    """Read and check a mapping file.

    Raises:
        JetkitError: no file is given, it is not YAML, or a key, a column, the momenta or the label are invalid.
    """
    if not mapping:
        raise JetkitError("the reader weaver needs mapping=FILE.yaml, which names the branches of the columns")
    layout = build(Layout, load("mappings", mapping), mapping)
    allowed = [*COLUMNS, *POLAR]
    for column in layout.columns:
        if column not in allowed or column == "jet_label":
            hint = nearest(column, allowed) if column != "jet_label" else "; use label: for the class"
            raise JetkitError(f"{mapping}: unknown column {column!r}{hint}")
    polar = [name for name in POLAR if name in layout.columns]
    wanted = POLAR[:3] if polar else P4_COLUMNS
    absent = [name for name in wanted if name not in layout.columns]
    if absent or (polar and {"part_px", "part_py", "part_pz"} & layout.columns.keys()):
        raise JetkitError(
            f"{mapping}: columns should have part_px, part_py, part_pz and part_energy, or part_pt, part_eta and "
            f"part_phi{f'; {absent[0]} is missing' if absent else ', not both'}"
        )
    label = layout.label
    if label.branch and label.branches:
        raise JetkitError(f"{mapping}: label should have branch or branches, not both")
    if label.branch and not layout.classes:
        raise JetkitError(f"{mapping}: name the classes that {label.branch} numbers, as in classes: [QCD, top]")
    if label.branches and layout.classes and len(layout.classes) != len(label.branches):
        raise JetkitError(
            f"{mapping}: there are {len(label.branches)} label branches and {len(layout.classes)} classes"
        )
    return layout
