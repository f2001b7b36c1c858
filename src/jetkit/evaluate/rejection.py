"""Background rejection 1/ε_B at a signal efficiency."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from jetkit.evaluate.bootstrap import background_efficiencies
from jetkit.evaluate.interval import effective_count, poisson_upper_limit
from jetkit.evaluate.number import Number
from jetkit.evaluate.ranking import Ranking, checked_efficiency
from jetkit.evaluate.roc import background_efficiency

MIN_BACKGROUND = 10
"""Fewest passing background jets that make a number; below, its relative error 1/√n passes one third, the
distribution of 1/n is far from a Gaussian, and a symmetric error would mislead: a limit is given instead."""


def rejection(ranking: Ranking, efficiency: float, *, replicas: int = 200, seed: int = 0) -> Number:
    """1/ε_B at the tightest threshold that keeps at least a fraction ``efficiency`` of the signal.

    The threshold is the score of a jet: nothing is interpolated. The error, R·σ(ε_B)/ε_B, has σ from bootstrap
    replicas of signal and background; it holds the background's √(1/(N_B ε_B))·R and the threshold's uncertainty.
    ``jets`` of the result are the background jets that pass. Fewer than ten of them (with weights: of their effective
    number) give a lower limit at 95 % confidence: N_B over the Poisson upper limit of their number.

    Raises:
        JetkitError: the efficiency is not above 0 and at most 1, or there are fewer than two replicas.

    Example:
        >>> from jetkit.evaluate.ranking import rank
        >>> score = np.append(np.linspace(0, 1, 1000), np.linspace(-9, 1, 10_000))
        >>> signal = np.arange(11_000) < 1000
        >>> print(rejection(rank(score, signal), 0.5), "and", rejection(rank(score, signal), 0.001))
        20.0 ± 1.1 and > 2100 (95 % CL)
    """
    return rejections(ranking, [efficiency], replicas=replicas, seed=seed)[0]


def rejections(
    ranking: Ranking, efficiencies: Sequence[float], *, replicas: int = 200, seed: int = 0
) -> tuple[Number, ...]:
    """`rejection` at several signal efficiencies, from the same replicas.

    Raises:
        JetkitError: as `rejection`.

    Example:
        >>> from jetkit.evaluate.ranking import rank
        >>> [number.jets for number in rejections(rank(np.arange(99.0), np.arange(99) % 2 == 0), [0.3, 0.5])]
        [14, 24]
    """
    drawn = background_efficiencies(ranking, efficiencies, replicas, seed)
    return tuple(
        rejection_from_replicas(ranking, efficiency, column)
        for efficiency, column in zip(efficiencies, drawn.T, strict=True)
    )


def rejection_from_replicas(ranking: Ranking, efficiency: float, drawn: Float[np.ndarray, " R"]) -> Number:
    """`rejection` from the background efficiencies of given replicas.

    Raises:
        JetkitError: the efficiency is not above 0 and at most 1.
    """
    share = float(background_efficiency(ranking, [efficiency])[0])
    jets = passing_background_jets(ranking, efficiency)
    total = effective_count(ranking.weight[~ranking.signal])
    passing = share * total
    if passing < MIN_BACKGROUND - 1e-9:
        return Number(max(total / poisson_upper_limit(math.ceil(passing - 1e-9)), 1.0), None, jets, limit="lower")
    return Number(1 / share, float(np.nanstd(drawn, ddof=1)) / share**2, jets)


def passing_background_jets(ranking: Ranking, efficiency: float) -> int:
    """Number of background jets at or above the threshold of a signal efficiency.

    Raises:
        JetkitError: the efficiency is not above 0 and at most 1.
    """
    return int(np.count_nonzero(~ranking.signal & (ranking.score >= ranking.threshold(efficiency))))


def published_rejection(ranking: Ranking, efficiency: float) -> float:
    """1/ε_B at the point of the ROC curve whose signal efficiency is nearest, as published tables have it.

    That is ``1/fpr[argmin |tpr − ε_S|]`` over the points of scikit-learn's ``roc_curve``, which leaves out points in
    the middle of a straight piece; infinite where no background passes.

    Source: The Machine Learning Landscape of Top Taggers, 2019, arXiv:1902.09914.

    Raises:
        JetkitError: the efficiency is not above 0 and at most 1.

    Example:
        >>> from jetkit.evaluate.ranking import rank
        >>> published_rejection(rank(np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False])), 0.9)
        2.0
    """
    checked_efficiency(efficiency)
    signal, background = ranking.passing_signal, ranking.passing_background
    if len(signal) > 2:
        corner = np.concatenate([[True], (np.diff(signal, 2) != 0) | (np.diff(background, 2) != 0), [True]])
        signal, background = signal[corner], background[corner]
    signal, background = np.append(0.0, signal), np.append(0.0, background)
    passing = background[np.argmin(np.abs(signal / signal[-1] - efficiency))]
    return float(background[-1] / passing) if passing else math.inf
