"""Assembly of a training from its options: data, model, task and optimiser."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import torch

from jetkit import __version__
from jetkit.data.batch import LABEL, Batch
from jetkit.data.dataset import Dataset
from jetkit.data.fingerprint import data_hash, shard_names
from jetkit.data.known_labels import refuse_unlabelled
from jetkit.data.loader import Loader
from jetkit.data.spec import Needs, Spec
from jetkit.data.twins import PAIR
from jetkit.errors import JetkitError
from jetkit.models.model import MODELS, Encoder, Model
from jetkit.nn.ema import Average
from jetkit.nn.shared_batch_norm import share_statistics
from jetkit.progress import Report, silent
from jetkit.registry import create, entry, hyperparameters
from jetkit.store.checkpoint import Progress
from jetkit.store.model_file import MODEL, ModelCard, load_model, model_path, save_model, tensors_of
from jetkit.store.options import RunOptions
from jetkit.store.tensor_file import weights_hash
from jetkit.tasks.task import TASK, Task
from jetkit.training.cached import Batches, Cached
from jetkit.training.data_parts import Parts, split_data
from jetkit.training.loop import Training
from jetkit.training.machine import Door, number_type
from jetkit.training.optimisers import make_optimiser
from jetkit.training.shuffled_labels import relabelled, require_event_id
from jetkit.training.start import parameter_groups, plain_weights, started, weights_seed
from jetkit.training.weights import KINEMATICS, class_weights, kinematic_weights

FIRST = 100
"""Number of batches that a task may inspect before the training begins."""


@dataclass(frozen=True)
class Data:
    """Training and validation rows, and the preparation of their batches."""

    parts: Parts
    spec: Spec
    batching: dict[str, Any]
    """Options of the loaders."""
    prepare: Callable[[Batch], Batch]
    """Function applied to every batch: labels of a control, weights of classes and spectra."""

    def loaders(self, options: RunOptions, rank: int = 0, world: int = 1) -> tuple[Loader, Loader]:
        """Return loaders for training (shuffled by the seed, shared among processes) and validation."""
        passes = options.optim.passes
        if passes > 1 and PAIR in self.parts.train.columns:
            raise JetkitError("jets that come as twins are seen once an epoch: leave passes= out")
        rows = self.parts.train.repeated(passes) if passes > 1 else self.parts.train
        train = rows.batches(**self.batching, seed=options.seed, rank=rank, world_size=world)
        return train, self.parts.validation.batches(**self.batching)


@dataclass(frozen=True)
class Prepared:
    """Batches of a loader with a function applied to each; it has as many batches as the loader."""

    loader: Loader
    prepare: Callable[[Batch], Batch]

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        return map(self.prepare, self.loader)


def data_of(options: RunOptions) -> Data:
    """Open the data of a training and check them against the needs of model and task, before any row is read.

    Raises:
        JetkitError: the data cannot be opened, lack what is needed, or have rows without a class.
    """
    parts = split_data(options)
    needs = needs_of(options)
    batching = batching_of(options, needs)
    spec = parts.train.spec(**{name: value for name, value in batching.items() if name != "twins"})
    entry(options.model.name, MODELS).cls.needs.refuse(spec, f"the model {options.model.name}")
    needs.refuse(spec, f"the task {options.task.name}")
    if LABEL in needs.targets:
        refuse_unlabelled(parts.train)
        refuse_unlabelled(parts.validation)
    return Data(parts, spec, batching, preparation(parts.train, options))


def needs_of(options: RunOptions) -> Needs:
    """Return the combined data needs of model and task."""
    model, task = entry(options.model.name, MODELS).cls, entry(options.task.name, TASK).cls
    asked: Needs = model.needs | task.needs_of(hyperparameters(options.task.name, options.task.options, TASK))
    return asked


def may_idle(options: RunOptions) -> bool:
    """Return whether a step may leave some parameters without a gradient."""
    model, task = entry(options.model.name, MODELS).cls, entry(options.task.name, TASK).cls
    return bool(model.idle or task.idle)


def batching_of(options: RunOptions, needs: Needs) -> dict[str, Any]:
    """Return the options of the loaders."""
    data = options.data
    targets = dict(data.targets) if isinstance(data.targets, dict) else dict.fromkeys(data.targets)
    more = [*needs.targets, *(KINEMATICS if data.reweight == "kinematics" else ())]
    targets |= {name: None for name in more if name not in targets and name != LABEL}
    arrays = dict(data.arrays) if isinstance(data.arrays, dict) else dict.fromkeys(data.arrays)
    return {
        "features": data.features,
        "row": data.row,
        "length": data.length,
        "batch": options.optim.batch,
        "targets": targets,
        "arrays": arrays | {name: None for name in needs.arrays if name not in arrays},
        "links": tuple(dict.fromkeys([*data.links, *needs.links])),
        "weight": data.weight,
        "event": data.labels == "shuffled",
        "twins": needs.pairs,
    }


def preparation(train: Dataset, options: RunOptions) -> Callable[[Batch], Batch]:
    """Return the function applied to every batch: random labels of a control, weights of classes or spectra."""
    steps: list[Callable[[Batch], Batch]] = []
    if options.data.labels == "shuffled":
        require_event_id(train)
        steps.append(partial(relabelled, classes=len(train.classes)))
    if options.data.reweight != "none":
        weight = class_weights(train) if options.data.reweight == "classes" else kinematic_weights(train)
        steps.append(lambda batch: batch.replace(weight=batch.weight * weight(batch)))

    def prepare(batch: Batch) -> Batch:
        for step in steps:
            batch = step(batch)
        return batch

    return prepare


def assemble(options: RunOptions, fabric: Any, report: Report) -> tuple[Training, ModelCard]:
    """Assemble data, model and optimiser according to the options, ready to start.

    Raises:
        JetkitError: data, options or hyperparameters do not fit.
    """
    data = data_of(options)
    torch.manual_seed(weights_seed(options))
    model: Model = create(options.model.name, data.spec, options.model.options, MODELS)
    model, parents = started(model, options, data.parts.train)
    task, more = make_task(model, data.spec, options)
    train, validation = batches_of(model, data, options, fabric, report)
    first = data.parts.train.batches(**data.batching, seed=options.seed)
    kind = number_type(options.machine)
    task.prepare(data.prepare(batch).to(dtype=kind) for batch in islice(first, FIRST))
    groups = parameter_groups(task, options)
    optimiser = make_optimiser(options.optim.optimiser, groups, options.optim.rate, fabric.device.type == "cpu")
    if task.shares_statistics:
        share_statistics(task)
    wrapped, optimiser = fabric.setup(Door(task), optimiser)
    card = replace(model_card(options, data), parents=[*parents, *more])

    def keep_best(progress: Progress) -> None:
        done = {"options": options.recorded, "epoch": progress.epoch}
        save_model(options.folder / MODEL, tensors_of(task, plain_weights(task.model)), replace(card, training=done))

    training = Training(
        fabric=fabric,
        door=wrapped,
        optimiser=optimiser,
        average=Average(task, options.optim.ema) if options.optim.ema is not None else None,
        train=train,
        validation=validation,
        prepare=data.prepare,
        options=options,
        run=run_hash(options, card),
        keep_best=keep_best,
        report=report if fabric.global_rank == 0 else silent,
    )
    return training, card


def make_task(model: Model, spec: Spec, options: RunOptions) -> tuple[Task, list[str]]:
    """Create the task, and return it with the hashes of the trained models that it uses.

    Raises:
        JetkitError: options, model or parts do not fit, or a part cannot be read.
    """
    paths = {name: model_path(path) for name, path in options.parts.items()}
    parts = {name: load_model(path) for name, path in paths.items()}
    known = entry(options.task.name, TASK).cls.__init__.__kwdefaults__ or {}
    if parts and "parts" not in known:
        raise JetkitError(f"the task {options.task.name} has no use for a {next(iter(parts))}: leave it out")
    objects = {"parts": parts} if parts else {}
    task: Task = create(options.task.name, (model, spec), options.task.options, TASK, **objects)
    return task, [weights_hash(path) for path in paths.values()]


def batches_of(model: Model, data: Data, options: RunOptions, fabric: Any, report: Report) -> tuple[Batches, Batches]:
    """Return batches for training and validation; quantities that stay the same in every epoch are computed once."""
    loaders = data.loaders(options, fabric.global_rank, fabric.world_size)
    if not (isinstance(model, Encoder) and model.precomputes):
        return loaders
    kind = number_type(options.machine)
    rows = ((data.parts.train, options.optim.passes), (data.parts.validation, 1))
    train, validation = (
        Cached(loader, part.batches(**data.batching, shuffle=False), model.precomputed, passes, kind, report)
        for loader, (part, passes) in zip(loaders, rows, strict=True)
    )
    return train, validation


def model_card(options: RunOptions, data: Data) -> ModelCard:
    """Return the header of the model file, before any results."""
    train = data.parts.train
    model, task = entry(options.model.name, MODELS), entry(options.task.name, TASK)
    preprocessing = {"features": options.data.features, "length": options.data.length}
    arrays = {name: list(shape) for name, shape in data.spec.arrays.items()}
    more = {"row": options.data.row, "arrays": arrays, "weight": options.data.weight}
    preprocessing |= {name: value for name, value in more.items() if value}
    return ModelCard(
        model=model.name,
        hyperparameters=hyperparameters(options.model.name, options.model.options, MODELS),
        kind=model.kind,
        task=task.name if task.cls.result != "pretraining" else "",
        task_options=hyperparameters(options.task.name, options.task.options, TASK),
        plugins=plugins_of(model, task),
        spec=data.spec.to_dict(),
        preprocessing=preprocessing,
        data={
            "name": train.card.name,
            "sha256": data_hash(train),
            "jets": data.parts.sizes,
            "shards": shard_names(train),
            "fractions": list(options.data.fractions),
        },
    )


def plugins_of(*found: Any) -> list[dict[str, str]]:
    """Return paths and hashes of the users' files that define registered entries."""
    known = [one.plugin for one in found]
    return [{"source": one.source, "sha256": one.sha256} for one in dict.fromkeys(known) if one is not None]


def run_hash(options: RunOptions, card: ModelCard) -> str:
    """Compute the hash of options and data that identifies a run folder."""
    text = json.dumps([options.recorded, card.data, card.spec, __version__, *card.parents], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def run_record(options: RunOptions, card: ModelCard, run: str) -> dict[str, Any]:
    """Return the content of ``run.json``: options, data and versions."""
    values = options.recorded | {"out": options.out, "seeds": options.seeds}
    sources = [one["source"] for one in card.plugins]
    values["plugins"] = list(dict.fromkeys([*options.plugins, *sources]))
    values["machine"]["checkpoint"] = options.machine.checkpoint
    return {
        "format": "jetkit run",
        "options": values,
        "data": card.data,
        "hash": run,
        "jetkit": __version__,
        "torch": torch.__version__,
    }
