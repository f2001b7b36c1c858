"""Background rejection 1/ε_B at a signal efficiency."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from jetkit.evaluation.bootstrap import background_efficiencies
from jetkit.evaluation.interval import effective_count, poisson_upper_limit
from jetkit.evaluation.number import Number
from jetkit.evaluation.ranking import Ranking, checked_efficiency
from jetkit.evaluation.roc import background_efficiency
from jetkit.evaluation.scores import CANCELLED

MIN_BACKGROUND = 10
"""Fewest passing background jets that make a number; below, its relative error 1/√n passes one third, the
distribution of 1/n is far from a Gaussian, and a symmetric error would mislead: a limit is given instead."""


def rejection(ranking: Ranking, efficiency: float, *, replicas: int = 200, seed: int = 0) -> Number:
    """1/ε_B at the tightest threshold that keeps at least a fraction ``efficiency`` of the signal.

    The threshold is the score of a jet: nothing is interpolated. The error, R·σ(ε_B)/ε_B, has σ from bootstrap
    replicas of signal and background; it holds the background's √(1/(N_B ε_B))·R and the threshold's uncertainty.
    ``jets`` of the result are the background jets that pass. Fewer than ten of them (with weights: of their effective
    number n_eff = (Σw)²/Σw²) give a lower limit at 95 % confidence: N_B over the Poisson upper limit of their number.

    With weights the limit is Σ_B w/(u·μ): u = Σw²/Σw is the weight of a typical jet, the larger one of those that pass
    and of the whole background, and μ the Poisson upper limit of the effective number that pass. Only jets of positive
    weight count for u and μ, so that the limit is safe where others cancel them.

    Source of the limit with weights: G. Bohm, G. Zech, Statistics of weighted Poisson events and its applications,
    2014, arXiv:1309.1287.

    Raises:
        JetkitError: the efficiency is not above 0 and at most 1, or there are fewer than two replicas.

    Example:
        >>> from jetkit.evaluation.ranking import rank
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
        >>> from jetkit.evaluation.ranking import rank
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
    passing = ranking.weight[~ranking.signal & (ranking.score >= ranking.threshold(efficiency))]
    count = effective_count(passing)
    n_eff = count if ranking.weighted else None
    if count < MIN_BACKGROUND - 1e-9:
        limit = _least_rejection(passing, ranking.weight[~ranking.signal])
        return Number(limit, None, len(passing), limit="lower", n_eff=n_eff)
    share = float(background_efficiency(ranking, [efficiency])[0])
    return Number(1 / share, float(np.nanstd(drawn, ddof=1)) / share**2, len(passing), n_eff=n_eff)


def _least_rejection(passing: Float[np.ndarray, " p"], background: Float[np.ndarray, " b"]) -> float:
    """Lower limit of 1/ε_B at 95 % confidence, from the weights of the background that passes and of all of it."""
    above = passing[passing > 0]
    unit = max(np.square(w).sum() / w.sum() for w in (above, background[background > 0]) if len(w))
    most = unit * poisson_upper_limit(math.ceil(effective_count(above) - 1e-9))
    return max(float(background.sum() / most), 1.0)


def published_rejection(ranking: Ranking, efficiency: float) -> float:
    """1/ε_B at the point of the ROC curve whose signal efficiency is nearest, as published tables have it.

    That is ``1/fpr[argmin |tpr − ε_S|]`` over the points of scikit-learn's ``roc_curve``, which leaves out points in
    the middle of a straight piece; infinite where no background passes.

    Source: The Machine Learning Landscape of Top Taggers, 2019, arXiv:1902.09914.

    Raises:
        JetkitError: the efficiency is not above 0 and at most 1.

    Example:
        >>> from jetkit.evaluation.ranking import rank
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
    return float(background[-1] / passing) if passing > CANCELLED * background[-1] else math.inf
