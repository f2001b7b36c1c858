"""A task: a model with what it is to learn. The training loop knows its loss, prediction and numbers to watch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec
from jetkit.errors import JetkitError
from jetkit.models.model import Model

TASK = "task"
"""Kind of a registered task."""
Predictions = Iterable[tuple[Batch, Mapping[str, Tensor]]]
"""Batches, each with what a task predicts of it."""


class Losses(NamedTuple):
    """The loss to go down, and its parts by name, for the log."""

    total: Float[Tensor, ""]
    parts: Mapping[str, Float[Tensor, ""]]


class Task(nn.Module, ABC):
    """A model with what it is to learn: heads, a loss, a prediction, and numbers to watch.

    A registered task is made by ``cls(model, spec, *, options)``; the spec names what a batch holds. A task that is
    built from further trained models, such as a tokeniser, takes them as the keyword argument ``parts``.

    Args:
        model: what learns
        spec: of the batches

    Raises:
        JetkitError: model and data do not serve the task.
    """

    kind: ClassVar[str] = TASK
    needs: ClassVar[Needs] = Needs()
    """What it asks of the data, besides what the model does."""
    metrics: ClassVar[Mapping[str, Literal["max", "min"]]] = {"loss": "min"}
    """Numbers of `watch` by which the best epoch can be chosen, and whether more or less is better; the first is
    taken unless another is asked for."""
    result: ClassVar[str] = "watched"
    """Registered evaluation that judges its predictions."""
    baseline: ClassVar[bool] = False
    """Whether the log begins with the numbers of the untrained model, as epoch 0."""
    idle: ClassVar[bool] = False
    """Whether a step may leave some parameters without a gradient."""
    shares_statistics: ClassVar[bool] = False
    """Whether processes normalise their batches together, as if they were one."""
    selects: ClassVar[str] = ""
    """How the best epoch is chosen unless told otherwise: a name of ``metrics`` (default: the first) or ``last``."""
    model: Model

    def __init__(self, model: Model, spec: Spec) -> None:
        super().__init__()
        self.model, self.spec = model, spec

    @classmethod
    def needs_of(cls, options: Mapping[str, Any]) -> Needs:
        """Return what it asks of the data with these options."""
        return cls.needs

    @abstractmethod
    def loss(self, batch: Batch) -> Losses:
        """Return the loss of a batch."""

    @abstractmethod
    def predict(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return what the validation is to know of a batch, a value or more per row."""

    def watch(self, predictions: Predictions) -> dict[str, float]:
        """Return numbers on the validation rows, from batches and their predictions: here the weighted mean loss."""
        return {"loss": mean_of([(batch.weight, found["loss"]) for batch, found in predictions])}

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Look at some training rows before the training begins; the same ones each time."""

    def after_step(self, share: float) -> None:
        """Do what follows a step of the optimiser; `share` of the training is done."""

    @property
    def heads(self) -> Mapping[str, nn.Module]:
        """What the task adds to the model and keeps in the model file; by the name of the output."""
        return {}

    @property
    def size(self) -> int:
        """How many numbers of model and heads training sets."""
        heads = sum(weight.numel() for head in self.heads.values() for weight in head.parameters())
        return self.model.size + heads

    def scores(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the answer in the units of the user, as predictions and exported graphs have it."""
        return self.predict(batch)

    def answers(self, batch: Batch) -> Float[Tensor, "B A"]:
        """Return all that it says of a row, one after the other; what it encodes where it says something of objects
        alone.
        """
        targets = self.spec.targets
        found = [
            value.flatten(1) if value.ndim > 1 else value[:, None]
            for name, value in self.scores(batch).items()
            if not (name in targets and targets[name].of)
        ]
        answer: Tensor = torch.cat(found, 1) if found else self.model(batch)
        return answer

    def forward(self, batch: Batch) -> Any:
        """Return the answer for a batch: a tensor where there is one, else each by its name."""
        found = self.scores(batch)
        return next(iter(found.values())) if len(found) == 1 else found


def mean_of(parts: Iterable[tuple[Float[Tensor, " B"], Float[Tensor, " B"]]]) -> float:
    """Return Σ w ℓ/Σ w over all rows, from weights and values of each batch, in double precision.

    Raises:
        JetkitError: there are no rows.

    Example:
        >>> mean_of([(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 2.0]))])
        1.5
    """
    weights, values = [], []
    for weight, value in parts:
        weights.append(weight.cpu().double())
        values.append(value.cpu().double() * weights[-1])
    if not weights:
        raise JetkitError("there are no usable validation jets: raise the second of fractions, or simulate more")
    return float((torch.cat(values).sum() / torch.cat(weights).sum()).item())


def weighted_mean(each: Float[Tensor, " B"], weight: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """Return Σ w ℓ/Σ |w|, the loss of a batch: with weights that may be negative its size does not depend on chance.

    Example:
        >>> weighted_mean(torch.tensor([1.0, 2.0]), torch.tensor([3.0, -1.0]))
        tensor(0.2500)
    """
    weight = weight.to(each.dtype)
    return (each * weight).sum() / weight.abs().sum().clamp(min=torch.finfo(each.dtype).tiny)
