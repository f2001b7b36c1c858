"""Columns of a dataset in formats of other programs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jetkit.data.layout import MOMENTUM
from jetkit.data.ragged import Array, Ragged, Values
from jetkit.errors import JetkitError, require

_NUMBER = r"(?:u?int\d+|halffloat|float|double|bool)"
_NUMBERS = re.compile(rf"{_NUMBER}|(?:large_|fixed_size_)?list<[^:<>]+: {_NUMBER}(?: not null)?>(?:\[\d+\])?")


def of_numbers(types: Mapping[str, str]) -> tuple[str, ...]:
    """Return the columns that contain numbers or lists of numbers, given their types.

    Example:
        >>> of_numbers({"jet_pt": "float", "part_px": "list<item: float not null>", "name": "string"})
        ('jet_pt', 'part_px')
    """
    return tuple(name for name, kind in types.items() if _NUMBERS.fullmatch(kind))


def first_row(columns: Mapping[str, Values]) -> dict[str, Any]:
    """Return the numbers and arrays of the first row.

    Example:
        >>> first_row({"jet_pt": np.array([500.0]), "part_charge": Ragged(np.array([1, -1]), np.array([0, 2]))})
        {'jet_pt': 500.0, 'part_charge': array([ 1, -1])}
    """
    return {
        name: column.values[: column.offsets[1]] if isinstance(column, Ragged) else column[0].item()
        for name, column in columns.items()
    }


def awkward_of(columns: Mapping[str, Values]) -> Any:
    """Return an awkward array of records with one field per column.

    Raises:
        JetkitError: the package awkward is absent.
    """
    ak = require("awkward")

    def content(column: Values) -> Any:
        if not isinstance(column, Ragged):
            return ak.contents.NumpyArray(column)
        offsets = ak.index.Index64(column.offsets.astype(np.int64))
        return ak.contents.ListOffsetArray(offsets, ak.contents.NumpyArray(column.values))

    return ak.Array(ak.contents.RecordArray([content(column) for column in columns.values()], list(columns)))


def momenta_of(columns: Sequence[Values], collection: str) -> Ragged:
    """Return the momenta (E, px, py, pz) of all objects, (total, 4) in float64, from the four columns.

    Raises:
        JetkitError: the columns are not lists of equal lengths.
    """
    lists = [column for column in columns if isinstance(column, Ragged)]
    if len(lists) < len(MOMENTUM) or any(not np.array_equal(lists[0].offsets, one.offsets) for one in lists):
        names = ", ".join(f"{collection}_{name}" for name in MOMENTUM)
        raise JetkitError(f"{names} should hold lists of equal length in every row: use batches(), which counts others")
    values: Array = np.stack([column.values for column in lists], axis=1, dtype=np.float64)
    return Ragged(values, lists[0].offsets)
