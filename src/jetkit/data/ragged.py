"""Columns with a list per row, as flat values and offsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from jetkit.kernels import kernel

Array = np.ndarray[Any, np.dtype[Any]]


class Ragged(NamedTuple):
    """A column with a list per row: row i holds ``values[offsets[i]:offsets[i + 1]]``.

    Example:
        >>> column = Ragged(np.array([5.0, 6.0, 7.0]), np.array([0, 2, 2, 3]))
        >>> column.counts
        array([2, 0, 1])
    """

    values: Shaped[np.ndarray, " total"]
    offsets: Int[np.ndarray, " rows+1"]

    @property
    def counts(self) -> Int[np.ndarray, " rows"]:
        """Length of the list of each row."""
        return np.diff(self.offsets)


Values = Array | Ragged
"""A flat column, or one with a list per row."""


def take_rows(column: Values, rows: Int[np.ndarray, " chosen"]) -> Values:
    """Select rows of a column, in the given order.

    Example:
        >>> take_rows(Ragged(np.array([5.0, 6.0, 7.0]), np.array([0, 2, 2, 3])), np.array([2, 0])).values
        array([7., 5., 6.])
    """
    if not isinstance(column, Ragged):
        chosen: Array = column[rows]
        return chosen
    if len(rows) == len(column.offsets) - 1 and np.array_equal(rows, np.arange(len(rows))):
        return column
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(column.counts[rows], out=offsets[1:])
    values = np.empty(offsets[-1], column.values.dtype)
    _copy_rows(column.values, column.offsets, rows, values, offsets)
    return Ragged(values, offsets)


def concatenate(columns: Sequence[Values]) -> Values:
    """Concatenate the rows of several columns of one kind.

    Example:
        >>> one = Ragged(np.array([5.0]), np.array([0, 1]))
        >>> concatenate([one, one]).offsets
        array([0, 1, 2])
    """
    lists = [column for column in columns if isinstance(column, Ragged)]
    if not lists:
        return np.concatenate([column for column in columns if not isinstance(column, Ragged)])
    assert len(lists) == len(columns)
    counts = np.concatenate([column.counts for column in lists])
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return Ragged(np.concatenate([column.values for column in lists]), offsets)


@kernel
def _copy_rows(values: Array, offsets: Array, rows: Array, out: Array, out_offsets: Array) -> None:
    for i in range(len(rows)):
        start = offsets[rows[i]]
        for j in range(out_offsets[i + 1] - out_offsets[i]):
            out[out_offsets[i] + j] = values[start + j]
