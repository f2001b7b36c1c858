"""Twins: two jets of one simulated event, with a later stage drawn twice."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from jaxtyping import Int

from jetkit.errors import JetkitError

PAIR = "pair"
"""Column with a number that two twins share; twins are consecutive rows."""


def require_twins(columns: Collection[str]) -> None:
    """Raise unless the columns of a dataset identify twins.

    Raises:
        JetkitError: they do not; the message explains how to make twins.
    """
    if PAIR not in columns:
        raise JetkitError("the dataset has no twins: make one with jetkit simulate RECIPE twin=rehadronise")


def twins_of(pair: Int[np.ndarray, " jets"]) -> Int[np.ndarray, "pairs 2"]:
    """Return the places of both twins of every complete pair.

    Example:
        >>> twins_of(np.array([4, 4, 5, 7, 7])).tolist()
        [[0, 1], [3, 4]]
    """
    first = np.flatnonzero(pair[1:] == pair[:-1])
    return np.stack([first, first + 1], axis=1)
