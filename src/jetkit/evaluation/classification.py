"""The evaluation of a task that names classes, from its predictions to a result."""

from __future__ import annotations

from collections.abc import Sequence

from jetkit.evaluation.number import Number
from jetkit.evaluation.result import EVALUATION, Predicted, Result
from jetkit.evaluation.summary import Evaluation, evaluate
from jetkit.registry import register

CLASSIFICATION = "classification"


@register(CLASSIFICATION, kind=EVALUATION)
def classification(
    predicted: Predicted,
    *,
    comparisons: Sequence[str] | None = None,
    efficiencies: Sequence[float] = (0.3, 0.5),
    replicas: int = 200,
    seed: int = 0,
) -> Result:
    """Return accuracy, AUC, rejections, ROC curves, confusion and calibration, as `jetkit.evaluation.summary.evaluate`.

    Raises:
        JetkitError: as `jetkit.evaluation.summary.evaluate`.
    """
    evaluation = evaluate(
        predicted.logits.astype(float),
        predicted.label,
        predicted.classes[predicted.class_target],
        comparisons=comparisons,
        efficiencies=efficiencies,
        replicas=replicas,
        seed=seed,
        weight=predicted.weight_or_none,
    )
    return Result(CLASSIFICATION, numbers_of(evaluation), details=evaluation.to_dict())


def numbers_of(evaluation: Evaluation) -> dict[str, Number]:
    """Return the main numbers by name: accuracy, AUC, each rejection, and the temperature where there is one."""
    numbers = {"accuracy": evaluation.accuracy, "auc": evaluation.auc}
    numbers |= {f"1/ε_B {one.comparison} @ {one.efficiency:g}": one.value for one in evaluation.rejections}
    return numbers | ({} if evaluation.temperature is None else {"temperature": evaluation.temperature})
