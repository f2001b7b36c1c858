"""Judge what a task predicts: by the evaluation that it names, or by the numbers that it watches."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

import jetkit.evaluation.classification
import jetkit.evaluation.regression  # noqa: F401 - registers evaluations
from jetkit.data.batch import Batch
from jetkit.data.loader import Loader
from jetkit.errors import JetkitError
from jetkit.evaluation.number import Number
from jetkit.evaluation.result import EVALUATION, Predicted, Result
from jetkit.memory import FreedMemory
from jetkit.progress import Report
from jetkit.registry import entry
from jetkit.tasks.task import Task
from jetkit.training.side_by_side import side_by_side

WATCHED = "watched"
"""What a task names that has no evaluation: the numbers that it watches while it trains."""
FOLDS = 10
"""Parts of the rows that the error of a watched number is estimated from."""
Pair = tuple[Batch, Mapping[str, Tensor]]
Pairs = list[Pair]


def judge(
    task: Task, loader: Loader, *, weighted: bool = False, report: Report, **options: Any
) -> tuple[Result, Predicted]:
    """Return the result of a task on the rows of a loader, and its predictions.

    Of the options those reach the evaluation that it takes; ``weighted`` tells whether the rows have weights.

    Raises:
        JetkitError: the evaluation that the task names is not there, or no row is usable.
    """
    evaluation = None if task.result == WATCHED else evaluation_of(task.result)
    if evaluation is None:
        pairs = list(_one_by_one(task, loader, report))
        return watched(task, pairs), joined(pairs)
    predicted = replace(joined(predictions(task, loader, report)), weighted=weighted, classes=classes_of(task))
    return evaluation(predicted, **_asked(evaluation, options)), predicted


def evaluation_of(kind: str) -> Callable[..., Result]:
    """Return the registered evaluation of a kind.

    Raises:
        JetkitError: there is none.
    """
    found: Callable[..., Result] = entry(kind, EVALUATION).cls
    return found


def classes_of(task: Task) -> dict[str, tuple[str, ...]]:
    """Return the classes of each target that a head of the task predicts as a class."""
    known = {name: task.spec.targets[name] for name in task.heads if name in task.spec.targets}
    return {name: one.classes for name, one in known.items() if one.kind == "class" and not one.of}


def reevaluate(kind: str, predicted: Predicted, **options: Any) -> Result:
    """Return the result of given predictions; of the options those reach the evaluation that it takes."""
    evaluation = evaluation_of(kind)
    return evaluation(predicted, **_asked(evaluation, options))


def _asked(evaluation: Callable[..., Result], options: Mapping[str, Any]) -> dict[str, Any]:
    known = inspect.signature(evaluation).parameters
    return {name: value for name, value in options.items() if name in known}


def predictions(task: Task, loader: Loader, report: Report) -> Iterator[Pair]:
    """Yield all batches of a loader, each with its predictions; a batch in each thread.

    Only what is needed to judge a row is kept of the batches: targets, weights and places.
    """
    task.eval()
    memory = FreedMemory()

    @torch.inference_mode()
    def predict(batch: Batch) -> Pair:
        return batch.replace(sets={}, links={}, arrays={}), dict(task.predict(batch))

    for done, pair in enumerate(side_by_side(predict, loader), start=1):
        yield pair
        report(done, len(loader), "predict")
        memory.after_step()


@torch.inference_mode()
def _one_by_one(task: Task, loader: Loader, report: Report) -> Iterator[Pair]:
    """Batches with their predictions, in their order, for tasks that watch the batches themselves."""
    task.eval()
    for done, batch in enumerate(loader, start=1):
        yield batch, dict(task.predict(batch))
        report(done, len(loader), "predict")


def joined(pairs: Iterable[Pair]) -> Predicted:
    """Return the predictions of all rows in the order of the dataset; those that are no value per row are left out.

    Raises:
        JetkitError: there are no rows.
    """
    parts: dict[str, list[Tensor]] = {}
    uneven: set[str] = set()
    for batch, found in pairs:
        assert batch.index.row is not None
        own = {f"target.{name}": value for name, value in batch.targets.items()}
        own |= {f"value.{name}": value for name, value in found.items()}
        for name, value in {"row": batch.index.row, "weight": batch.weight, **own}.items():
            parts.setdefault(name, []).append(value)
            if value.ndim == 0 or len(value) != len(batch) or value.shape[1:] != parts[name][0].shape[1:]:
                uneven.add(name)
    if not parts:
        raise JetkitError("there are no usable rows to evaluate: train with other fractions, or give data=")
    order = torch.cat(parts["row"]).argsort()
    arrays = {name: torch.cat(kept)[order].cpu().numpy() for name, kept in parts.items() if name not in uneven}
    values, targets = (
        {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
        for start in ("value.", "target.")
    )
    return Predicted(values, targets, arrays["weight"], arrays["row"])


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
