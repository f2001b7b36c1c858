"""From run folders to what the report page shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from jetkit.registry import entry
from jetkit.report.pretraining_page import Pretraining
from jetkit.report.tagger_result import TaggerResult, Training
from jetkit.studies.evaluation import EvaluateOptions, Report, RunResult, evaluate_run, run_folders, run_options
from jetkit.train.adapting import AdaptOptions
from jetkit.train.loop import read_log
from jetkit.train.model_file import MODEL, read_model
from jetkit.train.options import TrainOptions
from jetkit.train.pretraining import PRETEXT, PretrainOptions, pretrain_options, probed_jets


def tagger_result(
    path: str | Path, options: EvaluateOptions | None = None, report: Report = lambda done, total, what: None
) -> TaggerResult:
    """A run, or the runs of one training with several seeds, evaluated where that was not done yet.

    Raises:
        JetkitError: as `evaluate_run`.
    """
    folders = run_folders(path)
    result = result_of(Path(path).name, folders, options, report)
    if len(folders) == 1:
        return result
    return replace(result, command=command(run_options(folders[0]), path, len(folders)))


def result_of(
    name: str,
    folders: Sequence[Path],
    options: EvaluateOptions | None = None,
    report: Report = lambda done, total, what: None,
) -> TaggerResult:
    """Runs that differ by their seed, under a name, with the command of the first.

    Raises:
        JetkitError: as `evaluate_run`.
    """
    runs = [evaluate_run(folder, options, report) for folder in folders]
    first = runs[0]
    model, card = read_model(first.folder / MODEL)
    return TaggerResult(
        name=name,
        model=card.model,
        paper=entry(card.model).paper,
        parameters=model.size,
        trainings=tuple(_training(run) for run in runs),
        options=_shown(first.options),
        command=card.training.get("command") or command(first.options, first.folder, 1),
        dataset=card.data,
    )


def command(options: TrainOptions, path: str | Path, seeds: int) -> str:
    """The line that trains this again.

    Example:
        >>> command(TrainOptions(model="pfn", data="data/top", epochs=3), "runs/pfn", seeds=1)
        'jetkit train pfn data=data/top epochs=3 out=runs/pfn'
    """
    defaults = asdict(type(options)(model=options.model, data=options.data))
    told = ["model", "hyperparameters", "out", "seeds"]
    words, sizes = ["jetkit train", options.model], options.hyperparameters
    if isinstance(options, AdaptOptions):
        words, sizes = ["jetkit adapt", options.start], {}
        told += ["start", "features", "length"]
    given = {name: value for name, value in asdict(options).items() if name not in told and value != defaults[name]}
    given |= {f"model.{name}": value for name, value in sizes.items()} | {"out": str(path)}
    given |= {"seeds": seeds} if seeds > 1 else {}
    rest = (f"{name}={word(value)}" for name, value in given.items() if name != "data")
    return " ".join([*words, f"data={options.data}", *rest])


def pretraining(path: str | Path) -> Pretraining:
    """A run of a pretraining method, as its page shows it.

    Raises:
        JetkitError: there is no run, or it has no finished epoch.
    """
    folder = Path(path)
    options = run_options(folder)
    assert isinstance(options, PretrainOptions)
    model, card = read_model(folder / MODEL)
    log, jets = read_log(folder), card.data["jets"]
    return Pretraining(
        name=folder.name,
        method=options.pretext,
        paper=entry(options.pretext, PRETEXT).paper,
        model=card.model,
        parameters=model.size,
        dataset=card.data["name"],
        jets=(jets["train"], jets["validation"]),
        probed=probed_jets(options.pretext, jets["validation"]),
        log=log,
        seconds=log[-1]["seconds"],
        command=pretraining_command(options, folder),
    )


def pretraining_command(options: PretrainOptions, path: str | Path) -> str:
    """The line that pretrains this again.

    Example:
        >>> options = pretrain_options("p-jepa", ["data=data/jets", "epochs=3", "method.width=32"])
        >>> pretraining_command(options, "runs/a")
        'jetkit pretrain p-jepa data=data/jets out=runs/a epochs=3 method.width=32'
    """
    usual = pretrain_options(options.pretext, [f"data={options.data}"])
    own, other = (replace(one, hyperparameters={}, method={}) for one in (replace(options, out=str(path)), usual))
    groups = {"model": options.hyperparameters, "method": options.method}
    sizes = [f"{group}.{name}={word(value)}" for group, values in groups.items() for name, value in values.items()]
    return " ".join([f"jetkit pretrain {options.pretext} data={options.data}", *words_of(own, other), *sizes])


def word(value: Any) -> str:
    """A value of an option as the command line takes it.

    Example:
        >>> word((0.2, 0.1)), word(True), word(1e-3)
        ('[0.2,0.1]', 'true', '0.001')
    """
    if isinstance(value, list | tuple):
        return f"[{','.join(word(part) for part in value)}]"
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def words_of(options: Any, defaults: Any, *groups: str) -> list[str]:
    """The options that differ from the defaults, as words; those of a group are written ``GROUP.NAME=VALUE``.

    Example:
        >>> mine, other = (TrainOptions(model="pfn", data="a", seed=seed) for seed in (2, 1))
        >>> words_of(mine, other)
        ['seed=2']
    """
    given, usual = asdict(options), asdict(defaults)
    own = [f"{name}={word(value)}" for name, value in given.items() if name not in groups and value != usual[name]]
    return own + [f"{group}.{name}={word(value)}" for group in groups for name, value in given[group].items()]


def _shown(options: TrainOptions) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(options).items()}


def _training(run: RunResult) -> Training:
    log = read_log(run.folder)
    return Training(
        seed=run.options.seed,
        folder=str(run.folder),
        log=log,
        evaluation=run.evaluation,
        logits=run.scores.logits,
        label=run.scores.label,
        jets=run.scores.jets,
        model_sha256=run.scores.card["weights_sha256"],
        seconds=log[-1]["seconds"],
        score_seconds=run.scores.card.get("seconds"),
    )
