"""Everything that is said about a classifier on one set of jets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from jaxtyping import Float, Int
from pydantic.dataclasses import dataclass

from jetkit.errors import JetkitError
from jetkit.evaluation.accuracy import accuracy
from jetkit.evaluation.auc import auc, ovo_auc
from jetkit.evaluation.bootstrap import background_efficiencies
from jetkit.evaluation.calibration import Calibration, calibration
from jetkit.evaluation.comparison import Comparison, parse_comparison
from jetkit.evaluation.confusion import Confusion, confusion
from jetkit.evaluation.number import Number
from jetkit.evaluation.record import Record
from jetkit.evaluation.rejection import rejection_from_replicas
from jetkit.evaluation.roc import GRID, Roc, roc_from_replicas
from jetkit.evaluation.scores import checked_label, checked_logits, checked_weight
from jetkit.evaluation.temperature import fit_temperature

JETCLASS_EFFICIENCIES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {"Hqql vs QCD": (0.99,), "Tbl vs QCD": (0.995,)}
)
"""Signal efficiencies of the leptonic classes of JetClass; Particle Transformer for Jet Tagging, 2022,
arXiv:2202.03772, Table 1."""


@dataclass(frozen=True)
class Rejection(Record):
    """Background rejection 1/ε_B of a comparison at one signal efficiency."""

    comparison: str
    efficiency: float
    value: Number


@dataclass(frozen=True)
class Discrimination(Record):
    """One signal against one background.

    Attributes:
        comparison: in words, as ``top vs QCD``.
    """

    comparison: str
    auc: Number
    rejections: tuple[Rejection, ...]
    roc: Roc


@dataclass(frozen=True)
class Evaluation(Record):
    """Numbers with errors of one classifier on one set of jets.

    Attributes:
        jets: of each class, whatever their weights.
        auc: of the last class against the first where there are two, else the macro one-vs-one AUC.
        calibration: of each jet's most probable class.
        temperature: that the evaluated jets ask for, 1 for a calibrated tagger; None where none is best.
        weighted: whether jets had weights.
        replicas: of the bootstrap.
        seed: of the bootstrap.
    """

    classes: tuple[str, ...]
    jets: tuple[int, ...]
    accuracy: Number
    auc: Number
    discriminations: tuple[Discrimination, ...]
    confusion: Confusion
    calibration: Calibration
    temperature: Number | None
    weighted: bool
    replicas: int
    seed: int

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """All rejections, comparison by comparison."""
        return tuple(rejection for one in self.discriminations for rejection in one.rejections)


def evaluate(
    logits: Float[np.ndarray, "B C"],
    label: Int[np.ndarray, " B"],
    classes: Sequence[str],
    *,
    weight: Float[np.ndarray, " B"] | None = None,
    comparisons: Sequence[str] | None = None,
    efficiencies: Sequence[float] = (0.3, 0.5),
    efficiencies_of: Mapping[str, Sequence[float]] = JETCLASS_EFFICIENCIES,
    replicas: int = 200,
    seed: int = 0,
) -> Evaluation:
    """Accuracy, AUC, rejections, ROC curves, confusion and calibration of a classifier.

    Without comparisons, each class is compared with the first one. Rejections are at ``efficiencies``, or, for a
    comparison that it names, at those in ``efficiencies_of``.

    With weights, such as a generator's at next-to-leading order, of either sign, a jet counts w times in every value;
    errors, and what is too few jets, follow from the effective number n_eff = (Σw)²/Σw².

    Raises:
        JetkitError: the arrays do not fit each other, a logit or weight is not finite, a class has fewer than two jets
            (with weights: of their effective number) or weights that do not sum to more than zero, or a comparison
            cannot be read.

    Example:
        >>> label = np.arange(4000) % 2
        >>> score = np.random.default_rng(0).normal(size=4000) + 2 * label
        >>> logits = np.stack([np.zeros(4000), 2 * score - 2], axis=1)
        >>> evaluation = evaluate(logits, label, ["QCD", "top"])
        >>> print(evaluation.auc, "|", evaluation.rejections[1].comparison, evaluation.rejections[1].value)
        0.9248 ± 0.0040 | top vs QCD 45.5 ± 8.8
        >>> sign = np.where(np.arange(4000) % 10 < 2, -1.0, 1.0)
        >>> print(evaluate(logits, label, ["QCD", "top"], weight=sign).auc)
        0.9237 ± 0.0067 (n_eff = 1440)
    """
    logits = checked_logits(logits, classes)
    label = checked_label(label, classes, len(logits))
    weight = None if weight is None else checked_weight(weight, len(logits))
    jets = np.bincount(label, minlength=len(classes))
    few = [name for name, count in zip(classes, jets, strict=True) if count < 2]
    if few:
        raise JetkitError(f"each class needs two jets or more, there are fewer of {', '.join(few[:5])}")
    texts = default_comparisons(classes) if comparisons is None else comparisons
    chosen = [parse_comparison(text, classes) for text in texts]
    return Evaluation(
        classes=tuple(classes),
        jets=tuple(jets.tolist()),
        accuracy=accuracy(logits, label, weight),
        auc=ovo_auc(logits, label, classes, weight),
        discriminations=tuple(
            discriminate(one, logits, label, weight, efficiencies_of.get(one.text, efficiencies), replicas, seed)
            for one in chosen
        ),
        confusion=confusion(logits, label, classes, weight),
        calibration=calibration(logits, label, classes, weight=weight),
        temperature=_temperature(logits, label, classes, weight),
        weighted=weight is not None,
        replicas=replicas,
        seed=seed,
    )


def default_comparisons(classes: Sequence[str]) -> tuple[str, ...]:
    """Each class against the first.

    Example:
        >>> default_comparisons(["QCD", "Hbb", "Hcc"])
        ('Hbb vs QCD', 'Hcc vs QCD')
    """
    return tuple(f"{name} vs {classes[0]}" for name in classes[1:])


def discriminate(
    comparison: Comparison,
    logits: Float[np.ndarray, "B C"],
    label: Int[np.ndarray, " B"],
    weight: Float[np.ndarray, " B"] | None,
    efficiencies: Sequence[float],
    replicas: int = 200,
    seed: int = 0,
) -> Discrimination:
    """AUC, rejections and ROC curve of one comparison.

    Raises:
        JetkitError: there are not two jets of each side, the weights of one do not sum to more than zero, or an
            efficiency is not above 0 and at most 1.
    """
    ranking = comparison.rank(logits, label, weight)
    drawn = background_efficiencies(ranking, [*efficiencies, *GRID], replicas, seed)
    return Discrimination(
        comparison=comparison.text,
        auc=auc(ranking),
        rejections=tuple(
            Rejection(comparison.text, float(efficiency), rejection_from_replicas(ranking, efficiency, column))
            for efficiency, column in zip(efficiencies, drawn.T, strict=False)
        ),
        roc=roc_from_replicas(ranking, GRID, drawn[:, len(efficiencies) :]),
    )


def _temperature(
    logits: Float[np.ndarray, "B C"],
    label: Int[np.ndarray, " B"],
    classes: Sequence[str],
    weight: Float[np.ndarray, " B"] | None,
) -> Number | None:
    try:
        return fit_temperature(logits, label, classes, weight)
    except JetkitError:  # perfect, or no better than a guess: no number
        return None
