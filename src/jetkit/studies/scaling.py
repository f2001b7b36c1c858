"""Scaling laws of a tagger: its loss against its size and the jets that it is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from jetkit.config import ConfigError, parse
from jetkit.errors import JetkitError
from jetkit.evaluation.cross_entropy import cross_entropy
from jetkit.evaluation.power_law import VALUES, fit_power_law
from jetkit.models.model import MODELS
from jetkit.progress import Report, silent
from jetkit.registry import create, entry, hyperparameters
from jetkit.reporting.scaling_page import Run, Study, write_page
from jetkit.store.model_file import MODEL, read_model
from jetkit.store.options import RunOptions, option
from jetkit.store.run_folder import read_log
from jetkit.training.data_parts import split_data
from jetkit.training.recipes import gathered, train_options
from jetkit.training.run import train
from jetkit.verbs.evaluation import EvaluateOptions, predict_run, report_as
from jetkit.verbs.results import words_of

Width = int | tuple[int, ...]
LISTS = ("widths", "sizes", "hyperparameter")
"""Options that may be written without brackets."""
OWN = {
    "model": "RECIPE", "hyperparameters": "model.NAME=", "data": "data=", "out": "out=", "train_jets": "sizes=",
    "seed": "seed=", "seeds": "seeds=",
}  # fmt: skip
"""Option of a training → what sets it here."""


@dataclass(frozen=True)
class ScalingOptions:
    """Which sizes of a tagger, on how many jets."""

    data: Annotated[str, option("folder of a dataset, or Parquet files")]
    widths: Annotated[tuple[Width, ...], option("values of the hyperparameter; three or more")] = (16, 32, 64, 128)
    hyperparameter: Annotated[
        tuple[str, ...], option("what the widths are of, such as width or phi,f; one that is a list has it throughout")
    ] = ("width",)
    sizes: Annotated[
        tuple[Annotated[int, Field(ge=1)], ...],
        option("numbers of training jets; three or more, a smaller set is part of a larger one"),
    ] = (1000, 3000, 10_000)
    seeds: Annotated[
        int, option("trainings of each, with seed, seed + 1, …; with several the errors are theirs", ge=1)
    ] = 1
    seed: Annotated[int, option("of the first training", ge=0)] = 1
    replicas: Annotated[int, option("of the bootstrap of the fit", ge=2)] = 200
    out: Annotated[str, option("folder to write; default: scaling/RECIPE")] = ""
    model: Annotated[dict[str, Any], option("hyperparameters of all; written model.NAME=VALUE")] = Field(
        default_factory=dict
    )
    train: Annotated[dict[str, Any], option("options of all trainings; written train.NAME=VALUE")] = Field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        for name in ("widths", "sizes"):
            count = len(set(getattr(self, name)))
            if count < VALUES:
                raise JetkitError(f"a power law needs {VALUES} different {name} or more, got {count}: add to {name}=")
        for name in sorted(OWN.keys() & self.train):
            raise JetkitError(f"train.{name} is set by {OWN[name]} here: use that")


def scaling(recipe: str, options: ScalingOptions, report: Report = silent) -> Path:
    """Train a tagger in all widths on all numbers of jets, fit L(N, D) to the test losses; returns the page.

    Goes on where it stopped. The test jets are the same for all.

    Raises:
        JetkitError: an unknown tagger, option or hyperparameter, widths that the tagger cannot have, too few jets, or a
            folder that holds other trainings.
    """
    out = Path(options.out or f"scaling/{Path(recipe).stem}")
    wanted = trainings(recipe, options, out / "runs")
    runs = [
        _run(width, training, partial(report_as, f"{training.folder.name} ({number} of {len(wanted)})", report))
        for number, (width, training) in enumerate(wanted, start=1)
    ]
    points = np.array([(run.parameters, run.jets, run.loss.value) for run in runs]).T
    fit = fit_power_law(*points, replicas=options.replicas)
    first = wanted[0][1]
    study = Study(
        model=first.model.name,
        paper=entry(first.model.name, MODELS).paper,
        hyperparameter=", ".join(options.hyperparameter),
        dataset=read_model(first.folder / MODEL)[1].data.get("name") or options.data,
        epochs=first.optim.epochs,
        runs=tuple(runs),
        fit=fit,
        command=" ".join(["jetkit scaling", recipe, *words_of(options, ScalingOptions(data=""), "model", "train")]),
    )
    return write_page(study, out)


def trainings(recipe: str, options: ScalingOptions, out: Path) -> list[tuple[str, RunOptions]]:
    """The width in words and the options of each training, checked before anything is trained."""
    base = train_options(recipe, hyperparameters=options.model, **{**options.train, "data": options.data})
    if entry(base.model.name, MODELS).kind not in ("encoder", "generator"):
        raise JetkitError(f"{base.model.name} does not learn by gradients, epoch by epoch: give a network, such as pfn")
    parts = split_data(base.changed(train_jets=max(options.sizes)))
    if not len(parts.test):
        raise JetkitError(f"the test share of {base.data.path} is empty: give other train.fractions=")
    spec, found = parts.train.spec(base.data.features), []
    for width in dict.fromkeys(options.widths):
        values = base.model.options | scaled(base, options.hyperparameter, width)
        try:
            create(base.model.name, spec, values, MODELS)
        except ConfigError:
            raise
        except JetkitError as error:
            raise JetkitError(f"{error}: give other widths=, or what has to fit them as model.NAME=VALUE") from error
        for jets in dict.fromkeys(options.sizes):
            for seed in range(options.seed, options.seed + options.seeds):
                folder = out / f"{'-'.join(options.hyperparameter)}-{written(width)}-jets-{jets}-seed-{seed}"
                own = base.changed(hyperparameters=values, train_jets=jets, seed=seed, out=str(folder))
                found.append((written(width), own))
    return found


def scaled(base: RunOptions, names: Sequence[str], width: Width) -> dict[str, Any]:
    """Hyperparameters of one width: a number, or, for one that is a list, the number in each place, or the given list.

    Raises:
        ConfigError: the model does not have one of them.

    Example:
        >>> scaled(train_options("pfn", data="data/top"), ["phi", "f"], 32)
        {'phi': [32, 32, 32], 'f': [32, 32, 32]}
        >>> scaled(train_options("part", data="data/top"), ["width"], 32)
        {'width': 32}
    """
    known = hyperparameters(base.model.name, base.model.options, MODELS)
    for name in names:
        if name not in known:
            raise ConfigError(
                f"{base.model.name} has no hyperparameter {name} for widths=: give hyperparameter of {', '.join(known)}"
            )
    if isinstance(width, tuple):
        return {name: list(width) for name in names}
    return {name: [width] * len(known[name]) if isinstance(known[name], tuple) else width for name in names}


def written(width: Width) -> str:
    """A width in words.

    Example:
        >>> written(16), written((100, 256))
        ('16', '100x256')
    """
    return "x".join(map(str, width)) if isinstance(width, tuple) else str(width)


def _run(width: str, training: RunOptions, report: Report) -> Run:
    """The training, done where it was not yet, and its loss on the test jets."""
    (folder,) = train(training, report)
    scores = predict_run(folder, EvaluateOptions(), report)
    model, _ = read_model(folder / MODEL)
    log = read_log(folder)
    assert training.data.train_jets is not None
    return Run(
        width=width,
        parameters=model.size,
        jets=training.data.train_jets,
        epochs=len(log),
        seed=training.seed,
        loss=cross_entropy(scores.logits, scores.label, scores.classes[scores.class_target]),
        seconds=log[-1]["seconds"],
    )


def scaling_options(words: Sequence[str], where: str) -> ScalingOptions:
    """Options from words; ``model.NAME=VALUE`` and ``train.NAME=VALUE`` are those of all trainings.

    Raises:
        ConfigError: an unknown option or a wrong type.

    Example:
        >>> found = scaling_options(["data=top", "widths=8,16,32", "model.heads=2"], "jetkit scaling")
        >>> found.widths, found.model
        ((8, 16, 32), {'heads': 2})
    """
    model, rest = gathered(words, "model", {}, "hyperparameters")
    common, rest = gathered(rest, "train", {}, "options of the trainings")
    return parse(ScalingOptions, [_listed(one) for one in rest], where, {"model": model, "train": common})


def _listed(text: str) -> str:
    """A word whose list has brackets."""
    name, equals, value = text.partition("=")
    return f"{name}=[{value}]" if name in LISTS and equals and not value.startswith("[") else text
