"""Stateless random choices: a row's share of [0, 1) follows from its number and a seed.

Source: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators" (2014),
doi:10.1145/2660193.2660195.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from jetkit.data.ragged import Array, Ragged, concatenate
from jetkit.data.source import Source, read_source
from jetkit.data.twins import PAIR
from jetkit.errors import JetkitError
from jetkit.kernels import kernel, scrambled


def hash_share(ids: Int[np.ndarray, " rows"], seed: int) -> Float[np.ndarray, " rows"]:
    """Hash each number and a seed by splitmix64 to a share of [0, 1).

    Args:
        ids: (rows,) integers
        seed: seed; another one gives independent shares

    Returns:
        (rows,) numbers in [0, 1), in double precision.

    Example:
        >>> hash_share(np.array([1, 2, 1]), seed=0).round(3).tolist()
        [0.034, 0.843, 0.034]
    """
    return _splitmix64(ids.astype(np.uint64), np.uint64(seed % 2**64))


def event_ids(source: Source, number: int) -> Int[np.ndarray, " rows"]:
    """Return the column ``event_id`` of the selected rows, or a distinct number per row of a file without it.

    Raises:
        JetkitError: the column does not contain integers.
    """
    if "event_id" not in source.columns:
        return row_ids(source, number)
    values = concatenate([part["event_id"] for part in read_source(source, ["event_id"], source.index)])
    if isinstance(values, Ragged) or values.dtype.kind not in "iu":
        raise JetkitError(f"{source.path}: column event_id should hold one whole number a row")
    return values


def take_ids(source: Source, number: int) -> Int[np.ndarray, " rows"]:
    """Return a number per selected row that only twins share."""
    if PAIR not in source.columns:
        return row_ids(source, number)
    return np.concatenate([np.asarray(part[PAIR]) for part in read_source(source, [PAIR], source.index)])


def row_ids(source: Source, number: int) -> Int[np.ndarray, " rows"]:
    """Return a number per selected row that is unique in the dataset."""
    return source.index.astype(np.int64) + (np.int64(number) << np.int64(40))


def place_in_class(shares: Float[np.ndarray, " rows"], label: Array) -> Int[np.ndarray, " rows"]:
    """Rank the rows of each class by rising share.

    Example:
        >>> place_in_class(np.array([0.5, 0.1, 0.3]), np.array([0, 1, 0])).tolist()
        [1, 0, 0]
    """
    places = np.empty(len(shares), np.int64)
    for name in np.unique(label):
        members = np.flatnonzero(label == name)
        places[members[np.argsort(shares[members], kind="stable")]] = np.arange(len(members))
    return places


@kernel
def _splitmix64(ids: Array, seed: Any) -> Array:
    golden = np.uint64(0x9E3779B97F4A7C15)
    share = np.empty(len(ids))
    for i in range(len(ids)):
        z = seed
        for part in (np.uint64(0), ids[i]):  # the seed is mixed before the number comes in
            z = scrambled((z ^ part) + golden)
        share[i] = (z >> np.uint64(11)) * 2.0**-53
    return share
