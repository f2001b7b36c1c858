"""Recursion over binary trees, from the leaves to the roots, on all trees of a batch at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Merge = Callable[[Tensor, Tensor, Tensor, int], Tensor]
"""(left, right, own, depth) → new vectors of nodes from those of their children and their own; the root's depth is 0.
"""


class TreeLevels(NamedTuple):
    """The K nodes of many trees, level after level from the roots down.

    A level holds the left children of the level above, in the order of their parents, and then the right ones.
    """

    x: Float[Tensor, "K F"]
    """Features of a node."""
    leaf: Bool[Tensor, " K"]
    """True where a node has no children."""
    sizes: tuple[int, ...]
    """Number of nodes of each level."""


def recursion(own: Float[Tensor, "K D"], trees: TreeLevels, merge: Merge) -> Float[Tensor, "roots D"]:
    """Vectors of the roots: a leaf has its own, any other node what ``merge`` makes of its children's.

    There is one call of ``merge`` a level.

    Source: QCD-Aware Recursive Neural Networks for Jet Physics, 2017, arXiv:1702.00748.

    Example:
        >>> trees = TreeLevels(torch.zeros(5, 0), torch.tensor([False, True, False, True, True]), (1, 2, 2))
        >>> own = torch.tensor([[1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> recursion(own, trees, lambda left, right, own, depth: left + 10 * right + 100 * own)
        tensor([[3642.]])
    """
    *above, h = torch.split(own, list(trees.sizes))
    leaves = torch.split(trees.leaf, list(trees.sizes))
    for depth, of_level in reversed(list(enumerate(above))):
        inner = torch.nonzero(~leaves[depth]).squeeze(1)
        left, right = h.chunk(2)
        h = of_level.index_copy(0, inner, merge(left, right, of_level[inner], depth).to(of_level.dtype))
    return h
