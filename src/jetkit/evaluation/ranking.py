"""Jets of a signal and a background by falling score: sorted once, then every number is a running sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from jetkit.errors import JetkitError
from jetkit.evaluation.interval import effective_count
from jetkit.evaluation.scores import checked_weight, weight_sum

ROUNDING = 1e-12
"""Part of the signal that may be missing at a wanted efficiency, since 0.3 is not a binary number."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """Jets by falling score.

    Negative weights can make an efficiency fall where the threshold is loosened. A threshold that keeps a fraction of
    the signal is then the tightest of all that do, even where some looser ones keep less; one that keeps no more than a
    fraction of the background is the loosest of all that do, even where some tighter ones keep more.

    Attributes:
        score: any quantity that is larger for signal.
        signal: True for signal.
        weight: ones, or the jets' weights.
        jet: row of each jet in the batch that was ranked; bootstrap replicas count jets by it.
        last: True for the last of those with equal scores, after which a threshold can lie.
        weighted: whether the jets had weights.
    """

    score: Float[np.ndarray, " n"]
    signal: Bool[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"]
    jet: Int[np.ndarray, " n"]
    last: Bool[np.ndarray, " n"]
    weighted: bool = False

    @property
    def n_eff(self) -> float | None:
        """Effective number of the signal jets plus that of the background jets; None without weights."""
        if not self.weighted:
            return None
        return effective_count(self.weight[self.signal]) + effective_count(self.weight[~self.signal])

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
        return float(self.score[self.last][self.tightest([efficiency])[0]])

    def tightest(self, efficiencies: Sequence[float]) -> Int[np.ndarray, " K"]:
        """Which distinct score, counted from the highest, is the `threshold` of each efficiency.

        Raises:
            JetkitError: an efficiency is not above 0 and at most 1.
        """
        wanted = np.array([checked_efficiency(efficiency) for efficiency in efficiencies], dtype=np.float64)
        passing = self.passing_signal
        most = np.maximum.accumulate(passing) if self.weighted else passing
        return np.asarray(np.searchsorted(most, wanted * passing[-1] * (1 - ROUNDING)))

    def background_threshold(self, efficiency: float) -> float:
        """The lowest score such that the jets at or above it hold at most this fraction of the background.

        Infinite where already the jets of the highest score hold more.

        Raises:
            JetkitError: the efficiency is not above 0 and at most 1.
        """
        checked_efficiency(efficiency)
        passing = self.passing_background
        least = np.minimum.accumulate(passing[::-1])[::-1] if self.weighted else passing
        end = np.searchsorted(least, efficiency * passing[-1] * (1 + ROUNDING), side="right")
        return float(self.score[self.last][end - 1]) if end else float("inf")


def rank(
    score: Float[np.ndarray, " n"],
    signal: Bool[np.ndarray, " n"],
    weight: Float[np.ndarray, " n"] | None = None,
    jet: Int[np.ndarray, " n"] | None = None,
) -> Ranking:
    """Sort jets by falling score; ``jet`` is their row in a larger batch.

    Raises:
        JetkitError: a score is NaN, there is not one truth value and finite weight a jet, no signal or no background,
            or the weights of one do not sum to more than zero.

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
    w = checked_weight(weight, len(score))
    for name, chosen in (("signal", signal), ("background", ~signal)):
        if not chosen.any():
            raise JetkitError(f"there are no {name} jets: choose classes that the data have")
        if weight is not None:
            weight_sum(w[chosen], f"the {name} jets")
    order = np.argsort(-score, kind="stable")
    score = score[order]
    last = np.append(score[1:] != score[:-1], True)
    rows = order if jet is None else np.asarray(jet)[order]
    return Ranking(score, signal[order], w[order], rows, last, weight is not None)


def checked_efficiency(efficiency: float) -> float:
    """The efficiency itself.

    Raises:
        JetkitError: it is not above 0 and at most 1.
    """
    if not 0 < efficiency <= 1:
        raise JetkitError(f"an efficiency should be above 0 and at most 1, got {efficiency}")
    return efficiency
