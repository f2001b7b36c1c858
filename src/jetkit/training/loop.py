"""The training loop; it calls the task only for its loss and its predictions."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from jetkit.data.batch import Batch
from jetkit.errors import JetkitError
from jetkit.memory import FreedMemory
from jetkit.nn.ema import Average
from jetkit.progress import STOP, Report
from jetkit.store import checkpoint
from jetkit.store.checkpoint import Progress
from jetkit.store.options import RunOptions
from jetkit.store.run_folder import write_log
from jetkit.store.tensor_file import write_tensors
from jetkit.tasks.task import Losses, Task
from jetkit.training.cached import Batches
from jetkit.training.machine import number_type
from jetkit.training.schedules import schedule
from jetkit.training.seeds import set_random_state

BETTER: dict[str, Callable[[float, float], bool]] = {
    "max": lambda new, old: new > old,
    "min": lambda new, old: new < old,
    "last": lambda new, old: True,
}
"""Selection rule → function that compares a number with the previous best, and returns True if it is better."""


@dataclass
class Training:
    """Objects of a training: task, data, optimiser and options; built by `jetkit.training.assembly`."""

    fabric: Any
    door: Any
    """The task as wrapped by Fabric, called as ``door(lambda task: task.loss(batch))``."""
    optimiser: Any
    """The optimiser as wrapped by Fabric."""
    average: Average | None
    train: Batches
    validation: Batches
    prepare: Callable[[Batch], Batch]
    """Function applied to every batch before the task sees it."""
    options: RunOptions
    run: str
    """Hash of options and data."""
    keep_best: Callable[[Progress], None]
    """Function that writes the model file of the best epoch."""
    report: Report

    @property
    def task(self) -> Task:
        """The task itself."""
        found: Task = self.door.module.task
        return found

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.options.folder

    @property
    def selected(self) -> tuple[str, str]:
        """Metric that selects the best epoch, and the rule: max, min, or the last epoch."""
        name = self.options.optim.select or self.task.selects or next(iter(self.task.metrics))
        return ("loss", "last") if name == "last" else (name, self.task.metrics[name])


def start(training: Training) -> Progress:
    """Restore the progress of a training from its run folder, or begin a new one.

    Raises:
        JetkitError: the run folder holds another training, or not all processes see it.
    """
    task, fabric = training.task, training.fabric
    progress = checkpoint.restore(training.folder, task, training.optimiser, training.average, training.run)
    progress = progress or Progress(loader=training.train.state_dict())
    if fabric.broadcast(progress.step) != progress.step:
        raise JetkitError(f"not all processes see {training.folder}: give an out= that all machines share")
    training.train.load_state_dict(progress.loader)
    _log(training, progress)
    fabric.strategy.precision.load_state_dict(progress.precision)
    return progress


def fit(training: Training, progress: Progress) -> Progress:
    """Train until the last epoch, or until ``patience`` epochs bring no improvement.

    Raises:
        JetkitError: the loss is not finite; the batch is saved and the message names its file.
        KeyboardInterrupt: `jetkit.progress.STOP` was requested; a checkpoint has been written.
    """
    optim = training.options.optim
    with STOP.heeding():
        if training.task.baseline and not progress.step and not progress.log:
            progress.log.append(_log_line(progress, _watched(training)))
        while progress.epoch < optim.epochs and not progress.finished:
            _epoch(training, progress)
            _validate(training, progress)
            patience = optim.patience or optim.epochs
            progress.finished = progress.epoch == optim.epochs or progress.epoch - progress.best_epoch >= patience
            _save(training, progress)
            _log(training, progress)
            if shared(training.fabric, [STOP.requested])[0]:
                raise KeyboardInterrupt
    return progress


def _epoch(training: Training, progress: Progress) -> None:
    """Train for the rest of one epoch."""
    optim, fabric = training.options.optim, training.fabric
    steps, rates = len(training.train), schedule(optim.schedule)
    saved = begun = time.monotonic()
    memory = FreedMemory()
    training.door.train()
    for batch in training.train:
        set_random_state(training.options.seed, fabric.global_rank, progress.step)
        epoch = progress.epoch + progress.steps / steps
        progress.rate = optim.rate * rates(epoch, optim.epochs)
        late = time.monotonic() - saved > training.options.machine.checkpoint
        parts, stop, save = _step(training, batch, progress, (STOP.requested, late))
        memory.after_step()
        progress.step, progress.steps = progress.step + 1, progress.steps + 1
        training.task.after_step((progress.epoch + progress.steps / steps) / optim.epochs)
        progress.sums = {name: progress.sums.get(name, 0.0) + value for name, value in parts.items()}
        training.report(progress.epoch * steps + progress.steps, optim.epochs * steps, "train")
        if stop or save:
            now = time.monotonic()
            progress.seconds, begun, saved = progress.seconds + now - begun, now, now
            _save(training, progress)
        if stop:
            raise KeyboardInterrupt
    progress.seconds += time.monotonic() - begun


def _step(
    training: Training, batch: Batch, progress: Progress, wishes: tuple[bool, bool]
) -> tuple[dict[str, float], bool, bool]:
    """Make one step; return the loss terms, and flags to stop and to save that agree in all processes."""
    here = prepared(training, batch)
    losses: Losses = training.door(lambda task: task.loss(here))
    finite = math.isfinite(losses.total.item())
    parts = {name: value.item() for name, value in losses.parts.items()}
    broken, stop, save, *sums = shared(training.fabric, [not finite, *wishes, *parts.values()])
    if broken:
        _stop_at_nan(training, batch, progress, finite)
    set_rates(training.optimiser, progress.rate, progress.epoch)
    descend(training.fabric, training.door, training.optimiser, losses.total, training.options.optim.clip)
    if training.average is not None:
        training.average.update(training.task)
    means = [value / training.fabric.world_size for value in sums]
    return dict(zip(parts, means, strict=True)), stop > 0, save > 0


def set_rates(optimiser: Any, rate: float, epoch: float = math.inf) -> None:
    """Set the rate of each parameter group: its factor times ``rate``, and 0 before its first epoch."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group.get("factor", 1.0) * (epoch >= group.get("begins", 0))


