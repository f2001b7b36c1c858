"""Checkpoints, from which an interrupted training resumes bit for bit."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from jetkit.errors import JetkitError
from jetkit.nn.ema import Average
from jetkit.store.tensor_file import read_tensors, write_tensors

NAME = "checkpoint.safetensors"
VERSION = 2
"""Version of the names of tensors and options; a checkpoint of another version cannot be resumed."""


@dataclass
class Progress:
    """Progress of a training."""

    step: int = 0
    epoch: int = 0
    loader: dict[str, Any] = field(default_factory=dict)
    """Position in the data; see `Loader.state_dict`."""
    sums: dict[str, float] = field(default_factory=dict)
    """Terms of the loss, summed over the steps of this epoch."""
    steps: int = 0
    """Number of steps in ``sums``."""
    rate: float = 0.0
    """Learning rate of the last step."""
    best: float | None = None
    best_epoch: int = 0
    log: list[dict[str, Any]] = field(default_factory=list)
    """One record per finished epoch."""
    seconds: float = 0.0
    """Time spent on training steps and validation, in seconds."""
    finished: bool = False
    precision: dict[str, Any] = field(default_factory=dict)
    """State of the loss scale, for precisions that have one."""


def save(
    folder: Path, model: nn.Module, optimiser: Optimizer, average: Average | None, progress: Progress, run: str
) -> None:
    """Write everything on which the next step depends to the run folder.

    Random numbers are functions of seed and step, so they need no storage. ``run`` is the hash of the options and data
    of the training.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    header: dict[str, Any] = {**_header(progress, run)}
    numbers: dict[str, Any] = {}
    for index, state in optimiser.state_dict()["state"].items():
        for name, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"optimiser.{index}.{name}"] = value
            else:
                numbers[f"{index}.{name}"] = value
    header["optimiser"] = numbers
    if average is not None:
        tensors |= {f"average.{name}": value for name, value in average.weights.items()}
        header["average"] = average.steps
    write_tensors(folder / NAME, tensors, header)


def restore(folder: Path, model: nn.Module, optimiser: Optimizer, average: Average | None, run: str) -> Progress | None:
    """Restore model, optimiser, averaged weights and progress from a run folder; return None without a checkpoint.

    Raises:
        JetkitError: the checkpoint is damaged, or belongs to other options or data.
    """
    path = folder / NAME
    if not path.exists():
        return None
    tensors, header = read_tensors(path)
    _refuse_other(folder, header, run)
    try:
        model.load_state_dict(_part(tensors, "model."))
        _fill(optimiser, _part(tensors, "optimiser."), header["optimiser"])
        if average is not None:
            average.load(_part(tensors, "average."), header["average"])
        return Progress(**header["progress"])
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise JetkitError(f"{path} was written by another jetkit: give another out=, or remove the folder") from error


def save_finished(folder: Path, progress: Progress, run: str) -> None:
    """Write the final progress of a fit that has no steps to resume, such as boosting or counting."""
    write_tensors(folder / NAME, {}, _header(progress, run))


def progress_of(folder: Path, run: str) -> Progress | None:
    """Return the progress of a training from its run folder; None without a checkpoint.

    Raises:
        JetkitError: the checkpoint is damaged, or belongs to other options or data.
    """
    if not (folder / NAME).exists():
        return None
    header = read_tensors(folder / NAME)[1]
    _refuse_other(folder, header, run)
    return Progress(**header["progress"])


def _header(progress: Progress, run: str) -> dict[str, Any]:
    return {"format": "jetkit checkpoint", "version": VERSION, "run": run, "progress": asdict(progress)}


def _refuse_other(folder: Path, header: dict[str, Any], run: str) -> None:
    if header.get("version") != VERSION:
        raise JetkitError(
            f"{folder} was trained by an earlier jetkit, which this one cannot go on with: evaluate and report it as "
            "it is, or give another out="
        )
    if header.get("run") != run:
        raise JetkitError(
            f"{folder} holds a training with other options or data: give another out=, or remove the folder"
        )


def _fill(optimiser: Optimizer, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
    """Restore the optimiser's state of each weight; its parameter groups follow from the options."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**tensors, **numbers}.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
