"""A training stopped anywhere and gone on with, to the last bit."""

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
"""Of the names of tensors and options; others cannot be gone on with."""


@dataclass
class Progress:
    """Where a training stands."""

    step: int = 0
    epoch: int = 0
    loader: dict[str, Any] = field(default_factory=dict)
    """Position in the data."""
    sums: dict[str, float] = field(default_factory=dict)
    """Parts of the loss, summed over this epoch's steps."""
    steps: int = 0
    """Steps in those sums."""
    rate: float = 0.0
    """Learning rate of the last step."""
    best: float | None = None
    best_epoch: int = 0
    log: list[dict[str, Any]] = field(default_factory=list)
    """A line for each finished epoch."""
    seconds: float = 0.0
    """Time spent on training steps and validation."""
    finished: bool = False
    precision: dict[str, Any] = field(default_factory=dict)
    """State of the scale of the loss, where the precision has one."""


def save(
    folder: Path, model: nn.Module, optimiser: Optimizer, average: Average | None, progress: Progress, run: str
) -> None:
    """Write all that the next step depends on; random numbers are functions of seed and step and need no place.

    ``run`` is the hash of the options and data that the checkpoint belongs to.
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
    """Go back to the checkpoint of a run folder; None if there is none.

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
    """Write where a training ended that has no steps to resume, such as boosting or counting."""
    write_tensors(folder / NAME, {}, _header(progress, run))


def progress_of(folder: Path, run: str) -> Progress | None:
    """Where the training of a run folder stands; None if there is no checkpoint.

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
    """Put back the state that an optimiser has of each weight; its groups follow from the options."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**tensors, **numbers}.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
