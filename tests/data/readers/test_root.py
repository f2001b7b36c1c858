from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from jetkit.data.ragged import Ragged
from jetkit.data.readers import root

uproot = pytest.importorskip("uproot")
ENTRIES = 50


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(root, "BASKET", 7)
    offsets = np.concatenate([[0], np.cumsum(np.arange(ENTRIES) % 4)])
    columns = {"flat": np.arange(ENTRIES), "list": Ragged(np.arange(offsets[-1], dtype=np.float32), offsets)}
    root.write_tree(tmp_path / "a.root", "tree", columns)
    return tmp_path / "a.root"


@pytest.fixture
def decoded(monkeypatch) -> Counter[int]:
    """How often each basket is decoded, by its place in the file."""
    counts: Counter[int] = Counter()
    basket = uproot.models.TBasket.Model_TBasket
    original = basket.read_members

    def counted(self, chunk, cursor, context, file):
        counts[cursor.index] += 1
        return original(self, chunk, cursor, context, file)

    monkeypatch.setattr(basket, "read_members", counted)
    return counts


def whole(path) -> dict:
    tree = root.Tree(path, "tree")
    return tree.read(["flat", "list"], 0, tree.entries)


def part(values, start: int, stop: int):
    if not isinstance(values, Ragged):
        return values[start:stop]
    first, last = values.offsets[start], values.offsets[stop]
    return Ragged(values.values[first:last], values.offsets[start : stop + 1] - first)


def same(found, wanted) -> None:
    assert type(found) is type(wanted)
    for one, other in zip(found, wanted, strict=True) if isinstance(found, Ragged) else [(found, wanted)]:
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("step", [1, 3, 7, 10, 49, 50])
def test_pieces_in_order_are_the_whole_and_decode_each_basket_once(path, step, decoded) -> None:
    expected = whole(path)
    once = dict(decoded)
    decoded.clear()
    tree = root.Tree(path, "tree")
    for start in range(0, ENTRIES, step):
        stop = min(start + step, ENTRIES)
        for name, values in tree.read(["flat", "list"], start, stop).items():
            same(values, part(expected[name], start, stop))
    assert dict(decoded) == once
    assert len(once) > 2 * ENTRIES // 7


def test_pieces_in_any_order_are_right(path) -> None:
    expected, tree, random = whole(path), root.Tree(path, "tree"), np.random.default_rng(1)
    for start, stop in np.sort(random.integers(0, ENTRIES + 1, (300, 2)), axis=1):
        found = tree.read(["flat", "list"], start, stop)
        for name, values in found.items():
            same(values, part(expected[name], start, stop))