def descend(fabric: Any, task: Any, optimiser: Any, loss: Tensor, clip: float | None) -> None:
    """Compute the gradient of the loss, and make one step of the optimiser."""
    optimiser.zero_grad()
    fabric.backward(loss)
    if clip is not None:
        fabric.clip_gradients(task, optimiser, max_norm=clip, error_if_nonfinite=False)
    optimiser.step()


def rehearse(training: Training, batch: Batch, rate: float) -> Tensor:
    """Make one step at this learning rate without recording it, and return the loss."""
    here = prepared(training, batch)
    losses: Losses = training.door(lambda task: task.loss(here))
    set_rates(training.optimiser, rate)
    descend(training.fabric, training.door, training.optimiser, losses.total, training.options.optim.clip)
    return losses.total.detach()


def prepared(training: Training, batch: Batch) -> Batch:
    """Return a batch prepared for the task: on the device, in the precision of the training."""
    return training.prepare(batch).to(device=training.fabric.device, dtype=number_type(training.options.machine))


def shared(fabric: Any, numbers: Sequence[float]) -> list[float]:
    """Sum each number over the processes."""
    if fabric.world_size == 1:
        return [float(number) for number in numbers]
    total: Tensor = fabric.all_reduce(torch.tensor(numbers, dtype=torch.float64, device=fabric.device), reduce_op="sum")
    return total.tolist()


def _validate(training: Training, progress: Progress) -> None:
    """Compute metrics on the validation jets, log them, and write the model file if this epoch is the best."""
    begun, (name, way) = time.monotonic(), training.selected
    averaged = training.average.applied(training.task) if training.average is not None else nullcontext()
    with averaged:
        numbers = _watched(training)
        progress.epoch += 1
        _refuse_nan(numbers, progress)
        progress.seconds += time.monotonic() - begun
        progress.log.append(_log_line(progress, numbers))
        if name not in numbers:
            raise JetkitError(f"this training tells no {name} of the validation jets: choose select= of loss or last")
        value = numbers[name]
        if progress.best is None or BETTER[way](value, progress.best):
            progress.best, progress.best_epoch = value, progress.epoch
            if training.fabric.global_rank == 0:
                training.keep_best(progress)
    progress.sums, progress.steps = {}, 0


