"""Learn the density of rows, or what else a generator learns them by."""

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
from jetkit.tasks.task import TASK, Losses, Task, weighted_mean


@register("density", kind=TASK)
class Density(Task):
    """−⟨ln p(row)⟩ of a generator that has a density, in nats.

    Raises:
        JetkitError: the model has no density.
    """

    metrics: ClassVar[Mapping[str, Literal["max", "min"]]] = {"loss": "min"}
    result: ClassVar[str] = "watched"
    idle: ClassVar[bool] = True
    model: Generator

    def __init__(self, model: Generator, spec: Spec) -> None:
        if not isinstance(model, Generator) or type(model).log_prob is Generator.log_prob:
            raise JetkitError("density needs a model with a density, such as nsf: write model=nsf")
        super().__init__(model, spec)

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Let the model see the first training rows."""
        self.model.begin(batches)

    def loss(self, batch: Batch) -> Losses:
        """Return the weighted mean of −ln p."""
        total = weighted_mean(-self.model.log_prob(batch), batch.weight)
        return Losses(total, {"nll": total.detach()})

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Return −ln p of each row."""
        return {"loss": -self.model.log_prob(batch).float()}

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Return ln p of each row."""
        with torch.no_grad():
            return {"log_prob": self.model.log_prob(batch)}
