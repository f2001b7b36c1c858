"""What every model is: an encoder of rows, a generator of them, or an estimator that is fitted in one go.

No model has a head or knows what it is trained for: heads belong to the tasks (`jetkit.tasks`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec
from jetkit.progress import Count, Report, silent
from jetkit.registry import MODELS as MODELS


class Model(nn.Module, ABC):
    """A network or a fitted function for the data that a spec describes; made by ``cls(spec, *, hyperparameters)``."""

    kind: ClassVar[str] = "encoder"
    """As what it is registered, unless its decorator says otherwise."""
    needs: ClassVar[Needs] = Needs()
    """What it asks of the data, checked before any is read."""
    idle: ClassVar[bool] = False
    """Whether it has parts that only some tasks use, such as a decoder."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.spec = spec

    @property
    def size(self) -> int:
        """How many numbers training sets."""
        return sum(weight.numel() for weight in self.parameters())


class Encoder(Model):
    """A model that turns each row into a vector: ``encode(batch)`` is (B, ``encoded``)."""

    needs: ClassVar[Needs] = Needs(cloud=True)
    encoded: int
    """Length E of the vector of a row."""
    decides: ClassVar[bool] = False
    """Whether the vector is the answer already, so that no head follows: a logit for each class."""

    precomputes: ClassVar[bool] = False
    """Whether ``precomputed`` gives what no training changes; ``encode`` then takes a plain table of it as well."""

    @property
    def decoders(self) -> tuple[nn.Module, ...]:
        """Parts that take no part in ``encode``: a decoder, what draws the next particle."""
        return ()

    @abstractmethod
    def encode(self, batch: Batch) -> Float[Tensor, "B E"]:
        """Return a vector per row."""

    def start_head(self, head: nn.Linear) -> None:
        """Draw the first weights of a head on the vector as those of the model's own layers."""

    def precomputed(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Return numbers of each row that no training changes.

        Raises:
            NotImplementedError: there are none.
        """
        raise NotImplementedError(f"all of {type(self).__name__} learns")

    def forward(self, batch: Batch) -> Float[Tensor, "B E"]:
        """Return a vector per row."""
        return self.encode(batch)


class Backbone(Encoder):
    """An encoder that has a vector for each object of the first collection, from which that of the row is made."""

    width: int
    """Length D of the vectors of objects."""
    aggregator: ClassVar[tuple[str, ...]] = ()
    """Beginnings of the names of the parameters that make the vector of a row from those of its objects."""

    @property
    def stages(self) -> tuple[tuple[str, ...], ...]:
        """Beginnings of the names of the parameters of each stage, from the objects up."""
        return (tuple(name for name, _ in self.named_children()),)

    @abstractmethod
    def tokens(self, batch: Batch) -> Float[Tensor, "B N D"]:
        """Return a vector per object (what stands in padded places is arbitrary)."""

    @abstractmethod
    def aggregate(self, tokens: Float[Tensor, "B N D"], batch: Batch) -> Float[Tensor, "B E"]:
        """Return a vector per row from those of its objects."""

    def encode(self, batch: Batch) -> Float[Tensor, "B E"]:
        """Return a vector per row."""
        return self.aggregate(self.tokens(batch), batch)


class Generator(Model):
    """A model of p(row), or of p(row | context)."""

    kind: ClassVar[str] = "generator"

    def begin(self, batches: Iterable[Batch]) -> None:
        """Look at some training rows before the training begins."""

    def loss(self, batch: Batch) -> Float[Tensor, ""]:
        """Return what training lowers: by default the mean of −ln p."""
        return -self.log_prob(batch).mean()

    def log_prob(self, batch: Batch) -> Float[Tensor, " B"]:
        """Return ln p of each row.

        Raises:
            NotImplementedError: the model can draw rows, but has no density of them.
        """
        raise NotImplementedError(f"{type(self).__name__} has no density")

    @abstractmethod
    def sample(
        self,
        context: Batch | None,
        rows: int,
        *,
        longest: int = 128,
        steps: int = 100,
        report: Count = silent,
    ) -> Batch:
        """Return new rows, one for each row of a context where there is one; random numbers are those of torch.

        Args:
            context: what the rows are drawn for, such as particles before the detector; None for models without
            rows: how many
            longest: most objects of a row
            steps: of a model that removes noise step by step
            report: called with the rows that are done, and all
        """


@dataclass
class FitOptions:
    """How an estimator is fitted, as far as it can be told."""

    seed: int = 1
    threads: int | None = None
    epochs: int = 1
    patience: int | None = None
    select: str = "accuracy"
    """Number on the validation rows by which the best is chosen: accuracy, loss or last."""


@dataclass
class Fit:
    """How fitting went: lines of the log, and where the best was found."""

    log: list[dict[str, Any]] = field(default_factory=list)
    steps: int = 0
    epochs: int = 0
    best: float | None = None
    best_epoch: int = 0


class Estimator(Encoder):
    """A model that is fitted in one go, without gradients: trees, topics, density estimates.

    ``encode`` gives the answer itself, a logit for each class of the label.
    """

    kind: ClassVar[str] = "estimator"
    decides: ClassVar[bool] = True

    @abstractmethod
    def fit(
        self,
        train: Iterable[Batch],
        validation: Iterable[Batch],
        options: FitOptions,
        report: Report = silent,
    ) -> Fit:
        """Fit to the training rows, and choose by the validation rows."""


def among(name: str, starts: Sequence[str]) -> bool:
    """Return whether a parameter is one of these, or within one of them.

    Example:
        >>> among("blocks.1.weight", ["blocks.1"]), among("blocks.10.weight", ["blocks.1"])
        (True, False)
    """
    return any(f"{name}.".startswith(f"{start}.") for start in starts)
