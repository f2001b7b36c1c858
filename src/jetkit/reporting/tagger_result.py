"""What a report is made of: a tagger, its trainings, and their scores on the jets of the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from jetkit.errors import JetkitError
from jetkit.evaluation.number import Number, SeedSummary, over_seeds
from jetkit.evaluation.paired import Scored
from jetkit.evaluation.summary import Evaluation


@dataclass(frozen=True, eq=False)
class Training:
    """One training of a tagger and what it says about the test jets.

    Attributes:
        folder: of the run.
        log: one mapping an epoch: epoch, step, lr, seconds since the start, train {cross_entropy}, validation {loss,
            accuracy}.
        jets: quantity → value per jet: jet_pt, jet_mass, jet_sdmass in GeV, jet_nparticles, where present.
        seconds: that the training took.
        score_seconds: that scoring the test jets took; None where nobody measured it.
        weight: of each jet, of either sign; None without weights.
    """

    seed: int
    folder: str
    log: Sequence[Mapping[str, Any]]
    evaluation: Evaluation
    logits: Float[np.ndarray, "B C"]
    label: Int[np.ndarray, " B"]
    jets: Mapping[str, Shaped[np.ndarray, " B"]]
    model_sha256: str
    seconds: float
    score_seconds: float | None = None
    weight: Float[np.ndarray, " B"] | None = None

    @property
    def scored(self) -> Scored:
        """Logits and labels, as paired tests want them."""
        return self.logits, self.label


@dataclass(frozen=True, eq=False)
class TaggerResult:
    """A tagger that was trained once or several times with one recipe on one dataset.

    Attributes:
        name: as the page shows it.
        model: registered name.
        paper: title, year, arXiv number.
        parameters: how many are learned.
        trainings: one for each seed.
        options: the recipe as trained.
        command: that makes it again.
        dataset: name, sha256, jets {train, validation, test}, and command or path.
    """

    name: str
    model: str
    paper: str
    parameters: int
    trainings: tuple[Training, ...]
    options: Mapping[str, Any]
    command: str
    dataset: Mapping[str, Any]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; the index is the label."""
        return self.trainings[0].evaluation.classes

    @property
    def auc(self) -> float:
        """Mean over the trainings."""
        return float(np.mean([training.evaluation.auc.value for training in self.trainings]))

    @property
    def typical(self) -> Training:
        """The training of median AUC, which pictures and tests show; of an even number the lower of the two."""
        rising = sorted(self.trainings, key=lambda training: training.evaluation.auc.value)
        return rising[(len(rising) - 1) // 2]

    @property
    def jets_per_second(self) -> float | None:
        """Mean rate of scoring; None where nobody measured it."""
        rates = [len(t.label) / t.score_seconds for t in self.trainings if t.score_seconds]
        return float(np.mean(rates)) if rates else None

    def summary(self, pick: Callable[[Evaluation], Number]) -> Number | SeedSummary:
        """A quantity of the evaluation: mean and spread over trainings, or the typical one's number.

        The latter where there is one training, or one of them gave only a limit.
        """
        numbers = [pick(training.evaluation) for training in self.trainings]
        if len(numbers) > 1 and all(number.error is not None for number in numbers):
            return over_seeds(numbers)
        return pick(self.typical.evaluation)


def common_weight(first: Training, second: Training) -> Float[np.ndarray, " B"] | None:
    """The weights of the jets that two trainings share; None without weights.

    Raises:
        JetkitError: they weigh the jets differently.
    """
    if first.weight is None and second.weight is None:
        return None
    if first.weight is None or second.weight is None or not np.array_equal(first.weight, second.weight):
        raise JetkitError("a paired test needs the same weights of the jets: train both with the same weight=COLUMN")
    return first.weight


def written(number: Number) -> str:
    """A number as text; an error that is only the computer's rounding, of a perfect tagger, is zero.

    Example:
        >>> written(Number(1 - 1e-16, 7e-18, jets=2000)), written(Number(0.9321, 0.0008, jets=404_000))
        ('1 ± 0', '0.93210 ± 0.00080')
    """
    if number.error is not None and number.error < 1e-12:
        return replace(number, value=round(number.value, 12), error=0.0).text()
    return number.text()


def ranked(results: Sequence[TaggerResult]) -> list[TaggerResult]:
    """The taggers by falling AUC.

    Raises:
        JetkitError: there is none, one has no training, or they do not have the same classes.
    """
    if not results:
        raise JetkitError("there is no tagger to report: name one run folder or more")
    for result in results:
        if not result.trainings:
            raise JetkitError(f"{result.name} has no finished training: train it first")
        if result.classes != results[0].classes:
            raise JetkitError(
                f"{results[0].name} and {result.name} tell other classes apart: report them on separate pages"
            )
    return sorted(results, key=lambda result: -result.auc)


def common_comparisons(results: Sequence[TaggerResult]) -> list[str]:
    """The comparisons that every training was evaluated for, in the order of the first."""
    evaluations = [training.evaluation for result in results for training in result.trainings]
    known = [{one.comparison for one in evaluation.discriminations} for evaluation in evaluations]
    return [one.comparison for one in evaluations[0].discriminations if all(one.comparison in each for each in known)]


def common_rejections(results: Sequence[TaggerResult]) -> list[tuple[str, float]]:
    """(comparison, signal efficiency) of the rejections that every training has, in the order of the first."""
    evaluations = [training.evaluation for result in results for training in result.trainings]
    known = [{(one.comparison, one.efficiency) for one in evaluation.rejections} for evaluation in evaluations]
    wanted = [(one.comparison, one.efficiency) for one in evaluations[0].rejections]
    return [one for one in wanted if all(one in each for each in known)]


def rejection_at(comparison: str, efficiency: float) -> Callable[[Evaluation], Number]:
    """What picks a rejection from an evaluation that has it."""
    return lambda evaluation: next(
        one.value for one in evaluation.rejections if (one.comparison, one.efficiency) == (comparison, efficiency)
    )
