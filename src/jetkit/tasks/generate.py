"""Learn to draw rows, by the loss that a generator names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.model import Generator
from jetkit.registry import register
from jetkit.tasks.task import TASK, Losses, Task


@register("generate", kind=TASK)
class Generate(Task):
    """The ``loss(batch)`` of a generator: −ln p where it has a density, a velocity or a game where it has none.

    The losses of validation rows are those of noise that is the same in each epoch.

    Raises:
        JetkitError: the model is no generator.
    """

    metrics: ClassVar[Mapping[str, Literal["max", "min"]]] = {"loss": "min"}
    idle: ClassVar[bool] = True
    model: Generator

    def __init__(self, model: Generator, spec: Spec) -> None:
        if not isinstance(model, Generator):
            raise JetkitError("generate needs a model that draws rows: see the generators of jetkit list")
        super().__init__(model, spec)

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Let the model see the first training rows."""
        self.model.begin(batches)

    def loss(self, batch: Batch) -> Losses:
        """Return the loss of the generator."""
        total = self.model.loss(batch)
        return Losses(total, {"generator": total.detach()})

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss of the batch, for each of its rows."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            loss = self.model.loss(batch)
        return {"loss": loss.detach().float().expand(len(batch))}
