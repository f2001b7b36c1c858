"""Area under the ROC curve, with DeLong's error."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
from jaxtyping import Float, Int

from jetkit.errors import JetkitError
from jetkit.evaluation.interval import LEAST_EFFECTIVE, effective_count
from jetkit.evaluation.number import Number
from jetkit.evaluation.ranking import Ranking, rank
from jetkit.evaluation.scores import checked_weight, log_odds, weight_sum


def auc(ranking: Ranking) -> Number:
    """Probability that a signal jet scores higher than a background jet; a tie counts one half.

    The error is DeLong's, without resampling: the AUC is a mean over the signal of the share of background below each
    jet, and a mean over the background of the share of signal above; the two variances add. It is zero where the two
    are separated perfectly.

    With weights, AUC = Σ_{s,b} w_s w_b [s above b]/(W_S W_B), which negative ones can carry out of [0, 1]. Each side
    then adds Σ w²(V − AUC)²/W² · n/(n−1) to the variance, V being the share below or above a jet, n = (Σw)²/Σw².

    Source: E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Comparing the Areas under Two or More Correlated ROC
    Curves, 1988, doi:10.2307/2531595.

    Raises:
        JetkitError: there are not two jets of the signal and two of the background (with weights: of their effective
            number).

    Example:
        >>> from jetkit.evaluation.ranking import rank
        >>> print(auc(rank(np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False]))))
        0.75 ± 0.35
    """
    value, influence = auc_influence(ranking)
    return Number(value, float(np.sqrt(np.square(influence).sum())), len(ranking.score), n_eff=ranking.n_eff)


def auc_influence(ranking: Ranking) -> tuple[float, Float[np.ndarray, " n"]]:
    """The AUC, and how far each jet of the ranking moves it: the sum of squares is DeLong's variance.

    Raises:
        JetkitError: as `auc`.
    """
    placement = _placements(ranking)
    influence = np.empty(len(placement))
    value = 0.0
    for chosen in (ranking.signal, ~ranking.signal):
        weight = ranking.weight[chosen]
        share = weight / weight.sum()
        jets = effective_count(weight) if ranking.weighted else len(weight)
        if jets < LEAST_EFFECTIVE:
            weigh = f", these weigh as {jets:.2g}: take more" if ranking.weighted else ""
            raise JetkitError(f"the error of an AUC needs two jets or more of each class{weigh}")
        placed = placement[chosen]
        value = float(np.sum(share * placed))
        influence[chosen] = share * (placed - value) * np.sqrt(jets / (jets - 1))
    return value, influence


def ovo_auc(
    logits: Float[np.ndarray, "B C"],
    label: Int[np.ndarray, " B"],
    classes: Sequence[str],
    weight: Float[np.ndarray, " B"] | None = None,
) -> Number:
    """Macro one-vs-one AUC: mean over ordered pairs (i, j) of classes of the AUC of p_i for jets of i against j.

    It is ``roc_auc_score(multi_class="ovo", average="macro")`` of scikit-learn, with the error of `auc` for many
    classes. Of two classes it is their AUC.

    Source: D. J. Hand, R. J. Till, A Simple Generalisation of the Area Under the ROC Curve for Multiple Class
    Classification Problems, 2001, doi:10.1023/A:1010920819831.

    Raises:
        JetkitError: a class has fewer than two jets (with weights: of their effective number), or its weights do not
            sum to more than zero.

    Example:
        >>> print(ovo_auc(np.eye(3)[[0, 0, 1, 1, 2, 0]], np.array([0, 0, 1, 1, 2, 2]), ["a", "b", "c"]))
        0.88 ± 0.12
    """
    value, influence = ovo_influence(logits, label, classes, weight)
    n_eff = None if weight is None else class_count(label, len(classes), weight)
    return Number(value, float(np.sqrt(np.square(influence).sum())), len(influence), n_eff=n_eff)


def ovo_influence(
    logits: Float[np.ndarray, "B C"],
    label: Int[np.ndarray, " B"],
    classes: Sequence[str],
    weight: Float[np.ndarray, " B"] | None = None,
) -> tuple[float, Float[np.ndarray, " B"]]:
    """The macro one-vs-one AUC, and how far each jet moves it.

    Raises:
        JetkitError: as `ovo_auc`.
    """
    label = np.asarray(label)
    rows = [np.flatnonzero(label == index) for index in range(len(classes))]
    few = [name for name, of_class in zip(classes, rows, strict=True) if len(of_class) < 2]
    if few:
        raise JetkitError(f"the one-vs-one AUC needs two jets or more of each class: there are fewer of {few[0]}")
    w = None if weight is None else checked_weight(weight, len(label))
    if w is not None:
        for name, of_class in zip(classes, rows, strict=True):
            weight_sum(w[of_class], f"the {name} jets")
    score = log_odds(logits)
    influence = np.zeros(len(label))
    values = []
    pairs = [(1, 0)] if len(classes) == 2 else permutations(range(len(classes)), 2)  # of two, the other one is equal
    for i, j in pairs:
        jet = np.concatenate([rows[i], rows[j]])
        ranking = rank(score[jet, i], label[jet] == i, None if w is None else w[jet], jet)
        value, moved = auc_influence(ranking)
        values.append(value)
        influence[ranking.jet] += moved
    return float(np.mean(values)), influence / len(values)


def class_count(label: Int[np.ndarray, " B"], classes: int, weight: Float[np.ndarray, " B"]) -> float:
    """Effective number of jets (Σw)²/Σw² of each class, summed: it does not see how the classes weigh to each other.

    Example:
        >>> class_count(np.array([0, 0, 1, 1]), 2, np.array([1.0, 1.0, 0.001, 0.001]))
        4.0
    """
    w, label = checked_weight(weight, len(label)), np.asarray(label)
    return sum(effective_count(w[label == index]) for index in range(classes))


def _placements(ranking: Ranking) -> Float[np.ndarray, " n"]:
    """Share of the background below each signal jet, and of the signal above each background jet; ties count ½."""
    group = np.cumsum(ranking.last) - ranking.last  # number of each distinct score
    placement = np.empty(len(group))
    for chosen, passing in ((ranking.signal, ranking.passing_background), (~ranking.signal, ranking.passing_signal)):
        above_or_tied = passing / passing[-1]
        above = np.append(0.0, above_or_tied[:-1])
        placement[chosen] = ((above + above_or_tied) / 2)[group[chosen]]
    placement[ranking.signal] = 1 - placement[ranking.signal]
    return placement
