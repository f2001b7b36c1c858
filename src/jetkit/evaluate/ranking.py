"""Jets of a signal and a background by falling score: sorted once, then every number is a running sum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from jetkit.errors import JetkitError
from jetkit.evaluate.scores import checked_weight

ROUNDING = 1e-12
"""Part of the signal that may be missing at a wanted efficiency, since 0.3 is not a binary number."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """Jets by falling score.

    Attributes:
        score: any quantity that is larger for signal.
        signal: True for signal.
        weight: ones, or the jets' weights.
        jet: row of each jet in the batch that was ranked; bootstrap replicas count jets by it.
        last: True for the last of those with equal scores, after which a threshold can lie.
    """

    score: Float[np.ndarray, " n"]
    signal: Bool[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"]
    jet: Int[np.ndarray, " n"]
    last: Bool[np.ndarray, " n"]

    @property
    def passing_signal(self) -> Float[np.ndarray, " t"]:
        """Weight of the signal at or above each distinct score."""
        return self._passing(self.signal)

    @property
    def passing_background(self) -> Float[np.ndarray, " t"]:
        """Weight of the background at or above each distinct score."""
        return self._passing(~self.signal)

    def _passing(self, chosen: Bool[np.ndarray, " n"]) -> Float[np.ndarray, " t"]:
        sums: Float[np.ndarray, " t"] = np.cumsum(self.weight * chosen)[self.last]
        return sums

    def threshold(self, efficiency: float) -> float:
        """The highest score such that the jets at or above it hold at least this fraction of the signal.

        Nothing is interpolated: the threshold is the score of a jet.

        Raises:
            JetkitError: the efficiency is not above 0 and at most 1.
        """
        checked_efficiency(efficiency)
        passing = self.passing_signal
        return float(self.score[self.last][np.searchsorted(passing, efficiency * passing[-1] * (1 - ROUNDING))])

    def background_threshold(self, efficiency: float) -> float:
        """The lowest score such that the jets at or above it hold at most this fraction of the background.

        Infinite where already the jets of the highest score hold more.

        Raises:
            JetkitError: the efficiency is not above 0 and at most 1.
        """
        checked_efficiency(efficiency)
        passing = self.passing_background
        end = np.searchsorted(passing, efficiency * passing[-1] * (1 + ROUNDING), side="right")
        return float(self.score[self.last][end - 1]) if end else float("inf")


def rank(
    score: Float[np.ndarray, " n"],
    signal: Bool[np.ndarray, " n"],
    weight: Float[np.ndarray, " n"] | None = None,
    jet: Int[np.ndarray, " n"] | None = None,
) -> Ranking:
    """Sort jets by falling score; ``jet`` is their row in a larger batch.

    Raises:
        JetkitError: a score is NaN, there is not one truth value and weight a jet, or no signal or no background.

    Example:
        >>> ranking = rank(np.array([0.1, 0.9, 0.4, 0.4]), np.array([False, True, True, False]))
        >>> ranking.jet.tolist(), ranking.threshold(0.5), ranking.threshold(0.51)
        ([1, 2, 3, 0], 0.9, 0.4)
    """
    score, signal = np.asarray(score, dtype=np.float64), np.asarray(signal, dtype=bool)
    if score.ndim != 1 or signal.shape != score.shape:
        raise JetkitError(f"scores of shape {score.shape} and truth of shape {signal.shape} should be one a jet")
    if np.isnan(score).any():
        raise JetkitError(f"the scores of {int(np.isnan(score).sum())} jets are NaN: look at the training")
    weight = checked_weight(weight, len(score))
    for name, chosen in (("signal", signal), ("background", ~signal)):
        if not weight[chosen].any():
            raise JetkitError(f"there are no {name} jets: choose classes that the data have")
    order = np.argsort(-score, kind="stable")
    score = score[order]
    last = np.append(score[1:] != score[:-1], True)
    rows = order if jet is None else np.asarray(jet)[order]
    return Ranking(score, signal[order], weight[order], rows, last)


def checked_efficiency(efficiency: float) -> float:
    """The efficiency itself.

    Raises:
        JetkitError: it is not above 0 and at most 1.
    """
    if not 0 < efficiency <= 1:
        raise JetkitError(f"an efficiency should be above 0 and at most 1, got {efficiency}")
    return efficiency
