"""Twins: two jets of one simulated event, of which a later stage was drawn twice."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from jaxtyping import Int

from jetkit.errors import JetkitError

PAIR = "pair"
"""Column with the number that two twins share; they are rows one after the other."""


def require_twins(columns: Collection[str]) -> None:
    """Raise unless these columns of a dataset say which jets are twins.

    Raises:
        JetkitError: they do not; says how twins are made.
    """
    if PAIR not in columns:
        raise JetkitError("the dataset has no twins: make one with jetkit simulate RECIPE twin=rehadronise")


def twins_of(pair: Int[np.ndarray, " jets"]) -> Int[np.ndarray, "pairs 2"]:
    """Places of the twins of each pair of which both are there.

    Example:
        >>> twins_of(np.array([4, 4, 5, 7, 7])).tolist()
        [[0, 1], [3, 4]]
    """
    first = np.flatnonzero(pair[1:] == pair[:-1])
    return np.stack([first, first + 1], axis=1)
