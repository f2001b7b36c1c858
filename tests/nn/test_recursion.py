"""Recursion over binary trees."""

from __future__ import annotations

import torch

from jetkit.nn.recursion import TreeLevels, recursion

LEAF = [False, True, False, False, True, True, True, True, True]
TREES = TreeLevels(torch.zeros(9, 0), torch.tensor(LEAF), (3, 4, 2))
"""Roots 0, 1, 2; those of 0 and 2 have the children 3, 5 and 4, 6, and node 3 has the children 7, 8."""
OWN = torch.arange(9.0).unsqueeze(1)


def test_children_are_merged_before_their_parents() -> None:
    def merge(left, right, own, depth):
        return 100 * left + 10 * right + own

    of_3 = 100 * 7 + 10 * 8 + 3
    expected = [[100.0 * of_3 + 10 * 5 + 0], [1.0], [100.0 * 4 + 10 * 6 + 2]]
    assert recursion(OWN, TREES, merge).tolist() == expected


def test_merge_is_called_once_a_level_and_told_the_depth() -> None:
    calls = []

    def merge(left, right, own, depth):
        calls.append((depth, own.flatten().tolist()))
        return own

    recursion(OWN, TREES, merge)
    assert calls == [(1, [3.0]), (0, [0.0, 2.0])]


def test_trees_of_one_node_keep_their_own_vector() -> None:
    alone = TreeLevels(torch.zeros(2, 0), torch.tensor([True, True]), (2,))
    assert torch.equal(recursion(OWN[:2], alone, lambda *_: OWN), OWN[:2])
