"""What all pretraining methods share: a backbone that is kept, and the health of what it has learned."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.model import Backbone
from jetkit.nn.processes import alone
from jetkit.tasks.health import effective_rank, embedding_std, probe_accuracy, uniformity
from jetkit.tasks.task import Losses, Predictions, Task

COLLAPSED = 0.05
"""Share of the spread that the untrained backbone had, below which an encoder has collapsed."""


class Pretext(Task):
    """A task that needs no labels of jets; when it is learned, its ``model``, the backbone, is kept.

    The losses of validation jets are those of masks and noise that are the same in each epoch. The embeddings of these
    jets are judged by their spread, effective rank and uniformity (`jetkit.tasks.health`), and by the accuracy of a
    linear probe where there are labels, which chooses nothing.

    Raises:
        JetkitError: the model has no vectors of particles.
    """

    metrics: ClassVar[Mapping[str, Literal["max", "min"]]] = {"loss": "min"}
    result: ClassVar[str] = "pretraining"
    baseline: ClassVar[bool] = True
    idle: ClassVar[bool] = True
    shares_statistics: ClassVar[bool] = True
    selects: ClassVar[str] = "last"
    model: Backbone
    first_std: Float[Tensor, ""]
    """Spread of the embeddings of the untrained backbone."""

    def __init__(self, backbone: Backbone, spec: Spec) -> None:
        if not isinstance(backbone, Backbone):
            raise JetkitError("pretraining needs a model with a vector for each particle: part, particle-net or pfn")
        super().__init__(backbone, spec)
        self.register_buffer("first_std", torch.zeros(()))

    @abstractmethod
    def loss(self, batch: Batch) -> Losses:
        """Return the loss of a batch, for which no label is used."""

    def forward(self, batch: Batch) -> Float[Tensor, "B E"]:
        """Return the embeddings of the jets."""
        return self.model.encode(batch)

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Losses of the batch and embeddings of its jets."""
        with torch.random.fork_rng(devices=[]), alone():
            torch.manual_seed(0)
            losses = self.loss(batch)
        parts = {f"loss {name}": value.detach().float() for name, value in losses.parts.items()}
        return {"loss": losses.total.detach().float(), **parts, "embedding": self.model.encode(batch).float()}

    def watch(self, predictions: Predictions) -> dict[str, float]:
        """Mean losses, and the health of the embeddings.

        Raises:
            JetkitError: there are no jets, or the encoder has collapsed.
        """
        found = [
            (batch.label.cpu(), {name: value.cpu() for name, value in each.items()}) for batch, each in predictions
        ]
        if not found:
            raise JetkitError("there are no usable validation jets: raise the second of fractions, or simulate more")
        jets = torch.tensor([len(label) for label, _ in found], dtype=torch.float64)
        names = [name for name in found[0][1] if name.startswith("loss")]
        losses = torch.stack([torch.stack([each[name].double() for name in names]) for _, each in found])
        numbers = dict(zip(names, ((losses * jets[:, None]).sum(0) / jets.sum()).tolist(), strict=True))
        one_each = slice(None, None, 2 if self.needs.pairs else 1)
        embedding = torch.cat([each["embedding"] for _, each in found])[one_each].double()
        numbers |= health(embedding, torch.cat([label for label, _ in found])[one_each])
        self._refuse_collapse(numbers["embedding_std"])
        return numbers

    def _refuse_collapse(self, spread: float) -> None:
        if not self.first_std:
            self.first_std.fill_(spread)
        if spread < COLLAPSED * self.first_std.item():
            raise JetkitError(
                f"the encoder has collapsed: the spread of its embeddings fell from {self.first_std.item():.3g} to "
                f"{spread:.3g}; lower lr, or give the loss more weight on what jets differ in"
            )


def health(embedding: Float[Tensor, "B D"], label: Tensor) -> dict[str, float]:
    """Spread, effective rank and uniformity of embeddings, and the accuracy of a linear probe of their labels."""
    numbers = {
        "embedding_std": embedding_std(embedding),
        "effective_rank": effective_rank(embedding),
        "uniformity": uniformity(embedding),
    }
    if bool((label >= 0).all()) and bool((label != label[0]).any()):
        numbers["probe"] = probe_accuracy(embedding, label)
    return numbers