def _watched(training: Training) -> dict[str, float]:
    """Compute metrics on the validation jets that agree in all processes."""
    numbers: dict[str, float] = training.fabric.broadcast(training.task.watch(_predictions(training)))
    return numbers


@torch.no_grad()
def _predictions(training: Training) -> Iterator[tuple[Batch, Mapping[str, Tensor]]]:
    """Yield the validation batches, in the same order each time, with the predictions of the task.

    Several processes predict in turn, one batch each, and exchange their predictions.
    """
    fabric = training.fabric
    training.door.eval()
    training.validation.rewind()
    batches = iter(training.validation)
    while group := [prepared(training, batch) for batch in islice(batches, fabric.world_size)]:
        mine = group[min(fabric.global_rank, len(group) - 1)]
        found: Mapping[str, Tensor] = training.door(lambda task, mine=mine: task.predict(mine))
        if len(group) == 1:
            yield mine, found
            continue
        sent = {name: value.cpu() for name, value in found.items()}
        for owner, batch in enumerate(group):
            yield batch, fabric.to_device(fabric.broadcast(sent, src=owner))


def _log_line(progress: Progress, numbers: Mapping[str, float]) -> dict[str, Any]:
    return {
        "epoch": progress.epoch,
        "step": progress.step,
        "lr": progress.rate,
        "seconds": round(progress.seconds, 3),
        "train": {name: value / progress.steps for name, value in progress.sums.items()},
        "validation": dict(numbers),
    }


def _save(training: Training, progress: Progress) -> None:
    progress.loader = training.train.state_dict()
    progress.precision = training.fabric.strategy.precision.state_dict()
    if training.fabric.global_rank == 0:
        task, optimiser = training.task, training.optimiser
        checkpoint.save(training.folder, task, optimiser, training.average, progress, training.run)
    training.fabric.barrier()


def _log(training: Training, progress: Progress) -> None:
    if training.fabric.global_rank == 0 and progress.log:
        write_log(training.folder, progress.log)


def _stop_at_nan(training: Training, batch: Batch, progress: Progress, finite: bool) -> None:
    """Save the batch with a non-finite loss, and raise an error that names its file."""
    where = f"at step {progress.step} of epoch {progress.epoch + 1}"
    if finite:
        raise JetkitError(f"the loss is not finite {where} in another process, whose message says more")
    path = training.folder / f"not-finite-rank{training.fabric.global_rank}.safetensors"
    write_tensors(path, tensors_in(batch), {"format": "jetkit batch", "step": progress.step})
    raise JetkitError(
        f"the loss is not finite {where}, its batch is in {path}: lower lr, set clip=1, or look for odd values in it"
    )


def tensors_in(batch: Batch) -> dict[str, Tensor]:
    """Return all tensors of a batch by name."""
    found = {"row": batch.row, "weight": batch.weight, **batch.arrays, **batch.targets}
    for name, cloud in batch.sets.items():
        found |= {f"{name}.x": cloud.x, f"{name}.mask": cloud.mask, **cloud.targets}
        found |= {} if cloud.p4 is None else {f"{name}.p4": cloud.p4}
    found |= {f"index.{name}": value for name, value in batch.index._asdict().items() if value is not None}
    return found | {f"{a} to {b}": link for (a, b), link in batch.links.items()}


def _refuse_nan(numbers: Mapping[str, float], progress: Progress) -> None:
    wrong = [name for name, value in numbers.items() if not math.isfinite(value)]
    if wrong:
        raise JetkitError(
            f"{' and '.join(wrong)} of the validation jets after epoch {progress.epoch} is not finite: "
            "lower lr, set clip=1, or look for odd values in the data"
        )
