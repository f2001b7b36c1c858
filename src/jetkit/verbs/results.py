"""From run folders to what the report page shows."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from jetkit.errors import JetkitError
from jetkit.evaluation.classification import CLASSIFICATION
from jetkit.evaluation.judged import Judged
from jetkit.models.model import MODELS
from jetkit.progress import Report, silent
from jetkit.registry import entry
from jetkit.reporting.pretraining_page import Pretraining
from jetkit.reporting.tagger_result import TaggerResult
from jetkit.store.model_file import MODEL, model_path, read_model
from jetkit.store.options import RunOptions, flat
from jetkit.store.run_folder import read_log, run_folders, run_options
from jetkit.tasks.task import TASK
from jetkit.training.recipes import train_options
from jetkit.verbs.evaluation import EvaluateOptions, evaluate_run

PLAIN = re.compile(r"[\w@%+=:,./\[\]-]+")
"""Words that stand in a line of a shell as they are."""


def tagger_result(path: str | Path, options: EvaluateOptions | None = None, report: Report = silent) -> TaggerResult:
    """A run, or the runs of one training with several seeds, evaluated where that was not done yet.

    Raises:
        JetkitError: as `evaluate_run`.
    """
    folders = run_folders(path)
    result = result_of(Path(path).name, folders, options, report)
    if len(folders) == 1 or Path(path).is_file():
        return result
    return replace(result, command=command(run_options(folders[0]), path, len(folders)))


def result_of(
    name: str,
    folders: Sequence[Path],
    options: EvaluateOptions | None = None,
    report: Report = silent,
) -> TaggerResult:
    """Runs that differ by their seed, under a name, with the command of the first.

    Raises:
        JetkitError: as `evaluate_run`.
    """
    runs = [evaluate_run(folder, options, report) for folder in folders]
    first = runs[0]
    if first.result.kind != CLASSIFICATION:
        raise JetkitError(
            f"{first.run} names no classes: jetkit evaluate {first.run} gives its numbers, a report has none yet"
        )
    model, card = read_model(model_path(first.run))
    return TaggerResult(
        name=name,
        model=card.model,
        paper=entry(card.model, MODELS).paper,
        parameters=model.size,
        trainings=tuple(run.training for run in runs),
        options=_shown(first.options) if first.options else {},
        command=card.training.get("command") or (command(first.options, first.run, 1) if first.options else ""),
        dataset=card.data,
    )


def judged(path: str | Path, options: EvaluateOptions | None = None, report: Report = silent) -> Judged:
    """Return a run, or the runs of one training with several seeds, with results of any kind.

    Raises:
        JetkitError: as `evaluate_run`.
    """
    runs = [evaluate_run(folder, options, report) for folder in run_folders(path)]
    model, card = read_model(model_path(runs[0].run))
    own = runs[0].options
    return Judged(
        name=Path(path).stem,
        model=card.model,
        task=card.task,
        paper=entry(card.model, MODELS).paper,
        parameters=model.size,
        results=tuple(run.result for run in runs),
        logs=tuple(read_log(run.run) if run.options else [] for run in runs),
        dataset=card.data,
        command=command(own, path, len(runs)) if own else "",
    )


def command(options: RunOptions, path: str | Path, seeds: int) -> str:
    """Return the line that trains this again.

    Example:
        >>> command(train_options("efp-linear", data="data/top", epochs=3), "runs/efp", seeds=1)
        'jetkit train efp-linear data=data/top epochs=3 out=runs/efp'
    """
    name = options.model.name
    given: dict[str, Any] = {"data": options.data.path}
    usual = flat(train_options(name, **given))
    if options.start.file:
        usual, name = flat(train_options(start=options.start.file, **given)), f"start={options.start.file}"
    elif options.task.name != usual["task"]:
        name += f" task={options.task.name}"
        usual = flat(train_options(options.model.name, task=options.task.name, **given))
    own = flat(options)
    left = ("model", "hyperparameters", "task", "method", "parts", "data", "out", "seeds", "start")
    changed = {key: value for key, value in own.items() if key not in left and value != usual[key]}
    groups = {"model": "hyperparameters", "task": "method"}
    for group, key in groups.items():
        given_here = {one: value for one, value in own[key].items() if value != usual[key].get(one)}
        changed |= {f"{group}.{one}": value for one, value in given_here.items()}
    parts = dict(options.parts)
    changed |= {"tokeniser": parts.pop("tokeniser")} if "tokeniser" in parts else {}
    changed |= ({"parts": parts} if parts else {}) | {"out": str(path)} | ({"seeds": seeds} if seeds > 1 else {})
    words = [*name.split(" "), f"data={options.data.path}", *(f"{one}={word(value)}" for one, value in changed.items())]
    return " ".join(["jetkit train", *(one if PLAIN.fullmatch(one) else shlex.quote(one) for one in words)])


def pretraining(path: str | Path) -> Pretraining:
    """Return a run of a pretraining method, as its page shows it.

    Raises:
        JetkitError: there is no run, or it has no finished epoch.
    """
    folder = Path(path)
    options = run_options(folder)
    model, card = read_model(folder / MODEL)
    log, jets = read_log(folder), card.data["jets"]
    return Pretraining(
        name=folder.name,
        method=options.task.name,
        paper=entry(options.task.name, TASK).paper,
        model=card.model,
        parameters=model.size,
        dataset=card.data["name"],
        jets=(jets["train"], jets["validation"]),
        probed=probed_jets(options.task.name, jets["validation"]),
        log=log,
        seconds=log[-1]["seconds"],
        command=command(options, folder, 1),
    )


def probed_jets(task: str, validation: int) -> int:
    """Return how many jets the probe of a method is tested on: every other one, without their twins.

    Example:
        >>> probed_jets("p-jepa", 100), probed_jets("rs3l", 100)
        (50, 25)
    """
    return validation // (4 if entry(task, TASK).cls.needs.pairs else 2)


def word(value: Any) -> str:
    """A value of an option as the command line takes it.

    Example:
        >>> word((0.2, 0.1)), word(True), word(1e-3), word({"hit": ["hit_x"]})
        ('[0.2,0.1]', 'true', '0.001', '{hit: [hit_x]}')
    """
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {word(part)}' for key, part in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(word(part) for part in value)}]"
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def words_of(options: Any, defaults: Any, *groups: str) -> list[str]:
    """The options that differ from the defaults, as words; those of a group are written ``GROUP.NAME=VALUE``.

    Example:
        >>> from jetkit.verbs.cost_options import CostOptions
        >>> words_of(CostOptions(threads=2), CostOptions())
        ['threads=2']
    """
    given, usual = asdict(options), asdict(defaults)
    own = [f"{name}={word(value)}" for name, value in given.items() if name not in groups and value != usual[name]]
    return own + [f"{group}.{name}={word(value)}" for group in groups for name, value in given[group].items()]


def _shown(options: RunOptions) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in flat(options).items()}
