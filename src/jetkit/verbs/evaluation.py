"""Evaluate trained models on data that they have not seen."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Int
from pydantic import Field
from pydantic.dataclasses import dataclass as checked_dataclass

from jetkit.data.atomic import write_bytes
from jetkit.data.batch import LABEL
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.fingerprint import data_hash, shard_names
from jetkit.data.loader import Loader
from jetkit.data.spec import TargetSpec
from jetkit.errors import JetkitError
from jetkit.evaluation.classification import CLASSIFICATION
from jetkit.evaluation.result import Predicted, Result
from jetkit.progress import Report, silent
from jetkit.registry import entry
from jetkit.store.model_file import ModelCard, annotate, ask_for_plugins, model_path, read_card, read_model
from jetkit.store.options import option
from jetkit.store.predictions import load_predictions, save_predictions
from jetkit.store.run_folder import run_options
from jetkit.store.tensor_file import weights_hash
from jetkit.tasks.task import TASK, Task
from jetkit.training.data_parts import split_data
from jetkit.training.shuffled_labels import random_labels
from jetkit.verbs.judging import WATCHED, judge, reevaluate
from jetkit.verbs.run import RunResult

PREDICTIONS = "predictions.safetensors"
RESULT = "result.json"
RESULTS = "results"
"""Folder of a run for the results on other data than its own test."""
QUANTITIES = ("jet_pt", "jet_eta", "jet_mass", "jet_sdmass", "jet_nparticles")
"""Columns of the row that are kept beside the predictions where the dataset has them."""
Part = Literal["", "test", "val", "train", "all"]


@checked_dataclass(frozen=True)
class EvaluateOptions:
    """The data to evaluate on, and the numbers to compute."""

    data: Annotated[str, option("another dataset than that of the training")] = ""
    part: Annotated[
        Part,
        option("part of the dataset: test, val, train or all; default: test, or all of data= that is new to the model"),
    ] = ""
    comparisons: Annotated[
        tuple[str, ...] | None,
        option("such as [Hbb vs QCD, Tbqq+Tbl vs QCD]; default: each class against the first"),
    ] = None
    efficiencies: Annotated[
        tuple[Annotated[float, Field(gt=0, le=1)], ...], option("signal efficiencies of 1/ε_B")
    ] = (0.3, 0.5)  # fmt: skip
    batch: Annotated[int, option("rows predicted at once", ge=1)] = 128
    replicas: Annotated[int, option("replicas of the bootstrap", ge=2)] = 200
    seed: Annotated[int, option("seed of the bootstrap", ge=0)] = 0

    def __post_init__(self) -> None:
        if self.part == "all" and not self.data:
            raise JetkitError("part=all would count jets that the model was trained on: give data= as well")

    @property
    def of_evaluation(self) -> dict[str, Any]:
        """What an evaluation may ask for."""
        return {name: getattr(self, name) for name in ("comparisons", "efficiencies", "replicas", "seed")}


def report_as(name: str, report: Report, done: int, total: int, what: str) -> None:
    """Report a step with the name of what is at work."""
    report(done, total, f"{what} {name}")


def evaluate_run(run: str | Path, options: EvaluateOptions | None = None, report: Report = silent) -> RunResult:
    """Evaluate the model of a run folder, or a model file, on rows that it has not seen.

    Writes ``predictions.safetensors`` and ``result.json``: into the run folder for its own test data, whose numbers the
    header of the model file has as well; for other data into a folder below ``results``, named by the data. What was
    predicted before is not predicted again.

    Raises:
        JetkitError: the run is not there or not finished, holds a bare model, or the data do not fit the model.
    """
    run, options = Path(run), options or EvaluateOptions()
    kind = result_kind(run)
    if kind == "pretraining":
        raise JetkitError(f"{run} holds a pretrained backbone, which predicts nothing: jetkit report {run}")
    card, trained = read_card(model_path(run)), None if run.is_file() else run_options(run)
    dataset, part = rows_of(run, options)
    out = place_of(run, dataset, part, options)
    provenance = _provenance(run, card, dataset)
    predicted, result = _stored(out, provenance), None
    if predicted is None or kind == WATCHED:
        result, predicted = _judged(run, dataset, provenance, options, report)
        save_predictions(out / PREDICTIONS, predicted)
    if trained is not None and trained.data.labels != "true":
        label = _shuffled(predicted, dataset)
        predicted, result = replace(predicted, targets={**predicted.targets, predicted.class_target: label}), None
    result = result or reevaluate(kind, predicted, **options.of_evaluation)
    result = replace(result, provenance={**predicted.card, **provenance})
    write_bytes(out / RESULT, json.dumps(result.to_dict(), indent=1).encode())
    if out == run:
        numbers = {name: number.to_dict() for name, number in result.numbers.items()}
        annotate(model_path(run), metrics=numbers | {"selection": provenance["selection"]})
    return RunResult(run, out, trained, predicted, result)


def predict_run(run: str | Path, options: EvaluateOptions | None = None, report: Report = silent) -> Predicted:
    """Return the predictions of `evaluate_run`, without judging them.

    Raises:
        JetkitError: as `evaluate_run`.
    """
    run, options = Path(run), options or EvaluateOptions()
    dataset, part = rows_of(run, options)
    card = read_card(model_path(run))
    out, provenance = place_of(run, dataset, part, options), _provenance(run, card, dataset)
    predicted = _stored(out, provenance)
    if predicted is None:
        predicted = _judged(run, dataset, provenance, options, report)[1]
        save_predictions(out / PREDICTIONS, predicted)
    return predicted


def result_kind(run: Path) -> str:
    """Return the evaluation that judges the task of a run.

    Raises:
        JetkitError: the run has no finished epoch, or a damaged model file.
    """
    path = model_path(run)
    card = read_card(path)
    ask_for_plugins(card, path)
    found: str = entry(card.task, TASK).cls.result if card.task else "pretraining"
    return found


def place_of(run: Path, dataset: Dataset, part: str, options: EvaluateOptions) -> Path:
    """Return the folder for results: the run itself for its own test, else one named by the data and their part."""
    folder = run.with_suffix("") if run.is_file() else run
    if options.data:
        return folder / RESULTS / f"{dataset.card.name}-{part}-{data_hash(dataset)[:8]}"
    return folder if part == "test" else folder / RESULTS / part


def _provenance(run: Path, card: ModelCard, dataset: Dataset) -> dict[str, Any]:
    return {
        "model": card.model,
        "task": card.task,
        "weights_sha256": weights_hash(model_path(run)),
        "data": dataset.card.name,
        "data_sha256": data_hash(dataset),
        "selection": list(dataset.history),
    }


def _stored(out: Path, provenance: dict[str, Any]) -> Predicted | None:
    """Predictions of the same weights for the same rows, where they are there."""
    if not (out / PREDICTIONS).is_file():
        return None
    stored = load_predictions(out / PREDICTIONS)
    return stored if provenance.items() <= stored.card.items() else None


def _judged(
    run: Path, dataset: Dataset, provenance: dict[str, Any], options: EvaluateOptions, report: Report
) -> tuple[Result, Predicted]:
    """Predictions of the task in a model file for a dataset, with the columns that are kept, and their result."""
    task, card = read_model(model_path(run))
    if isinstance(task, Task) and task.result == CLASSIFICATION and list(dataset.classes) != card.classes:
        raise JetkitError(
            f"{model_path(run)} knows the classes {', '.join(card.classes)}, "
            f"{dataset.card.name} has {', '.join(dataset.classes)}: score other data, or train a model on these"
        )
    begun = time.monotonic()
    kept = tuple(name for name in QUANTITIES if name in dataset.columns and name not in card.spec_of.targets)
    result, predicted = judge(
        task,
        _loader(task, card, dataset, kept, options),
        weighted="weight" in card.preprocessing,
        report=report,
        **options.of_evaluation,
    )
    targets = {name: array for name, array in predicted.targets.items() if name not in kept}
    columns = {name: predicted.targets[name].astype(np.float64) for name in kept if name in predicted.targets}
    return result, replace(
        predicted,
        targets=targets,
        columns=columns,
        card={**provenance, "seconds": time.monotonic() - begun},
    )


def _loader(task: Task, card: ModelCard, dataset: Dataset, kept: tuple[str, ...], options: EvaluateOptions) -> Loader:
    needs = task.needs_of(card.task_options)
    named = {name: _kind_of(one) for name, one in card.spec_of.targets.items() if name != LABEL}
    batching: dict[str, Any] = {
        "targets": named | dict.fromkeys(kept, "real"),
        "links": [f"{a}_{b}" for a, b in card.spec_of.links],
        "twins": needs.pairs,
    }
    return dataset.batches(batch=options.batch, **card.preprocessing, **batching)


def _kind_of(one: TargetSpec) -> Any:
    """The kind of a target as the loader takes it."""
    return list(one.classes) if one.kind == "class" else one.kind


def rows_of(run: str | Path, options: EvaluateOptions) -> tuple[Dataset, str]:
    """Return the rows to evaluate on, and the name of their part.

    Another dataset counts whole where no shard of it was in the training, else its test part alone.

    Raises:
        JetkitError: the data cannot be opened or are empty, or a model file has no data to go with.
    """
    card, trained = read_card(model_path(run)), None if Path(run).is_file() else run_options(Path(run))
    if options.data:
        dataset = open_dataset(options.data)
        known = set(card.data.get("shards", [])) & set(shard_names(dataset))
        part = options.part or ("test" if known else "all")
        if part == "all":
            return dataset, part
        return (dataset.split(part, trained.data.fractions) if trained else dataset.split(part)), part
    if trained is None:
        raise JetkitError(f"{run} is a model file without the data of its training: give data=")
    part = options.part or "test"
    parts = split_data(trained)
    jets = {"test": parts.test, "val": parts.validation, "train": parts.train}[part]
    if not len(jets):
        raise JetkitError(f"the {part} share of {trained.data.path} is empty: train with other fractions")
    return jets, part


def _shuffled(predicted: Predicted, dataset: Dataset) -> Int[np.ndarray, " R"]:
    """The random labels that a control was trained on."""
    event_id = np.asarray(dataset.read(["event_id"])["event_id"])
    return random_labels(event_id[predicted.row], len(predicted.classes[predicted.class_target]))
