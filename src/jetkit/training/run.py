"""Execution of a training from its options to its run folders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch

from jetkit.data.atomic import write_bytes
from jetkit.errors import JetkitError
from jetkit.models.model import MODELS, Estimator, FitOptions
from jetkit.progress import Report, silent
from jetkit.registry import create, entry
from jetkit.store import checkpoint
from jetkit.store.checkpoint import Progress
from jetkit.store.model_file import MODEL, ModelCard, save_model
from jetkit.store.options import RunOptions
from jetkit.store.run_folder import write_log
from jetkit.training.assembly import Prepared, assemble, data_of, make_task, may_idle, model_card, run_hash, run_record
from jetkit.training.cached import compute
from jetkit.training.finder import find_learning_rate
from jetkit.training.loop import fit, start
from jetkit.training.machine import make_fabric, threads_of
from jetkit.training.recipes import train_options


def train(
    what: RunOptions | str = "",
    report: Report = silent,
    words: Sequence[str] = (),
    **values: Any,
) -> list[Path]:
    """Train a model for each seed, and return the run folders, one per seed.

    ``what`` is the name of a model or recipe, with options as keyword arguments, or the options themselves. A run
    folder contains ``model.safetensors`` (the best epoch), ``log.jsonl``, ``run.json`` and ``checkpoint.safetensors``.
    An interrupted training is resumed; a finished one is left unchanged. With ``lr="auto"``, `jetkit.training.finder`
    determines the learning rate, identically each time.

    Raises:
        ConfigError: an unknown name or option, or a wrong type.
        JetkitError: data, options or hyperparameters do not fit, or the loss is not finite.

    Example:
        >>> train("pfn", data="data/top", epoch=3)
        Traceback (most recent call last):
        jetkit.config.ConfigError: unknown option 'epoch' in jetkit train pfn; did you mean epochs?
    """
    options = train_options(what, words, **values) if isinstance(what, str) else what.changed(**values)
    kind = entry(options.model.name, MODELS).kind
    if kind == "ensemble":
        raise JetkitError(f"{options.model.name} is made of trained models: jetkit ensemble RUN RUN … method=stack")
    with torch.random.fork_rng():
        if options.optim.lr == "auto" and kind != "estimator":
            options = options.changed(lr=find_learning_rate(options, report).suggestion)
        one = fit_estimator if kind == "estimator" else train_network
        for each in options.of_each_seed():
            one(each, report)
    return [each.folder for each in options.of_each_seed()]


def train_network(options: RunOptions, report: Report) -> Progress:
    """Train one network into the folder ``options.out``."""
    fabric = make_fabric(options.machine, idle=may_idle(options))
    with threads_of(options.machine.threads):
        training, card = assemble(options, fabric, report)
        progress = start(training)
        if fabric.global_rank == 0 and not progress.finished:
            for leftover in options.folder.glob(".*.partial"):
                leftover.unlink()
            write_run(options, card, training.run)
        if not progress.finished:
            compute(training.train, training.validation)
        return fit(training, progress)


def fit_estimator(options: RunOptions, report: Report) -> Progress:
    """Fit one estimator into the folder ``options.out``; a finished fit is left unchanged.

    Raises:
        JetkitError: data, options or hyperparameters do not fit, or the folder holds another training.
    """
    data = data_of(options)
    card = model_card(options, data)
    run = run_hash(options, card)
    finished = checkpoint.progress_of(options.folder, run)
    if finished is not None:
        return finished
    model = cast(Estimator, create(options.model.name, data.spec, options.model.options, MODELS))
    task, _ = make_task(model, data.spec, options)
    train, validation = (Prepared(loader, data.prepare) for loader in data.loaders(options))
    optim, machine = options.optim, options.machine
    select = optim.select or task.selects or next(iter(task.metrics))
    wanted = FitOptions(options.seed, machine.threads, optim.epochs, optim.patience, select)
    with threads_of(machine.threads):
        found = model.fit(train, validation, wanted, report)
    progress = Progress(
        step=found.steps,
        epoch=found.epochs,
        best=found.best,
        best_epoch=found.best_epoch,
        log=found.log,
        seconds=found.log[-1]["seconds"],
        finished=True,
    )
    write_run(options, card, run)
    save_model(options.folder / MODEL, task, replace(card, training={"options": options.recorded}))
    write_log(options.folder, progress.log)
    checkpoint.save_finished(options.folder, progress, run)
    return progress


def write_run(options: RunOptions, card: ModelCard, run: str) -> None:
    """Write ``run.json``; ``run`` is the hash of options and data."""
    content = run_record(options, card, run)
    write_bytes(options.folder / "run.json", json.dumps(content, indent=1).encode())
