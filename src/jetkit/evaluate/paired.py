"""Is tagger A better than tagger B? Paired tests on the same jets."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from pydantic.dataclasses import dataclass

from jetkit.errors import JetkitError
from jetkit.evaluate.accuracy import accuracy, is_right
from jetkit.evaluate.auc import auc_influence, ovo_influence
from jetkit.evaluate.bootstrap import background_efficiencies
from jetkit.evaluate.comparison import Comparison, parse_comparison
from jetkit.evaluate.interval import two_sided_p
from jetkit.evaluate.number import Number
from jetkit.evaluate.record import Record
from jetkit.evaluate.rejection import rejection_from_replicas
from jetkit.evaluate.scores import checked_label, checked_logits

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


def compare_accuracy(first: Scored, second: Scored) -> PairedTest:
    """Accuracy of two taggers, with McNemar's exact test.

    With b jets right only in the first and c only in the second, p = 2 P(k ≤ min(b, c)) for k binomial with b + c
    trials of probability ½, and the difference is (c − b)/n ± √(b + c − (b − c)²/n)/n.

    Source: Q. McNemar, Note on the Sampling Error of the Difference between Correlated Proportions or Percentages,
    1947, doi:10.1007/BF02295996.

    Raises:
        JetkitError: the two are not on the same jets.

    Example:
        >>> label = np.zeros(10, dtype=int)
        >>> bad, good = np.eye(2)[[0] * 4 + [1] * 6], np.eye(2)[[0] * 10]
        >>> print(compare_accuracy((bad, label), (good, label)))
        accuracy: 0.40 ± 0.15 → 1.000 ± 0.045, difference 0.60 ± 0.15, p = 0.031
    """
    check_same_jets(first, second)
    right, also = is_right(*first), is_right(*second)
    n, lost, gained = len(right), int((right & ~also).sum()), int((also & ~right).sum())
    error = math.sqrt(max(lost + gained - (lost - gained) ** 2 / n, 0.0)) / n
    return PairedTest(
        "accuracy",
        accuracy(*first),
        accuracy(*second),
        Number((gained - lost) / n, error, n),
        _fair_coin(min(lost, gained), lost + gained),
    )


def compare_auc(
    first: Scored, second: Scored, classes: Sequence[str], comparison: str | Comparison | None = None
) -> PairedTest:
    """AUC of two taggers, with DeLong's test; without a comparison, the macro one-vs-one AUC of all classes.

    Each jet moves both AUCs; the variance of the difference is the sum over jets of the squared difference of the two
    movements. Sorting makes it O(n log n).

    Sources: E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Comparing the Areas under Two or More Correlated ROC
    Curves, 1988, doi:10.2307/2531595; X. Sun, W. Xu, Fast Implementation of DeLong's Algorithm, 2014,
    doi:10.1109/LSP.2014.2337313.

    Raises:
        JetkitError: the two are not on the same jets, the comparison cannot be read, or a class has too few jets.

    Example:
        >>> label = np.arange(1000) % 2
        >>> truth, noise = np.eye(2)[label], np.random.default_rng(0).normal(size=(1000, 2))
        >>> compare_auc((noise, label), (truth + noise, label), ["QCD", "top"]).p < 1e-6
        True
    """
    check_same_jets(first, second)
    chosen = parse_comparison(comparison, classes) if isinstance(comparison, str) else comparison
    (a, moved_a), (b, moved_b) = (_influence(scored, classes, chosen) for scored in (first, second))
    jets = len(moved_a) if chosen is None else int(chosen.takes_part(first[1]).sum())
    error = _length(moved_b - moved_a)
    return PairedTest(
        "one-vs-one AUC" if chosen is None else f"AUC of {chosen.text}",
        Number(a, _length(moved_a), jets),
        Number(b, _length(moved_b), jets),
        Number(b - a, error, jets),
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
) -> PairedTest:
    """Background rejection of two taggers, with a paired bootstrap: both see the same replicas of the jets.

    The p value is that of ln(R₂/R₁), which is closer to a Gaussian than R₂ − R₁, over its spread.

    Raises:
        JetkitError: the two are not on the same jets, the comparison cannot be read, or too few background jets pass.

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
        ranking = chosen.rank(checked_logits(logits, classes), checked_label(label, classes, len(logits)))
        drawn = background_efficiencies(ranking, [efficiency], replicas, seed)[:, 0]
        number = rejection_from_replicas(ranking, efficiency, drawn)
        if number.error is None:
            passing = f"{number.jets} background jets pass"
            raise JetkitError(f"{chosen.text} at {efficiency:g}: only {passing}, a comparison needs ten or more")
        numbers.append(number)
        shifts.append(drawn * number.value - 1)
    a, b = numbers
    difference_error = float(np.nanstd(b.value * shifts[1] - a.value * shifts[0], ddof=1))
    ratio_error = float(np.nanstd(shifts[1] - shifts[0], ddof=1))
    return PairedTest(
        f"rejection of {chosen.text} at {efficiency:g}",
        a,
        b,
        Number(b.value - a.value, difference_error, min(a.jets, b.jets)),
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
    scored: Scored, classes: Sequence[str], comparison: Comparison | None
) -> tuple[float, Float[np.ndarray, " B"]]:
    logits = checked_logits(scored[0], classes)
    label = checked_label(scored[1], classes, len(logits))
    if comparison is None:
        return ovo_influence(logits, label, classes)
    ranking = comparison.rank(logits, label)
    influence = np.zeros(len(label))
    value, influence[ranking.jet] = auc_influence(ranking)
    return value, influence


def _length(influence: Float[np.ndarray, " B"]) -> float:
    return float(np.sqrt(np.square(influence).sum()))


def _fair_coin(heads: int, tosses: int) -> float:
    """Probability of so uneven a result of a fair coin: min(1, 2 Σ_{k≤heads} (tosses choose k)/2^tosses)."""
    k = np.arange(1, heads + 1)
    log_choices = np.append(0.0, np.cumsum(np.log((tosses - k + 1) / k)))
    return float(min(1.0, 2 * np.exp(log_choices - tosses * math.log(2)).sum()))
