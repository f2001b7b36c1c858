"""Is A better than B, in words: paired tests of neighbours in the ranking."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from jetkit.errors import JetkitError
from jetkit.evaluation.number import SeedSummary, value_with_error
from jetkit.evaluation.paired import PairedTest, check_same_jets, compare_accuracy, compare_auc
from jetkit.reporting.tagger_result import TaggerResult, common_weight, written

SURE, HINT = 0.01, 0.05
"""Below the first p value a difference is called one, below the second perhaps one."""


@dataclass(frozen=True)
class Verdict:
    """Better-ranked tagger minus the other in one quantity, and what the test says of it."""

    difference: str
    words: str


@dataclass(frozen=True)
class Pair:
    """Neighbours in the ranking.

    Attributes:
        verdicts: of accuracy and AUC.
        reason: why there is no test; else nothing.
        trainings: the difference of the mean AUC over several trainings, where both taggers have them.
    """

    upper: str
    lower: str
    verdicts: tuple[Verdict, ...] = ()
    reason: str = ""
    trainings: str = ""


def neighbours(results: Sequence[TaggerResult]) -> list[Pair]:
    """Each tagger against the next of a ranking, by their typical trainings on the same jets."""
    return [judge(upper, lower) for upper, lower in pairwise(results)]


def judge(upper: TaggerResult, lower: TaggerResult) -> Pair:
    """Accuracy by McNemar's and AUC by DeLong's test; a reason where the jets or their weights are not the same."""
    scored = lower.typical.scored, upper.typical.scored
    try:
        check_same_jets(*scored)
        weight = common_weight(upper.typical, lower.typical)
    except JetkitError as error:
        return Pair(upper.name, lower.name, reason=str(error))
    tests = compare_accuracy(*scored, weight=weight), compare_auc(*scored, upper.classes, weight=weight)
    verdicts = tuple(Verdict(written(test.difference), words(test)) for test in tests)
    return Pair(upper.name, lower.name, verdicts, trainings=_over_trainings(upper, lower))


def words(test: PairedTest) -> str:
    """What a test says of the second tagger against the first.

    Example:
        >>> from jetkit.evaluation.number import Number
        >>> one, more = Number(0.93, 0.01, jets=900), Number(0.02, 0.007, jets=900)
        >>> words(PairedTest("AUC", one, one, more, 0.0043)), words(PairedTest("AUC", one, one, more, 0.41))
        ('better, p = 0.0043', 'no difference seen, p = 0.41')
    """
    if test.p >= HINT:
        return f"no difference seen, {p_value(test.p)}"
    word = "better" if test.difference.value > 0 else "worse"
    return f"{word if test.p < SURE else f'perhaps {word}'}, {p_value(test.p)}"


def p_value(p: float) -> str:
    """A p value with two digits; no smaller one than a test of counts can be trusted for.

    Example:
        >>> p_value(0.0312), p_value(1e-9), p_value(1.0)
        ('p = 0.031', 'p < 0.000001', 'p = 1')
    """
    return f"p = {p:.2g}" if p >= 1e-4 else f"p = {p:.6f}" if p >= 1e-6 else "p < 0.000001"


def _over_trainings(upper: TaggerResult, lower: TaggerResult) -> str:
    summaries = [result.summary(lambda evaluation: evaluation.auc) for result in (upper, lower)]
    errors = [summary.error_of_mean for summary in summaries if isinstance(summary, SeedSummary)]
    if len(errors) < 2:
        return ""
    shown = value_with_error(upper.auc - lower.auc, math.hypot(*errors))
    counts = f"{len(upper.trainings)} and {len(lower.trainings)}"
    return f"The mean AUC over {counts} trainings differs by {shown} (spread of the trainings)."
