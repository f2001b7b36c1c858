"""Judge what a task predicts: by the evaluation that it names, or by the numbers that it watches."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

import jetkit.evaluate.regression  # noqa: F401 - registers evaluations
from jetkit.data.batch import Batch
from jetkit.data.loader import Loader
from jetkit.errors import JetkitError
from jetkit.evaluate.number import Number
from jetkit.evaluate.result import EVALUATION, Predicted, Result
from jetkit.progress import Report
from jetkit.registry import entry
from jetkit.tasks.task import Task

WATCHED = "watched"
"""What a task names that has no evaluation: the numbers that it watches while it trains."""
FOLDS = 10
"""Parts of the rows that the error of a watched number is estimated from."""
Pairs = list[tuple[Batch, Mapping[str, Tensor]]]


def judge(task: Task, loader: Loader, *, replicas: int, seed: int, report: Report) -> tuple[Result, Predicted]:
    """Return the result of a task on the rows of a loader, and what it predicted of them.

    Raises:
        JetkitError: the evaluation that the task names is not there, or no row is usable.
    """
    evaluate = None if task.result == WATCHED else entry(task.result, EVALUATION).cls
    pairs = predictions(task, loader, report)
    predicted = joined(pairs)
    if evaluate is None:
        return watched(task, pairs), predicted
    asked = inspect.signature(evaluate).parameters
    own = {name: value for name, value in {"replicas": replicas, "seed": seed}.items() if name in asked}
    return evaluate(predicted, **own), predicted


@torch.inference_mode()
def predictions(task: Task, loader: Loader, report: Report) -> Pairs:
    """Return all batches of a loader with what a task predicts of them."""
    task.eval()
    found: Pairs = []
    for done, batch in enumerate(loader, start=1):
        found.append((batch, dict(task.predict(batch))))
        report(done, len(loader), "predict")
    return found


def joined(pairs: Pairs) -> Predicted:
    """Return the predictions of all rows in the order of the dataset; those that are no value per row are left out.

    Raises:
        JetkitError: there are no rows.
    """
    if not pairs:
        raise JetkitError("there are no usable rows to evaluate: train with other fractions, or give data=")
    rows = torch.cat([batch.index.row for batch, _ in pairs if batch.index.row is not None])
    order = rows.argsort()

    def one(parts: Sequence[Tensor]) -> Any:
        return torch.cat(list(parts))[order].cpu().numpy()

    values = {
        name: one([found[name] for _, found in pairs])
        for name in pairs[0][1]
        if all(found[name].ndim and len(found[name]) == len(batch) for batch, found in pairs)
        and len({found[name].shape[1:] for _, found in pairs}) == 1
    }
    targets = {name: one([batch.targets[name] for batch, _ in pairs]) for name in pairs[0][0].targets}
    return Predicted(values, targets, one([batch.weight for batch, _ in pairs]), rows[order].numpy())


def watched(task: Task, pairs: Pairs) -> Result:
    """Return the numbers that a task watches, with errors from a jackknife: σ² = (K − 1)/K Σ_k (θ_k − ⟨θ⟩)².

    θ_k is the number without the k-th of K parts of the rows, each of which has every K-th row (twins stay together).

    Source: The Jackknife, the Bootstrap and Other Resampling Plans, B. Efron, 1982, doi:10.1137/1.9781611970319.
    """
    whole = task.watch(pairs)
    rows = sum(len(batch) for batch, _ in pairs)
    parts = sorted({int(fold) for batch, _ in pairs for fold in _folds(batch).tolist()})
    kept = [task.watch(_without(pairs, fold)) for fold in parts] if len(parts) > 1 else []
    numbers = {}
    for name, value in whole.items():
        others = np.array([numbers_left[name] for numbers_left in kept if name in numbers_left])
        error = np.sqrt((len(others) - 1) * others.var()) if len(others) > 1 else np.nan
        numbers[name] = Number(value, float(error), rows)
    return Result(task.result, numbers)


def _folds(batch: Batch) -> Int[Tensor, " B"]:
    """The part that each row belongs to."""
    place = batch.index.row if batch.index.pair is None else batch.index.pair
    assert place is not None
    return place % FOLDS


def _without(pairs: Pairs, fold: int) -> Pairs:
    """The predictions without those of every K-th row."""
    found: Pairs = []
    for batch, values in pairs:
        keep = _folds(batch) != fold
        if keep.any():
            mine = {
                name: value[keep] if value.ndim and len(value) == len(batch) else value
                for name, value in values.items()
            }
            found.append((batch.select(keep), mine))
    return found
