"""Pretrained models adapted to growing numbers of labels, beside the same networks without their pretraining."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import ceil
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass as checked_dataclass

from jetkit.config import parse
from jetkit.errors import JetkitError
from jetkit.progress import Report, silent
from jetkit.reporting.tagger_result import TaggerResult
from jetkit.reporting.transfer_page import Curve, write_page
from jetkit.store.model_file import model_path, read_card
from jetkit.store.options import RunOptions, option
from jetkit.store.run_folder import read_log
from jetkit.studies.simulation import simulated
from jetkit.training.data_parts import refuse_known_jets, split_data
from jetkit.training.recipes import gathered, train_options
from jetkit.training.run import train
from jetkit.training.start import FROZEN, PRETRAINED
from jetkit.verbs.evaluation import EvaluateOptions, report_as
from jetkit.verbs.results import result_of, word, words_of

Mode = Literal["finetune", "freeze", "scratch", "random-freeze"]
VALIDATIONS = 10
"""Of a training, as far as an epoch is not longer than a tenth of it."""


@checked_dataclass(frozen=True)
class TransferOptions:
    """How many labels, in which modes, at what cost."""

    labels: Annotated[tuple[Annotated[int, Field(ge=1)], ...], option("numbers of labelled jets, rising")] = (
        100, 300, 1000, 3000, 10_000,
    )  # fmt: skip
    modes: Annotated[tuple[Mode, ...], option("finetune, freeze, scratch, random-freeze")] = (
        "finetune", "freeze", "scratch", "random-freeze",
    )  # fmt: skip
    seeds: Annotated[int, option("trainings of a point, each with labels of its own", ge=1)] = 3
    rates: Annotated[tuple[Annotated[float, Field(gt=0)], ...], option("learning rates to choose from")] = (
        3e-4, 1e-3, 3e-3,
    )  # fmt: skip
    head_rates: Annotated[tuple[Annotated[float, Field(gt=0)], ...], option("the same where the head alone learns")] = (
        1e-3, 1e-2,
    )  # fmt: skip
    steps: Annotated[tuple[Annotated[int, Field(ge=1)], ...], option("numbers of steps to choose from")] = (200, 1000)
    batch: Annotated[int, option("labelled jets in a step", ge=1)] = 64
    data: Annotated[str, option("folder of a dataset; default: simulate one")] = ""
    jets: Annotated[int, option("jets to simulate", ge=200)] = 60_000
    fractions: Annotated[
        tuple[float, float, float], option("shares of the jets for labels to choose from, validation and test")
    ] = (0.8, 0.05, 0.15)
    out: Annotated[str, option("folder to write; default: transfer/RECIPE")] = ""
    seed: Annotated[int, option("of the simulation and of the first training", ge=0)] = 1
    threads: Annotated[int, option("of each training", ge=1)] = os.cpu_count() or 1
    workers: Annotated[int, option("processes that simulate", ge=1)] = os.cpu_count() or 1
    train: Annotated[dict[str, Any], option("options of all trainings; written train.NAME=VALUE")] = Field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        empty = [name for name in ("labels", "modes", "rates", "head_rates", "steps") if not getattr(self, name)]
        if empty:
            raise JetkitError(f"option {empty[0]} should not be empty")
        if list(self.labels) != sorted(set(self.labels)):
            raise JetkitError(f"labels should rise, got {word(self.labels)}")


@dataclass(frozen=True)
class Subject:
    """A model in a mode."""

    name: str
    start: str
    mode: str
    folder: Path


def transfer(
    models: Sequence[str | Path],
    recipe: str,
    options: TransferOptions | None = None,
    report: Report = silent,
) -> Path:
    """Adapt models to nested, balanced subsets of labels and compare them; returns the page. Goes on where it stopped.

    At each number of labels, in each mode, the learning rate and the steps are those with the best accuracy on the
    validation jets, with the first seed; these jets are the same for all. Networks from scratch are those of the
    pretrained models with random weights, one for each size of network.

    Raises:
        JetkitError: no model, two of one name, too few jets for the labels, or jets of a pretraining in the test.
    """
    options = options or TransferOptions()
    out = Path(options.out or f"transfer/{recipe}")
    data = options.data or str(simulated(recipe, options.jets, options, out / "data", report))
    subjects = list(_subjects([str(model) for model in models], options, out / "runs"))
    training = _training(subjects[0], options, data, options.labels[-1], (options.rates[0], 1), options.seed)
    jets = split_data(training).train
    for model in models:
        refuse_known_jets(read_card(model_path(model)).data, jets, training)
    curves = [_curve(subject, options, data, report) for subject in subjects]
    words = " ".join(
        [
            "jetkit transfer",
            *map(str, models),
            recipe,
            *words_of(options, TransferOptions(), "train"),
        ]
    )
    return write_page(curves, out, command=words, protocol=_protocol(options, curves))


def _subjects(models: Sequence[str], options: TransferOptions, out: Path) -> Iterator[Subject]:
    """Each model in each mode; without its pretraining each network once."""
    if not models:
        raise JetkitError("a transfer needs a pretrained model: jetkit transfer runs/p-jepa jetclass")
    names = [_name(model) for model in models]
    if len(set(names)) < len(names):
        raise JetkitError(f"two models have the name {max(names, key=names.count)}: rename one of the folders")
    networks: dict[str, str] = {}
    for name, model in zip(names, models, strict=True):
        card = read_card(model_path(model))
        network = json.dumps([card.model, card.hyperparameters, card.spec_of.features], sort_keys=True)
        first = networks.setdefault(network, name)
        for mode in options.modes:
            if mode in PRETRAINED:
                yield Subject(f"{name} {mode}", model, mode, out / name / mode)
            elif first == name:
                shown = mode if len(networks) == 1 else f"{mode}, network of {name}"
                yield Subject(shown, model, mode, out / name / mode)


def _name(model: str) -> str:
    path = Path(model)
    return path.name if path.is_dir() else path.parent.name or path.stem


def _curve(subject: Subject, options: TransferOptions, data: str, report: Report) -> Curve:
    results: dict[int, TaggerResult] = {}
    chosen: dict[int, tuple[float, int]] = {}
    for labels in options.labels:
        what = partial(report_as, f"{subject.name}, {labels} labels", report)
        chosen[labels] = _chosen(subject, options, data, labels, what)
        trainings = [
            _training(subject, options, data, labels, chosen[labels], options.seed + number)
            for number in range(options.seeds)
        ]
        folders = [_trained(training, what) for training in trainings]
        results[labels] = result_of(subject.name, folders, EvaluateOptions(), what)
    return Curve(subject.name, subject.mode, results, chosen)


def _chosen(subject: Subject, options: TransferOptions, data: str, labels: int, report: Report) -> tuple[float, int]:
    """Learning rate and steps with the best validation accuracy; of equals the first."""
    rates = options.head_rates if subject.mode in FROZEN else options.rates
    choices = list(product(rates, options.steps))
    if len(choices) == 1:
        return choices[0]

    def accuracy(choice: tuple[float, int]) -> float:
        return _best(_trained(_training(subject, options, data, labels, choice, options.seed), report))

    return max(choices, key=accuracy)


def _training(
    subject: Subject, options: TransferOptions, data: str, labels: int, choice: tuple[float, int], seed: int
) -> RunOptions:
    rate, steps = choice
    epochs, passes = _epochs(labels, steps, options.batch)
    values: dict[str, Any] = {
        "data": data,
        "mode": subject.mode,
        "train_jets": labels,
        "balanced": True,
        "subset": seed,
        "epochs": epochs,
        "passes": passes,
        "batch": options.batch,
        "lr": rate,
        "fractions": options.fractions,
        "seed": seed,
        "threads": options.threads,
        "out": str(subject.folder / f"{labels}-labels" / f"lr{rate:g}-steps{steps}-seed{seed}"),
    }
    return train_options(start=subject.start, **(values | options.train))


def _epochs(labels: int, steps: int, batch: int) -> tuple[int, int]:
    """Epochs, and passes in each, that come nearest to a number of steps.

    Example:
        >>> _epochs(100, 1000, batch=64), _epochs(10_000, 1000, batch=64)
        ((10, 64), (6, 1))
    """
    passes = max(1, round(steps * batch / (VALIDATIONS * labels)))
    return max(1, round(steps / ceil(labels * passes / batch))), passes


def _trained(options: RunOptions, report: Report) -> Path:
    return train(options, report)[0]


def _best(folder: Path) -> float:
    """Highest accuracy on the validation jets."""
    return max(float(line["validation"]["accuracy"]) for line in read_log(folder))


def _protocol(options: TransferOptions, curves: Sequence[Curve]) -> list[str]:
    """How it was done."""
    jets = next(iter(curves[0].results.values())).dataset["jets"]
    rates = f"{_list(options.rates)} (of a head alone {_list(options.head_rates)})"
    cost = f"{_list(options.steps)} steps of {options.batch} jets"
    choices = max(len(options.rates), len(options.head_rates)) * len(options.steps)
    if choices > 1:
        chosen = (
            f"Learning rates of {rates} and {cost} are tried with seed {options.seed}, at each number of labels and in "
            "each mode alike; those with the best accuracy on the validation jets are taken."
        )
    else:
        chosen = f"Each training has the learning rate {rates} and {cost}."
    return [
        f"Labels are balanced subsets, a smaller one part of a larger; each of {options.seeds} seeds has its own.",
        f"Of each training the epoch that is best on {jets['validation']:,} validation jets is kept, whose labels are "
        f"not counted; all numbers are of {jets['test']:,} test jets. Both are the same for all.",
        chosen,
    ]


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def transfer_options(words: Sequence[str]) -> TransferOptions:
    """Options from words; ``train.NAME=VALUE`` is an option of all trainings.

    Raises:
        ConfigError: an unknown option or a wrong type.

    Example:
        >>> transfer_options(["labels=[50,500]", "train.backbone_rate=0.3"]).train
        {'backbone_rate': 0.3}
    """
    common, rest = gathered(words, "train", {}, "options of the trainings")
    return parse(TransferOptions, rest, "jetkit transfer", {"train": common})
