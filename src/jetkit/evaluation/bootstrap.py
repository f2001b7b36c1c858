"""Bootstrap replicas: each jet is counted a Poisson number of times of mean one.

The count follows from the jet's row, the replica and the seed alone. So replicas need no memory, and two taggers that
are measured on the same jets see the same replicas, in whatever order they rank them.

Sources: B. Efron, Bootstrap Methods: Another Look at the Jackknife, 1979, doi:10.1214/aos/1176344552; G. Steele,
D. Lea, C. Flood, Fast splittable pseudorandom number generators, 2014, doi:10.1145/2660193.2660195.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from jetkit.errors import JetkitError
from jetkit.evaluation.ranking import ROUNDING, Ranking, checked_efficiency
from jetkit.kernels import kernel, scrambled

_POISSON = np.cumsum([math.exp(-1) / math.factorial(k) for k in range(20)])
_POISSON[-1] = 1.0
_START = np.searchsorted(_POISSON, np.arange(4096) / 4096, side="right")
"""Smallest count of a share in each 4096th of [0, 1): the search for it starts there, and nearly always ends there."""


def bootstrap_counts(jet: Int[np.ndarray, " n"], replica: int, seed: int) -> Int[np.ndarray, " n"]:
    """How often each jet is counted in a replica.

    Example:
        >>> bootstrap_counts(np.arange(8), replica=0, seed=0).tolist()
        [0, 1, 0, 2, 1, 1, 2, 2]
    """
    return _counts(jet.astype(np.uint64), _key(seed, replica), _POISSON, _START)


def background_efficiencies(
    ranking: Ranking, efficiencies: Sequence[float], replicas: int = 200, seed: int = 0
) -> Float[np.ndarray, "R K"]:
    """Background efficiency at each signal efficiency, in each replica of the jets.

    Jets count with their weights, and negative ones leave each threshold where `Ranking` has it: at the tightest that
    keeps the signal. NaN in a replica without signal or without background, or where their weights do not sum to more
    than zero.

    Raises:
        JetkitError: fewer than two replicas, or an efficiency that is not above 0 and at most 1.

    Example:
        >>> from jetkit.evaluation.ranking import rank
        >>> ranking = rank(np.arange(100.0), np.arange(100) >= 50)
        >>> background_efficiencies(ranking, [0.5, 1.0], replicas=3).tolist()
        [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    """
    if replicas < 2:
        raise JetkitError(f"an error from the bootstrap needs two replicas or more, got {replicas}")
    wanted = np.array([checked_efficiency(efficiency) for efficiency in efficiencies], dtype=np.float64)
    order = np.argsort(wanted, kind="stable")
    result = np.empty((replicas, len(wanted)))
    keys = np.array([_key(seed, replica) for replica in range(replicas)], dtype=np.uint64)
    result[:, order] = _background_efficiencies(
        ranking.signal,
        ranking.weight,
        ranking.jet.astype(np.uint64),
        ranking.last,
        wanted[order] * (1 - ROUNDING),
        keys,
        _POISSON,
        _START,
    )
    return result


def _key(seed: int, replica: int) -> Any:
    """A well-mixed starting point for the jets of one replica."""
    state = np.random.SeedSequence([seed % 2**63, replica]).generate_state(1, np.uint64)
    return state[0]


@kernel
def _count(jet: Any, key: Any, poisson: Float[np.ndarray, " k"], start: Int[np.ndarray, " 4096"]) -> Any:
    """Poisson count of one jet, from splitmix64 of its row."""
    z = scrambled(key + (jet + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
    share = (z >> np.uint64(11)) * 2.0**-53
    count = start[z >> np.uint64(52)]
    while share >= poisson[count]:
        count += 1
    return count


@kernel
def _counts(
    jet: Int[np.ndarray, " n"], key: Any, poisson: Float[np.ndarray, " k"], start: Int[np.ndarray, " 4096"]
) -> Int[np.ndarray, " n"]:
    counts = np.empty(len(jet), np.int64)
    for i in range(len(jet)):
        counts[i] = _count(jet[i], key, poisson, start)
    return counts


@kernel
def _background_efficiencies(
    signal: Bool[np.ndarray, " n"],
    weight: Float[np.ndarray, " n"],
    jet: Int[np.ndarray, " n"],
    last: Bool[np.ndarray, " n"],
    wanted: Float[np.ndarray, " K"],
    keys: Int[np.ndarray, " R"],
    poisson: Float[np.ndarray, " k"],
    start: Int[np.ndarray, " 4096"],
) -> Float[np.ndarray, "R K"]:
    result = np.full((len(keys), len(wanted)), np.nan)
    counted = np.empty(len(jet))
    for r in range(len(keys)):
        totals = np.zeros(2)
        for i in range(len(jet)):
            counted[i] = weight[i] * _count(jet[i], keys[r], poisson, start)
            totals[int(signal[i])] += counted[i]
        if totals[0] <= 0 or totals[1] <= 0:
            continue
        passing = np.zeros(2)
        k = 0
        for i in range(len(jet)):
            passing[int(signal[i])] += counted[i]
            while last[i] and k < len(wanted) and passing[1] >= wanted[k] * totals[1]:
                result[r, k] = passing[0] / totals[0]
                k += 1
            if k == len(wanted):
                break
    return result
