"""The ROC curve with the band of its bootstrap replicas."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from pydantic.dataclasses import dataclass

from jetkit.evaluation.bootstrap import background_efficiencies
from jetkit.evaluation.ranking import Ranking
from jetkit.evaluation.record import Record

GRID = tuple(float(x) for x in np.linspace(0.01, 1.0, 100).round(2))
"""Signal efficiencies of a curve."""


@dataclass(frozen=True)
class Roc(Record):
    """Background efficiency at each signal efficiency.

    With negative weights it can be negative, or fall from one signal efficiency to the next.

    Attributes:
        low: 15.87 % quantile of the replicas.
        high: 84.13 % quantile of the replicas.
        jets: signal and background jets, whatever their weights.
    """

    signal_efficiency: tuple[float, ...]
    background_efficiency: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    jets: tuple[int, int]


def roc(ranking: Ranking, *, grid: Sequence[float] = GRID, replicas: int = 200, seed: int = 0) -> Roc:
    """Background efficiency ε_B at each signal efficiency, with a band of 68 % from the bootstrap.

    Where no background passes, the band of the replicas has no width: a rejection is a limit there.

    Raises:
        JetkitError: an efficiency is not above 0 and at most 1, or there are fewer than two replicas.

    Example:
        >>> from jetkit.evaluation.ranking import rank
        >>> ranking = rank(np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False]))
        >>> roc(ranking, grid=(0.5, 1.0)).background_efficiency
        (0.0, 0.5)
    """
    return roc_from_replicas(ranking, grid, background_efficiencies(ranking, grid, replicas, seed))


def roc_from_replicas(ranking: Ranking, grid: Sequence[float], drawn: Float[np.ndarray, "R K"]) -> Roc:
    """`roc` from the background efficiencies of given replicas.

    Raises:
        JetkitError: an efficiency is not above 0 and at most 1.
    """
    bands = np.nanquantile(drawn, [0.1587, 0.8413], axis=0)
    signal = int(ranking.signal.sum())
    return Roc(
        signal_efficiency=tuple(float(efficiency) for efficiency in grid),
        background_efficiency=tuple(background_efficiency(ranking, grid).tolist()),
        low=tuple(bands[0].tolist()),
        high=tuple(bands[1].tolist()),
        jets=(signal, len(ranking.signal) - signal),
    )


def background_efficiency(ranking: Ranking, efficiencies: Sequence[float]) -> Float[np.ndarray, " K"]:
    """Fraction of the background that passes the tightest threshold which keeps such a fraction of the signal.

    Raises:
        JetkitError: an efficiency is not above 0 and at most 1.

    Example:
        >>> from jetkit.evaluation.ranking import rank
        >>> ranking = rank(np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False]))
        >>> background_efficiency(ranking, [0.5, 0.51]).tolist()
        [0.0, 0.5]
    """
    background = ranking.passing_background
    share = background / background[-1]
    return np.asarray(share[ranking.tightest(efficiencies)])
