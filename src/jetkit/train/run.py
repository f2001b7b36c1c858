"""From options to a run folder: data, model, optimiser, loop, model file, scores."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch

import jetkit.models  # noqa: F401 - registers the models
from jetkit import __version__
from jetkit.config import build
from jetkit.data.cloud import Cloud, CloudSpec
from jetkit.data.dataset import Dataset
from jetkit.data.loader import Loader
from jetkit.data.twins import PAIR
from jetkit.errors import JetkitError, require
from jetkit.models.high_level import HighLevelTagger
from jetkit.models.tagger import ENCODED, Tagger
from jetkit.nn.shared_batch_norm import share_statistics
from jetkit.registry import create, entry, hyperparameters
from jetkit.tasks.classify import Classify
from jetkit.tasks.supervised_attention import SupervisedAttention
from jetkit.tasks.task import Task
from jetkit.train import checkpoint
from jetkit.train.adapting import FROZEN, PRETRAINED, AdaptOptions, frozen_encoding, plain_weights, rate_groups, started
from jetkit.train.boosting import boost
from jetkit.train.checkpoint import Progress, mix
from jetkit.train.data_parts import Parts, data_hash, shard_names, split_data
from jetkit.train.ema import Average
from jetkit.train.files import write_bytes
from jetkit.train.labels import refuse_unlabelled
from jetkit.train.loop import Report, Training, fit, number_type, start, write_log
from jetkit.train.memory import keep_freed_memory
from jetkit.train.model_file import MODEL, ModelCard, save_model
from jetkit.train.observables import Batches, WithObservables, compute
from jetkit.train.optimisers import decay_groups, make_optimiser
from jetkit.train.options import TrainOptions
from jetkit.train.pretraining import PRETEXT, UNLABELLED, PretrainOptions, parents_of, pretext_of
from jetkit.train.shuffled_labels import relabelled, require_event_id
from jetkit.train.topics import find_topics
from jetkit.train.weights import ClassWeights, KinematicWeights, class_weights, kinematic_weights

FIRST = 100
"""Batches that a task may look at before the training begins."""
AT_ONCE: dict[str, Callable[..., Progress]] = {"boosting": boost, "counting": find_topics}
"""How a model learns → what trains it in one go, with no step to resume at."""


def train(options: TrainOptions, report: Report = lambda done, total, what: None) -> list[Path]:
    """Train a model for each seed; returns the run folders, one a seed.

    A folder has ``model.safetensors`` (the best epoch), ``log.jsonl``, ``run.json`` and ``checkpoint.safetensors``. A
    training that was stopped goes on where it was; one that is finished is left alone. With ``lr="auto"`` the learning
    rate is that of `jetkit.train.finder`, the same each time.

    Raises:
        JetkitError: data, options or hyperparameters do not fit, or the loss is not finite.
    """
    if options.lr == "auto" and entry(options.model).cls.learns_by == "gradient":
        from jetkit.train.finder import find_learning_rate

        options = replace(options, lr=find_learning_rate(options, report).suggestion)
    folders = []
    for number in range(options.seeds):
        own = replace(options, seed=options.seed + number, seeds=1)
        folder = options.folder / f"seed-{own.seed}" if options.seeds > 1 else options.folder
        train_one(replace(own, out=str(folder)), report)
        folders.append(folder)
    return folders


def train_one(options: TrainOptions, report: Report) -> Progress:
    """Train one model into the folder ``options.out``."""
    if entry(options.model).cls.learns_by == "members":
        raise JetkitError(f"{options.model} is made of trained models: jetkit ensemble RUN RUN … method=stack")
    if entry(options.model).cls.learns_by in AT_ONCE:
        return train_at_once(options, report)
    fabric = make_fabric(options)
    keep_freed_memory()
    with threads_of(options.threads):
        training, card = assemble(options, fabric, report)
        progress = start(training)
        if fabric.global_rank == 0 and not progress.finished:
            for leftover in options.folder.glob(".*.partial"):
                leftover.unlink()
            write_run(options, card, training.run)
        if not progress.finished:
            compute(training.train, training.validation)
        return fit(training, progress)


def train_at_once(options: TrainOptions, report: Report) -> Progress:
    """Train one model in one go into the folder ``options.out``; one that is there already is left alone.

    Raises:
        JetkitError: data, options or hyperparameters do not fit, or the folder holds another training.
    """
    parts = split_data(options)
    refuse_unlabelled(parts.train)
    refuse_unlabelled(parts.validation)
    card = model_card(options, parts)
    run = _run_hash(options, card)
    finished = checkpoint.progress_of(options.folder, run)
    if finished is not None:
        return finished
    model = create(options.model, parts.train.spec(options.features), options.hyperparameters)
    weight, prepare = _weight(parts.train, options), _preparation(parts, options)
    with threads_of(options.threads):
        progress = AT_ONCE[model.learns_by](model, *loaders(parts, options), options, report, weight, prepare)
    write_run(options, card, run)
    save_model(options.folder / MODEL, model, replace(card, training={"options": recorded(options)}))
    write_log(options.folder, progress)
    checkpoint.save_finished(options.folder, progress, run)
    return progress


def assemble(options: TrainOptions, fabric: Any, report: Report) -> tuple[Training, ModelCard]:
    """Data, model and optimiser as the options ask for, ready to start."""
    parts = split_data(options)
    if not isinstance(options, PretrainOptions):
        refuse_unlabelled(parts.train)
        refuse_unlabelled(parts.validation)
    prepare = _preparation(parts, options)
    torch.manual_seed(weights_seed(options))
    model = create(options.model, cloud_spec(parts.train, options), options.hyperparameters)
    parents = _parents(model, options, parts)
    batches = _known_once(model, loaders(parts, options, fabric.global_rank, fabric.world_size), parts, options, report)
    task = _task(model, parts, options)
    task.prepare(prepare(cloud) for cloud in islice(_batches(parts.train, options, seed=options.seed), FIRST))
    fused = fabric.device.type == "cpu"
    optimiser = make_optimiser(options.optimiser, _groups(task, options), options.rate, fused)
    if isinstance(options, PretrainOptions):
        share_statistics(task)
    wrapped, optimiser = fabric.setup(task, optimiser)
    card = replace(model_card(options, parts), parents=parents)

    def keep_best(progress: Progress) -> None:
        done = {"options": recorded(options), "epoch": progress.epoch}
        save_model(options.folder / MODEL, plain_weights(model), replace(card, training=done))

    training = Training(
        fabric=fabric,
        task=wrapped,
        optimiser=optimiser,
        average=Average(task, options.ema) if options.ema is not None else None,
        train=batches[0],
        validation=batches[1],
        prepare=prepare,
        options=options,
        folder=options.folder,
        run=_run_hash(options, card),
        keep_best=keep_best,
        report=report if fabric.global_rank == 0 else lambda done, total, what: None,
    )
    return training, card


def _known_once(
    model: Any, loaders_: tuple[Loader, Loader], parts: Parts, options: TrainOptions, report: Report
) -> tuple[Batches, Batches]:
    """The batches, with what is the same for a jet in every epoch, where there is such."""
    if isinstance(model, HighLevelTagger):
        compute, name = model.observables, HighLevelTagger.OBSERVABLES
    elif isinstance(options, AdaptOptions) and options.mode in FROZEN:
        compute, name = partial(frozen_encoding, model), ENCODED
    else:
        return loaders_
    train, validation = (
        WithObservables(
            loader, _batches(part, options, shuffle=False), compute, name, passes, number_type(options), report
        )
        for loader, part, passes in zip(loaders_, (parts.train, parts.validation), (options.passes, 1), strict=True)
    )
    return train, validation


def _groups(task: Task, options: TrainOptions) -> list[dict[str, Any]]:
    """Parameters that learn alike."""
    if isinstance(options, AdaptOptions):
        return rate_groups(task.model, options)
    return decay_groups(task.named_parameters(), options.weight_decay)


def weights_seed(options: TrainOptions) -> int:
    """Of the weights at the start; a pretrained encoder may not meet the head again that it began its training with."""
    pretrained = isinstance(options, AdaptOptions) and options.mode in PRETRAINED
    return mix(options.seed, 1) if pretrained else options.seed


def _parents(model: Any, options: TrainOptions, parts: Parts) -> list[str]:
    """Hashes of the files that the model is made from, of which it takes over what it begins with."""
    if isinstance(options, AdaptOptions):
        return started(model, options, parts.train)
    return parents_of(options) if isinstance(options, PretrainOptions) else []


def _task(model: Any, parts: Parts, options: TrainOptions) -> Task:
    """What the model is to learn."""
    if isinstance(options, PretrainOptions):
        return pretext_of(model, options)
    return labelled_task(model, smoothing=options.smoothing, weight=_weight(parts.train, options))


def labelled_task(model: Tagger, **options: Any) -> Classify:
    """To name the classes of jets, and whatever else the model learns from their truth; options as of `Classify`."""
    kind: type[Classify] = SupervisedAttention if model.truths else Classify
    return kind(model, **options)


def loaders(parts: Parts, options: TrainOptions, rank: int = 0, world: int = 1) -> tuple[Loader, Loader]:
    """Batches for training (shuffled by the seed, shared among processes) and validation (all, in each process)."""
    if options.passes > 1 and PAIR in parts.train.columns:
        raise JetkitError("jets that come as twins are seen once an epoch: leave passes= out")
    jets = parts.train.repeated(options.passes) if options.passes > 1 else parts.train
    train = _batches(jets, options, seed=options.seed, rank=rank, world_size=world)
    return train, _batches(parts.validation, options)


def _batches(dataset: Dataset, options: TrainOptions, **order: int) -> Loader:
    targets = ("row", "event_id") if options.labels == "shuffled" else ("row",)
    targets += entry(options.model).cls.truths
    twins = isinstance(options, PretrainOptions) and entry(options.pretext, PRETEXT).cls.twins
    cut = {"features": options.features, "length": options.length, "batch": options.batch, "twins": twins}
    return dataset.batches(targets=targets, **cut, **order)


def cloud_spec(dataset: Dataset, options: TrainOptions) -> CloudSpec:
    """What the model is told of the clouds; a backbone of jets without classes has a head that nobody trains."""
    spec = dataset.spec(options.features)
    if isinstance(options, PretrainOptions) and len(spec.classes) < 2:
        return replace(spec, classes=UNLABELLED)
    return spec


def model_card(options: TrainOptions, parts: Parts) -> ModelCard:
    """The header of the model file, before any result."""
    dataset = parts.train
    return ModelCard(
        model=options.model,
        hyperparameters=hyperparameters(options.model, options.hyperparameters),
        spec=cloud_spec(dataset, options).to_dict(),
        preprocessing={"features": options.features, "length": options.length},
        data={
            "name": dataset.card.name,
            "sha256": data_hash(dataset),
            "jets": parts.sizes,
            "shards": shard_names(dataset),
            "fractions": list(options.fractions),
        },
    )


def recorded(options: TrainOptions) -> dict[str, Any]:
    """Options as plain values, without those that change no result."""
    return {name: value for name, value in asdict(options).items() if name not in ("out", "checkpoint", "seeds")}


def _run_hash(options: TrainOptions, card: ModelCard) -> str:
    text = json.dumps([recorded(options), card.data, card.spec, __version__, *card.parents], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _weight(dataset: Dataset, options: TrainOptions) -> ClassWeights | KinematicWeights | None:
    if options.reweight == "classes":
        return class_weights(dataset)
    if options.reweight == "kinematics":
        return kinematic_weights(dataset)
    return None


def _preparation(parts: Parts, options: TrainOptions) -> Callable[[Cloud], Cloud]:
    """What is done to every cloud."""
    if options.labels == "true":
        return lambda cloud: cloud
    require_event_id(parts.train)
    return partial(relabelled, classes=len(parts.train.classes))


def make_fabric(options: TrainOptions) -> Any:
    """Fabric for the devices that the options ask for; under torchrun, for the processes that it started.

    Raises:
        JetkitError: this machine has no such devices or precision.
    """
    fabric_module = require("lightning_fabric")
    world = int(os.environ.get("WORLD_SIZE", options.devices * options.nodes))
    devices = int(os.environ.get("LOCAL_WORLD_SIZE", options.devices))
    try:
        fabric = fabric_module.Fabric(
            accelerator=options.accelerator,
            devices=devices,
            num_nodes=world // devices,
            strategy=_strategy(options) if world > 1 else "auto",
            precision=options.precision,
        )
    except Exception as error:  # of many kinds, all of which mean the same
        asked = f"accelerator={options.accelerator}, devices={devices}, precision={options.precision}"
        raise JetkitError(f"{asked} cannot be had here: {' '.join(str(error).split())[:200]}") from error
    fabric.launch()
    if world > 1:
        atexit.unregister(_close_exchange)
        atexit.register(_close_exchange)
    return fabric


def _close_exchange() -> None:
    """End the exchange of processes while Python still runs: its threads may hold tensors, and abort later."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _strategy(options: TrainOptions) -> str:
    """How processes share gradients; a method may leave parts of a backbone alone, such as its head."""
    return "ddp_find_unused_parameters_true" if isinstance(options, PretrainOptions) else "ddp"


@contextmanager
def threads_of(count: int | None) -> Iterator[None]:
    """Within, torch uses so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def rebuilt(values: dict[str, Any]) -> TrainOptions:
    """Options from the mapping that a run folder keeps, of the kind that it was.

    Raises:
        ConfigError: it is not one.
    """
    kind = PretrainOptions if "pretext" in values else AdaptOptions if "start" in values else TrainOptions
    return build(kind, values, "the run")


def write_run(options: TrainOptions, card: ModelCard, run: str) -> None:
    """Write ``run.json``: options, data and versions; `run` is the hash of options and data."""
    content = {
        "format": "jetkit run",
        "options": asdict(options),
        "data": card.data,
        "hash": run,
        "jetkit": __version__,
        "torch": torch.__version__,
    }
    write_bytes(options.folder / "run.json", json.dumps(content, indent=1).encode())
