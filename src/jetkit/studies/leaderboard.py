"""Many taggers trained under one budget on the same jets, ranked on one page."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass as checked_dataclass

from jetkit.config import parse
from jetkit.data.batch import Batch
from jetkit.data.dataset import open_dataset
from jetkit.errors import JetkitError
from jetkit.models.model import MODELS, Encoder
from jetkit.progress import Report, silent
from jetkit.registry import Entry, create, entries, entry
from jetkit.reporting.leaderboard_page import Place, write_page
from jetkit.store.model_file import MODEL, read_model
from jetkit.store.options import RunOptions, flat, option
from jetkit.store.run_folder import run_options
from jetkit.studies.ensemble import EnsembleOptions, ensemble
from jetkit.studies.simulation import simulated
from jetkit.training.assembly import assemble
from jetkit.training.data_parts import split_data
from jetkit.training.loop import Training, rehearse
from jetkit.training.machine import make_fabric, threads_of
from jetkit.training.recipes import gathered, train_options
from jetkit.training.run import train
from jetkit.verbs.cost import operations
from jetkit.verbs.evaluation import EvaluateOptions, report_as
from jetkit.verbs.results import tagger_result, words_of

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}
WARM_UP, WATCHED = 3, 10.0
"""Steps before the clock of the speed test runs, and the seconds that it takes."""
PASSES = 3
"""A training step costs about so many passes through a model, a validation step one."""
FEWEST = 1000
"""Fewest jets that a tagger is trained on, however slow it is."""
ENSEMBLES = ("mean", "median", "stack")


@dataclass(frozen=True)
class Allowance:
    """What a training may cost: seconds or epochs."""

    seconds: float | None = None
    epochs: int | None = None


def allowance(text: str) -> Allowance:
    """A budget from its text.

    Raises:
        JetkitError: it is neither a time nor a number of epochs.

    Example:
        >>> allowance("10min"), allowance("5epochs")
        (Allowance(seconds=600.0, epochs=None), Allowance(seconds=None, epochs=5))
        >>> allowance("ten")
        Traceback (most recent call last):
        jetkit.errors.JetkitError: a budget is a time (300s, 10min, 2h) or a number of epochs (5epochs), not 'ten'
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(s|min|h|epochs?)", text)
    if not found or not float(found[1]):
        raise JetkitError(f"a budget is a time (300s, 10min, 2h) or a number of epochs (5epochs), not {text!r}")
    if found[2] in UNITS:
        return Allowance(seconds=float(found[1]) * UNITS[found[2]])
    return Allowance(epochs=max(1, int(float(found[1]))))


@checked_dataclass(frozen=True)
class LeaderboardOptions:
    """Which taggers, on which jets, at what cost."""

    models: Annotated[tuple[str, ...], option("names or recipes of taggers; default: all")] = ()
    budget: Annotated[str, option("of each training: a processor time such as 10min, or epochs such as 5epochs")] = (
        "10min"
    )
    data: Annotated[str, option("folder of a dataset; default: simulate one")] = ""
    jets: Annotated[int, option("jets to simulate", ge=200)] = 62_000
    fractions: Annotated[tuple[float, float, float], option("shares of the jets for training, validation and test")] = (
        0.2,
        0.05,
        0.35,
    )
    features: Annotated[str, option("features of a particle: momentum, kin, kinpid or full")] = "kin"
    ensembles: Annotated[bool, option("also the mean, the median and the stack of all")] = True
    out: Annotated[str, option("folder to write; default: leaderboard/RECIPE")] = ""
    seed: Annotated[int, option("of the simulation and of each training", ge=0)] = 1
    threads: Annotated[int, option("of each training", ge=1)] = os.cpu_count() or 1
    workers: Annotated[int, option("processes that simulate", ge=1)] = os.cpu_count() or 1
    train: Annotated[dict[str, Any], option("options of all trainings; written train.NAME=VALUE")] = Field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        _ = self.allowed

    @property
    def allowed(self) -> Allowance:
        """The budget as a number."""
        return allowance(self.budget)


def leaderboard(recipe: str, options: LeaderboardOptions | None = None, report: Report = silent) -> Path:
    """Train, evaluate and rank taggers; returns the page. Goes on where it stopped.

    With a budget of time, the rate of each training is measured once, and the number of epochs that fit is fixed:
    at most those of its recipe, and where not even one fits, one epoch of fewer jets.

    Raises:
        JetkitError: an unknown tagger, or one that cannot be trained on these jets.
    """
    options = options or LeaderboardOptions()
    out = Path(options.out or f"leaderboard/{recipe}")
    data = options.data or str(simulated(recipe, options.jets, options, out / "data", report))
    wanted, absent = _wanted(options, data, out / "runs")
    runs = []
    for number, training in enumerate(wanted, start=1):
        what = partial(report_as, f"{training.folder.name} ({number} of {len(wanted)})", report)
        runs.append(_trained(training, options.allowed, what))
    together = [_together(method, runs, out / "runs", options, report) for method in ENSEMBLES * options.ensembles]
    places = [_place(run, partial(report_as, run.name, report)) for run in [*runs, *together]]
    command = " ".join(["jetkit leaderboard", recipe, *words_of(options, LeaderboardOptions(), "train")])
    return write_page(places, out, budget=options.budget, command=command, absent=absent)


