"""Hardware of a training: devices, precision, processes and threads."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from jetkit.errors import JetkitError, require
from jetkit.store.options import MachineOptions
from jetkit.tasks.task import Task


class Door(nn.Module):
    """Wrapper that calls ``door(ask)`` = ``ask(task)``, so that Fabric's precision and gradients reach each method.

    Args:
        task: task to train
    """

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task

    def forward(self, ask: Callable[[Task], Any]) -> Any:
        """Return ``ask(task)``."""
        return ask(self.task)


def make_fabric(machine: MachineOptions, *, idle: bool = False) -> Any:
    """Create a Fabric for the devices in the options; under torchrun, for the processes that it started.

    Args:
        machine: devices, precision
        idle: True if a step may leave some parameters without a gradient

    Raises:
        JetkitError: this machine has no such devices or precision.
    """
    fabric_module = require("lightning_fabric")
    world = int(os.environ.get("WORLD_SIZE", machine.devices * machine.nodes))
    devices = int(os.environ.get("LOCAL_WORLD_SIZE", machine.devices))
    shared = "ddp_find_unused_parameters_true" if idle else "ddp"
    try:
        fabric = fabric_module.Fabric(
            accelerator=machine.accelerator,
            devices=devices,
            num_nodes=world // devices,
            strategy=shared if world > 1 else "auto",
            precision=machine.precision,
        )
    except Exception as error:  # of many kinds, all of which mean the same
        asked = f"accelerator={machine.accelerator}, devices={devices}, precision={machine.precision}"
        raise JetkitError(f"{asked} cannot be had here: {' '.join(str(error).split())[:200]}") from error
    fabric.launch()
    if world > 1:
        atexit.unregister(_close_exchange)
        atexit.register(_close_exchange)
    return fabric


def _close_exchange() -> None:
    """Close the process group while Python still runs, because its threads may hold tensors and abort later."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def number_type(machine: MachineOptions) -> torch.dtype | None:
    """Return the floating-point type of a batch; None to keep it."""
    return torch.float64 if machine.precision == "64-true" else None


@contextmanager
def threads_of(count: int | None) -> Iterator[None]:
    """Limit torch to ``count`` threads within a ``with`` block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
