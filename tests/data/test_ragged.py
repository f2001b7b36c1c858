from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jetkit.data.ragged import Ragged, concatenate, take_rows

Lists = st.lists(st.lists(st.integers(0, 99), max_size=5), min_size=1, max_size=8)


def ragged(lists: list[list[int]]) -> Ragged:
    flat = np.array([value for row in lists for value in row], np.int32)
    return Ragged(flat, np.cumsum([0, *(len(row) for row in lists)]))


def plain(column: Ragged) -> list[list[int]]:
    return [row.tolist() for row in np.split(column.values, column.offsets[1:-1])]


@settings(deadline=None)
@given(Lists, st.data())
def test_rows_are_taken_in_the_order_given(lists: list[list[int]], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(lists) - 1), min_size=1, max_size=9))
    taken = take_rows(ragged(lists), np.array(rows))
    assert isinstance(taken, Ragged)
    assert plain(taken) == [lists[row] for row in rows]


@settings(deadline=None)
@given(Lists, Lists)
def test_concatenation_keeps_every_row(first: list[list[int]], second: list[list[int]]) -> None:
    both = concatenate([ragged(first), ragged(second)])
    assert isinstance(both, Ragged)
    assert plain(both) == first + second


def test_all_rows_in_order_are_not_copied() -> None:
    column = ragged([[1], [2, 3]])
    assert take_rows(column, np.arange(2)) is column
