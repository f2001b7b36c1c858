"""What the training loop asks of a task: a loss for a batch, a prediction, and numbers to watch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

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

    @abstractmethod
    def loss(self, cloud: Cloud) -> Losses:
        """Loss of a batch."""

    @abstractmethod
    def predict(self, cloud: Cloud) -> Float[Tensor, "B D"]:
        """What is stored of each jet when the model is evaluated."""

    @abstractmethod
    def watch(self, predictions: Iterable[tuple[Cloud, Tensor]]) -> dict[str, float]:
        """Numbers on the validation jets by which the best epoch is chosen, from clouds and their predictions."""

    def forward(self, ask: Callable[[Task], Any]) -> Any:
        """``ask(self)``: by this one door Fabric's precision and its shared gradients reach every method."""
        return ask(self)
