"""Is tagger A better than tagger B? Paired tests on the same jets."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from pydantic.dataclasses import dataclass

from jetkit.errors import JetkitError
from jetkit.evaluation.accuracy import accuracy, is_right
from jetkit.evaluation.auc import auc_influence, class_count, ovo_influence
from jetkit.evaluation.bootstrap import background_efficiencies
from jetkit.evaluation.comparison import Comparison, parse_comparison
from jetkit.evaluation.interval import two_sided_p
from jetkit.evaluation.number import Number
from jetkit.evaluation.record import Record
from jetkit.evaluation.rejection import rejection_from_replicas
from jetkit.evaluation.scores import checked_label, checked_logits, checked_weight

Scored = tuple[Float[np.ndarray, "B C"], Int[np.ndarray, " B"]]
"""Logits of a tagger and the labels of the jets it saw."""


@dataclass(frozen=True)
class PairedTest(Record):
    """Two taggers on the same jets.

    Attributes:
        quantity: what was compared, in words.
        difference: second minus first; its error knows that the jets are the same.
        p: probability of a difference at least as large, of either sign, between equal taggers.
    """

    quantity: str
    first: Number
    second: Number
    difference: Number
    p: float

    def __str__(self) -> str:
        return f"{self.quantity}: {self.first} → {self.second}, difference {self.difference}, p = {self.p:.2g}"


def compare_accuracy(first: Scored, second: Scored, *, weight: Float[np.ndarray, " B"] | None = None) -> PairedTest:
    """Accuracy of two taggers, with McNemar's exact test; with weights, the Gaussian one of their sums.

    With b jets right only in the first and c only in the second, p = 2 P(k ≤ min(b, c)) for k binomial with b + c
    trials of probability ½, and the difference is (c − b)/n ± √(b + c − (b − c)²/n)/n.

    With weights w no count is binomial. With d = 1 for a jet right only in the second, −1 only in the first and else 0,
    the difference is D = Σwd/Σw ± √(Σw²(d − D)²)/Σw, and p is that of a Gaussian for z = Σwd/√(Σw²d²): McNemar's
    (c − b)/√(b + c) for equal weights. It asks for some ten jets or more that only one of the two has right.

    Source: Q. McNemar, Note on the Sampling Error of the Difference between Correlated Proportions or Percentages,
    1947, doi:10.1007/BF02295996.

    Raises:
        JetkitError: the two are not on the same jets, or the weights do not fit them or do not sum to more than zero.

    Example:
        >>> label = np.zeros(10, dtype=int)
        >>> bad, good = np.eye(2)[[0] * 4 + [1] * 6], np.eye(2)[[0] * 10]
        >>> print(compare_accuracy((bad, label), (good, label)))
        accuracy: 0.40 ± 0.15 → 1.000 ± 0.045, difference 0.60 ± 0.15, p = 0.031
    """
    from scipy.stats import binomtest  # a second to import

    check_same_jets(first, second)
    right, also = is_right(*first), is_right(*second)
    if weight is not None:
        return _compare_weighted_accuracy(first, second, also.astype(np.float64) - right, weight)
    n, lost, gained = len(right), int((right & ~also).sum()), int((also & ~right).sum())
    error = math.sqrt(max(lost + gained - (lost - gained) ** 2 / n, 0.0)) / n
    return PairedTest(
        "accuracy",
        accuracy(*first),
        accuracy(*second),
        Number((gained - lost) / n, error, n),
        float(binomtest(lost, lost + gained).pvalue) if lost + gained else 1.0,
    )


def _compare_weighted_accuracy(
    first: Scored, second: Scored, gain: Float[np.ndarray, " B"], weight: Float[np.ndarray, " B"]
) -> PairedTest:
    a, b = accuracy(*first, weight), accuracy(*second, weight)
    w = checked_weight(weight, len(gain))
    total, sum_of_gains = w.sum(), float(w @ gain)
    difference = sum_of_gains / total
    error = _length(w * (gain - difference)) / total
    return PairedTest(
        "accuracy",
        a,
        b,
        Number(difference, float(error), len(gain), n_eff=a.n_eff),
        two_sided_p(sum_of_gains, _length(w * gain)),
    )


def compare_auc(
    first: Scored,
    second: Scored,
    classes: Sequence[str],
    comparison: str | Comparison | None = None,
    *,
    weight: Float[np.ndarray, " B"] | None = None,
) -> PairedTest:
    """AUC of two taggers, with DeLong's test; without a comparison, the macro one-vs-one AUC of all classes.

    Each jet moves both AUCs; the variance of the difference is the sum over jets of the squared difference of the two
    movements, which hold the weight of the jet where there is one. Sorting makes it O(n log n).

    Sources: E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Comparing the Areas under Two or More Correlated ROC
    Curves, 1988, doi:10.2307/2531595; X. Sun, W. Xu, Fast Implementation of DeLong's Algorithm, 2014,
    doi:10.1109/LSP.2014.2337313.

    Raises:
        JetkitError: the two are not on the same jets, the comparison cannot be read, a class has too few jets, or its
            weights do not sum to more than zero.

    Example:
        >>> label = np.arange(1000) % 2
        >>> truth, noise = np.eye(2)[label], np.random.default_rng(0).normal(size=(1000, 2))
        >>> compare_auc((noise, label), (truth + noise, label), ["QCD", "top"]).p < 1e-6
        True
    """
    check_same_jets(first, second)
    chosen = parse_comparison(comparison, classes) if isinstance(comparison, str) else comparison
    (a, moved_a, n_eff), (b, moved_b, _) = (_influence(scored, classes, chosen, weight) for scored in (first, second))
    jets = len(moved_a) if chosen is None else int(chosen.takes_part(first[1]).sum())
    error = _length(moved_b - moved_a)
    return PairedTest(
        "one-vs-one AUC" if chosen is None else f"AUC of {chosen.text}",
        Number(a, _length(moved_a), jets, n_eff=n_eff),
        Number(b, _length(moved_b), jets, n_eff=n_eff),
        Number(b - a, error, jets, n_eff=n_eff),
        two_sided_p(b - a, error),
    )


def compare_rejection(
    first: Scored,
    second: Scored,
    classes: Sequence[str],
    comparison: str | Comparison,
    efficiency: float,
    *,
    replicas: int = 1000,
    seed: int = 0,
    weight: Float[np.ndarray, " B"] | None = None,
) -> PairedTest:
    """Background rejection of two taggers, with a paired bootstrap: both see the same replicas of the jets.

    The p value is that of ln(R₂/R₁), which is closer to a Gaussian than R₂ − R₁, over its spread.

    Raises:
        JetkitError: the two are not on the same jets, the comparison cannot be read, too few background jets pass, or
            the weights of a side do not sum to more than zero.

    Example:
        >>> label = np.arange(2000) % 2
        >>> truth, noise = np.eye(2)[label], np.random.default_rng(0).normal(size=(2000, 2))
        >>> compare_rejection((noise, label), (truth + noise, label), ["QCD", "top"], "top vs QCD", 0.5).p < 1e-6
        True
    """
    check_same_jets(first, second)
    chosen = parse_comparison(comparison, classes) if isinstance(comparison, str) else comparison
    numbers, shifts = [], []  # the numbers, and how far each replica is from them, relatively
    for logits, label in (first, second):
        ranking = chosen.rank(checked_logits(logits, classes), checked_label(label, classes, len(logits)), weight)
        drawn = background_efficiencies(ranking, [efficiency], replicas, seed)[:, 0]
        number = rejection_from_replicas(ranking, efficiency, drawn)
        if number.error is None:
            weigh = "" if number.n_eff is None else f", which weigh as {number.n_eff:.2g}"
            passing = f"{number.jets} background jets pass{weigh}"
            raise JetkitError(f"{chosen.text} at {efficiency:g}: only {passing}, a comparison needs ten or more")
        numbers.append(number)
        shifts.append(drawn * number.value - 1)
    a, b = numbers
    n_eff = None if a.n_eff is None or b.n_eff is None else min(a.n_eff, b.n_eff)
    difference_error = float(np.nanstd(b.value * shifts[1] - a.value * shifts[0], ddof=1))
    ratio_error = float(np.nanstd(shifts[1] - shifts[0], ddof=1))
    return PairedTest(
        f"rejection of {chosen.text} at {efficiency:g}",
        a,
        b,
        Number(b.value - a.value, difference_error, min(a.jets, b.jets), n_eff=n_eff),
        two_sided_p(math.log(b.value / a.value), ratio_error),
    )


def check_same_jets(first: Scored, second: Scored) -> None:
    """Nothing, if the labels are the same jet by jet.

    Raises:
        JetkitError: they are not.
    """
    labels = [np.asarray(label) for _, label in (first, second)]
    if labels[0].shape != labels[1].shape:
        sizes = " and ".join(str(len(label)) for label in labels)
        raise JetkitError(f"a paired test needs the same jets, got {sizes}: evaluate both on the same dataset")
    differ = int((labels[0] != labels[1]).sum())
    if differ:
        raise JetkitError(f"a paired test needs the same jets in the same order: {differ} labels differ")


def _influence(
    scored: Scored, classes: Sequence[str], comparison: Comparison | None, weight: Float[np.ndarray, " B"] | None
) -> tuple[float, Float[np.ndarray, " B"], float | None]:
    """The AUC, how far each jet moves it, and the effective number of jets if they are weighted."""
    logits = checked_logits(scored[0], classes)
    label = checked_label(scored[1], classes, len(logits))
    if comparison is None:
        n_eff = None if weight is None else class_count(label, len(classes), weight)
        return *ovo_influence(logits, label, classes, weight), n_eff
    ranking = comparison.rank(logits, label, weight)
    influence = np.zeros(len(label))
    value, influence[ranking.jet] = auc_influence(ranking)
    return value, influence, ranking.n_eff


def _length(influence: Float[np.ndarray, " B"]) -> float:
    return float(np.sqrt(np.square(influence).sum()))
