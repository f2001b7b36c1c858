"""What the training loop asks of a task: a loss for a batch, a prediction, and numbers to watch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from jetkit.data.cloud import Cloud


class Losses(NamedTuple):
    """The loss to go down, and its parts by name, for the log."""

    total: Float[Tensor, ""]
    parts: Mapping[str, Float[Tensor, ""]]


class Task(nn.Module, ABC):
    """A model with what it is to learn."""

    model: nn.Module
    baseline: ClassVar[bool] = False
    """Whether the log begins with the numbers of the untrained model, as epoch 0."""

    @abstractmethod
    def loss(self, cloud: Cloud) -> Losses:
        """Loss of a batch."""

    @abstractmethod
    def predict(self, cloud: Cloud) -> Mapping[str, Tensor]:
        """What the validation is to know of a batch."""

    @abstractmethod
    def watch(self, predictions: Iterable[tuple[Cloud, Mapping[str, Tensor]]]) -> dict[str, float]:
        """Numbers on the validation jets by which the best epoch is chosen, from clouds and their predictions."""

    def prepare(self, clouds: Iterable[Cloud]) -> None:
        """Look at some training jets before the training begins; the same ones each time."""

    def after_step(self, share: float) -> None:
        """What follows a step of the optimiser; `share` of the training is done."""

    def forward(self, ask: Callable[[Task], Any]) -> Any:
        """``ask(self)``: by this one door Fabric's precision and its shared gradients reach every method."""
        return ask(self)
