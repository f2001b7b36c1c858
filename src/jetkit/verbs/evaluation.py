"""Evaluate the models of run folders."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from jaxtyping import Int
from pydantic import Field
from pydantic.dataclasses import dataclass as checked_dataclass

from jetkit.data.atomic import write_bytes
from jetkit.data.batch import LABEL
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.fingerprint import data_hash
from jetkit.data.spec import TargetSpec
from jetkit.errors import JetkitError
from jetkit.evaluate.result import Predicted, Result
from jetkit.evaluate.summary import Evaluation, evaluate
from jetkit.progress import Report, silent
from jetkit.registry import entry
from jetkit.store.model_file import MODEL, annotate, ask_for_plugins, read_card, read_model
from jetkit.store.options import RunOptions, option
from jetkit.store.run_folder import run_options
from jetkit.store.tensor_file import weights_hash, write_tensors
from jetkit.tasks.task import TASK
from jetkit.train.data_parts import split_data
from jetkit.train.scores import Scores, load_scores, save_scores, score
from jetkit.train.shuffled_labels import random_labels
from jetkit.verbs.judging import judge

SCORES = "scores.safetensors"
EVALUATION = "evaluation.json"
PREDICTIONS = "predictions.safetensors"
RESULT = "result.json"


@checked_dataclass(frozen=True)
class EvaluateOptions:
    """On which jets, and which numbers."""

    data: Annotated[str, option("another dataset than that of the training")] = ""
    part: Annotated[Literal["test", "val", "train", "all"], option("part of the dataset; all: only with data=")] = (
        "test"
    )
    comparisons: Annotated[
        tuple[str, ...] | None,
        option("such as [Hbb vs QCD, Tbqq+Tbl vs QCD]; default: each class against the first"),
    ] = None
    efficiencies: Annotated[
        tuple[Annotated[float, Field(gt=0, le=1)], ...], option("signal efficiencies of 1/ε_B")
    ] = (0.3, 0.5)  # fmt: skip
    batch: Annotated[int, option("jets scored at once", ge=1)] = 128
    replicas: Annotated[int, option("of the bootstrap", ge=2)] = 200
    seed: Annotated[int, option("of the bootstrap", ge=0)] = 0

    def __post_init__(self) -> None:
        if self.part == "all" and not self.data:
            raise JetkitError("part=all would count jets that the model was trained on: give data= as well")


@dataclass(frozen=True)
class RunResult:
    """A run folder and what its model does on jets that it has not seen."""

    folder: Path
    options: RunOptions
    scores: Scores
    evaluation: Evaluation


def report_as(name: str, report: Report, done: int, total: int, what: str) -> None:
    """Report a step with the name of what is at work."""
    report(done, total, f"{what} {name}")


def evaluate_run(folder: Path, options: EvaluateOptions | None = None, report: Report = silent) -> RunResult:
    """Score the jets and evaluate them; what was scored before is not scored again.

    Writes ``scores.safetensors`` and ``evaluation.json``, and the numbers into the header of the model file.

    Raises:
        JetkitError: the run is not there or not finished, or the data do not fit the model.
    """
    options = options or EvaluateOptions()
    trained = run_options(folder)
    if result_kind(folder) != "classification":
        raise JetkitError(
            f"{folder} names no classes: jetkit evaluate {folder} gives its numbers, a report has none yet"
        )
    dataset, scores = scores_of(folder, options, report)
    evaluation = evaluate(
        scores.logits.astype(float),
        scores.label if trained.data.labels == "true" else _shuffled(scores, dataset),
        scores.classes,
        comparisons=options.comparisons,
        efficiencies=options.efficiencies,
        replicas=options.replicas,
        seed=options.seed,
        weight=scores.weight,
    )
    record = {"card": scores.card, "evaluation": evaluation.to_dict()}
    write_bytes(folder / EVALUATION, json.dumps(record, indent=1).encode())
    annotate(folder / MODEL, metrics=summary(evaluation) | {"selection": scores.card["selection"]})
    return RunResult(folder, trained, scores, evaluation)


def result_kind(folder: Path) -> str:
    """Return the evaluation that judges the task of a run.

    Raises:
        JetkitError: the run has no finished epoch, or a damaged model file.
    """
    _refuse_unfinished(folder)
    card = read_card(folder / MODEL)
    ask_for_plugins(card, folder / MODEL)
    found: str = entry(card.task, TASK).cls.result if card.task else "pretraining"
    return found


def judge_run(folder: Path, options: EvaluateOptions | None = None, report: Report = silent) -> Result:
    """Judge what the task of a run predicts of rows that it has not seen, whatever the task is.

    Writes ``predictions.safetensors`` and ``result.json``, and the numbers into the header of the model file.

    Raises:
        JetkitError: the run is not there or not finished, holds a bare model, or the data do not fit.
    """
    options = options or EvaluateOptions()
    kind = result_kind(folder)
    if kind == "pretraining":
        raise JetkitError(f"{folder} holds a pretrained backbone, which predicts nothing: jetkit report {folder}")
    dataset, task, card = _jets(run_options(folder), options), *read_model(folder / MODEL)
    needs = task.needs_of(card.task_options)
    named = {name: _kind_of(one) for name, one in card.spec_of.targets.items() if name != LABEL}
    batching = {"targets": named, "links": [f"{a}_{b}" for a, b in card.spec_of.links], "twins": needs.pairs}
    loader = dataset.batches(batch=options.batch, **card.preprocessing, **batching)
    result, predicted = judge(task, loader, replicas=options.replicas, seed=options.seed, report=report)
    provenance = {
        "model": card.model,
        "task": card.task,
        "weights_sha256": weights_hash(folder / MODEL),
        "data_sha256": data_hash(dataset),
        "selection": list(dataset.history),
    }
    result = replace(result, provenance=provenance)
    _save_predictions(folder / PREDICTIONS, predicted, provenance)
    write_bytes(folder / RESULT, json.dumps(result.to_dict(), indent=1).encode())
    numbers = {name: number.to_dict() for name, number in result.numbers.items()}
    annotate(folder / MODEL, metrics=numbers | {"selection": provenance["selection"]})
    return result


def _kind_of(one: TargetSpec) -> Any:
    """How a target was told to the loader."""
    return list(one.classes) if one.kind == "class" else one.kind


def _save_predictions(path: Path, predicted: Predicted, provenance: dict[str, Any]) -> None:
    arrays = {f"value.{name}": values for name, values in predicted.values.items()}
    arrays |= {f"target.{name}": values for name, values in predicted.targets.items()}
    arrays |= {"weight": predicted.weight, "row": predicted.row}
    tensors = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in arrays.items()}
    write_tensors(path, tensors, {"format": "jetkit predictions", "provenance": provenance})


def _refuse_unfinished(folder: Path) -> None:
    if not (folder / MODEL).is_file():
        raise JetkitError(f"{folder} has no finished epoch yet: go on with the same jetkit train command")


def summary(evaluation: Evaluation) -> dict[str, Any]:
    """The main numbers with their errors, as plain values."""
    numbers = {"accuracy": evaluation.accuracy, "auc": evaluation.auc}
    numbers |= {f"1/ε_B {one.comparison} @ {one.efficiency:g}": one.value for one in evaluation.rejections}
    return {name: number.to_dict() for name, number in numbers.items()}


def _jets(trained: RunOptions, options: EvaluateOptions) -> Dataset:
    if options.data and options.part == "all":
        return open_dataset(options.data)
    if options.data:
        part: Literal["test", "val", "train"] = options.part  # type: ignore[assignment]
        return open_dataset(options.data).split(part, trained.data.fractions)
    parts = split_data(trained)
    jets = {"test": parts.test, "val": parts.validation, "train": parts.train}[options.part]
    if not len(jets):
        raise JetkitError(f"the {options.part} share of {trained.data.path} is empty: train with other fractions")
    return jets


def _shuffled(scores: Scores, dataset: Dataset) -> Int[np.ndarray, " B"]:
    """The random labels that a control was trained on."""
    event_id = np.asarray(dataset.read(["event_id"])["event_id"])
    return random_labels(event_id[scores.row], len(scores.classes))


def scores_of(folder: Path, options: EvaluateOptions, report: Report) -> tuple[Dataset, Scores]:
    """Jets, and scores of them: from the folder if they are of this model and these jets, else new ones.

    Raises:
        JetkitError: as `evaluate_run`.
    """
    _refuse_unfinished(folder)
    dataset = _jets(run_options(folder), options)
    path = folder / (SCORES if options.part == "test" else f"scores-{options.part}.safetensors")
    if path.is_file():
        stored = load_scores(path)
        same = {
            "weights_sha256": weights_hash(folder / MODEL),
            "data_sha256": data_hash(dataset),
            "selection": list(dataset.history),
        }
        if same.items() <= stored.card.items():
            return dataset, stored
    scores = score(folder / MODEL, dataset, batch=options.batch, report=report)
    save_scores(path, scores)
    return dataset, scores
