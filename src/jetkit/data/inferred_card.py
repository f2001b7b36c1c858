"""A card for files that came without one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jetkit.data.card import Card
from jetkit.data.columns import COLUMNS, Column
from jetkit.data.labels import JETCLASS_II
from jetkit.data.ragged import Ragged
from jetkit.data.source import Source, read_source


def inferred_card(name: str, sources: Sequence[Source]) -> Card:
    """Infer columns and classes from the files: those of JetClass-II if its columns are found, else numbered ones."""
    unknown = Column("", "unknown", "unknown")
    columns = {
        column: {**COLUMNS.get(column, unknown)._asdict(), "type": kind} for column, kind in sources[0].columns.items()
    }
    classes: list[str] = []
    if {"aux_genpart_isResX", "genjet_pt", "jet_label"} <= columns.keys():
        classes = JETCLASS_II
    elif "jet_label" in columns:
        labels = [read_source(source, ["jet_label"], source.index)[0]["jet_label"] for source in sources if len(source)]
        highest = max((float(np.nanmax(values)) for values in labels if not isinstance(values, Ragged)), default=-1.0)
        classes = [f"class {index}" for index in range(int(highest) + 1)]
    rows = sum(len(source) for source in sources)
    return Card(name, classes=classes, columns=columns, rows=rows, notes=["no card came with the files"], complete=True)
