"""A dataset whose rows are no jets, column by column: hits, cells, tables of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from jetkit.data.dataset import Dataset
from jetkit.data.ragged import Ragged, Values
from jetkit.errors import JetkitError
from jetkit.reporting.class_table import Table
from jetkit.reporting.dataset_page import Contents
from jetkit.reporting.jet_sample import evenly
from jetkit.reporting.pictures import histogram

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = 1000
"""Most rows that are read to be shown."""
PICTURES = 24
"""Most columns that are drawn, in their order."""


def column_contents(dataset: Dataset) -> tuple[Contents, dict[str, Figure]]:
    """Table of the columns, and the distribution of the values of each.

    Raises:
        JetkitError: the dataset is empty, or matplotlib is absent.
    """
    if len(dataset) == 0:
        raise JetkitError("the dataset has no rows to show: make it again or choose other rows")
    rows = evenly(np.arange(len(dataset)), ROWS)
    read = dataset.read(dataset.columns, rows)
    known = dataset.card.columns
    units = {name: known.get(name, {}).get("unit", "") for name in read}
    header = ["column", "unit", "values a row", "smallest", "mean", "largest"]
    table = Table(header, [[name, units[name], *_numbers(column)] for name, column in read.items()])
    note = f"From {len(rows):,} of {len(dataset):,} rows, spread evenly over the files."
    drawn = {name: values for name, column in read.items() if len(values := _finite(column))}
    chosen = dict(list(drawn.items())[:PICTURES])
    figures = {
        name: histogram({"": values}, name, unit=units[name].removeprefix("1"), of="values")
        for name, values in chosen.items()
    }
    captions = {
        name: (name, f"{known.get(name, {}).get('description', 'As stored')}. Bars: statistical errors.")
        for name in chosen
    }
    return Contents("Columns", table, note, captions), figures


def _finite(column: Values) -> Float[np.ndarray, " n"]:
    values = np.asarray(column.values if isinstance(column, Ragged) else column, dtype=np.float64)
    finite: Float[np.ndarray, " n"] = values[np.isfinite(values)]
    return finite


def _numbers(column: Values) -> list[str]:
    """Values a row, and the smallest, mean and largest of them."""
    count = f"{column.counts.mean():.4g}" if isinstance(column, Ragged) else "1"
    finite = _finite(column)
    return (
        [count, *(f"{number:.4g}" for number in (finite.min(), finite.mean(), finite.max()))]
        if len(finite)
        else [count, "", "", ""]
    )