def _wanted(options: LeaderboardOptions, data: str, out: Path) -> tuple[list[RunOptions], dict[str, str]]:
    """The trainings, and why others, which nobody named, are left out."""
    names = options.models or tuple(one.name for one in entries(MODELS) if _can_classify(one))
    common: dict[str, Any] = {name: getattr(options, name) for name in ("features", "seed", "threads", "fractions")}
    common |= {**options.train, "data": data}
    dataset, found, absent = open_dataset(data), [], {}
    for name in names:
        training = train_options(name, out=str(out / Path(name).stem), **common)
        try:
            create(training.model.name, dataset.spec(training.data.features), training.model.options, MODELS)
        except JetkitError as error:
            if options.models:
                raise
            absent[name] = str(error)
        else:
            found.append(training)
    return found, absent


def _can_classify(one: Entry) -> bool:
    """Whether a model can be trained to name the classes of jets."""
    return one.kind != "ensemble" and issubclass(one.cls, Encoder) and not one.cls.needs.row


def _trained(wanted: RunOptions, allowed: Allowance, report: Report) -> Path:
    """The run folder of a tagger that was trained within the budget."""
    if (wanted.folder / "run.json").is_file():
        started = run_options(wanted.folder)
        _refuse_other(wanted.folder, started, wanted)
        wanted = wanted.changed(epochs=started.optim.epochs, train_jets=started.data.train_jets)
    elif entry(wanted.model.name, MODELS).kind != "estimator":
        wanted = within(wanted, allowed, report)
    train(wanted, report)
    return wanted.folder


def _refuse_other(folder: Path, started: RunOptions, wanted: RunOptions) -> None:
    """Say so where a folder holds a training with other options than those that the budget sets."""
    old, new = flat(started), flat(wanted)
    free = ("out", "checkpoint", "epochs", "train_jets")
    changed = [name for name in old if name not in free and old[name] != new[name]]
    if changed:
        raise JetkitError(
            f"{folder} was trained with other options ({', '.join(changed)}): give another out=, or delete that folder"
        )


def within(options: RunOptions, allowed: Allowance, report: Report = silent) -> RunOptions:
    """The same training with as many epochs, or jets, as the budget allows.

    Networks on observables have all epochs of their recipes, which cost little once the observables are computed.
    """
    if allowed.epochs is not None:
        return options.changed(epochs=allowed.epochs)
    if entry(options.model.name, MODELS).cls.precomputes:
        return options
    assert allowed.seconds is not None
    sizes = split_data(options).sizes
    affordable = int(allowed.seconds * training_rate(options, report))
    epoch = sizes["train"] + sizes["validation"] // PASSES
    if affordable >= epoch:
        return options.changed(epochs=min(options.optim.epochs, affordable // epoch))
    jets = max(affordable - sizes["validation"] // PASSES, FEWEST)
    return options.changed(epochs=1, train_jets=min(jets, sizes["train"]))


def training_rate(options: RunOptions, report: Report = silent) -> float:
    """Training jets per second, from ten seconds of training that leave nothing behind.

    On a processor its own time counts, of each thread, so that other programs on the machine matter little.
    """
    fabric = make_fabric(options.machine)
    on_processor = fabric.device.type == "cpu"
    with threads_of(options.machine.threads):
        training, _ = assemble(options, fabric, report)
        training.door.train()
        threads = torch.get_num_threads()
        begun, jets = 0.0, 0
        for step, batch in enumerate(_again(training)):
            now = time.process_time() / threads if on_processor else time.monotonic()
            if step == WARM_UP:
                begun, jets = now, 0
            if step > WARM_UP and now - begun > WATCHED:
                return jets / (now - begun)
            rehearse(training, batch, options.optim.rate)
            jets += len(batch)
    raise AssertionError("batches come for ever")


def _again(training: Training) -> Iterator[Batch]:
    while True:
        yield from training.train


def _together(method: str, runs: list[Path], out: Path, options: LeaderboardOptions, report: Report) -> Path:
    wanted = EnsembleOptions(method=method, out=str(out / method), seed=options.seed)  # type: ignore[arg-type]
    return ensemble(runs, wanted, partial(report_as, f"{method} of all:", report))


def _place(folder: Path, report: Report) -> Place:
    result = tagger_result(folder, EvaluateOptions(), report)
    trained = run_options(folder)
    kind = entry(result.model, MODELS).kind
    single = kind != "ensemble"
    return Place(
        result,
        single=single,
        epochs=len(result.typical.log) if kind in ("encoder", "generator") else None,
        training_jets=result.dataset["jets"]["train"] if single else None,
        flops=flops(folder, trained) if single else None,
    )


def flops(folder: Path, trained: RunOptions, jets: int = 64) -> float:
    """Operations a jet of the model of a run, on the first jets of the test."""
    model, card = read_model(folder / MODEL)
    return operations(
        model, next(iter(split_data(trained).test.batches(batch=jets, shuffle=False, **card.preprocessing)))
    )


def leaderboard_options(words: Sequence[str], where: str) -> LeaderboardOptions:
    """Options from words; ``train.NAME=VALUE`` is an option of all trainings.

    Raises:
        ConfigError: an unknown option or a wrong type.

    Example:
        >>> leaderboard_options(["budget=5epochs", "train.batch=64"], "jetkit leaderboard").train
        {'batch': 64}
    """
    common, rest = gathered(words, "train", {}, "options of the trainings")
    return parse(LeaderboardOptions, rest, where, {"train": common})
