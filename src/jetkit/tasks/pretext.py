"""What all pretraining methods share: a backbone that is kept, and the health of what it has learned."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from jetkit.data.cloud import Cloud
from jetkit.errors import JetkitError
from jetkit.models.tagger import Backbone, Tagger
from jetkit.nn.processes import alone
from jetkit.tasks.health import effective_rank, embedding_std, probe_accuracy, uniformity
from jetkit.tasks.task import Losses, Task

COLLAPSED = 0.05
"""Share of the spread that the untrained backbone had, below which an encoder has collapsed."""


class Pretext(Task):
    """A task that needs no labels of jets; when it is learned, its ``model``, the backbone, is kept.

    A registered method (``kind="pretext"``) is made by ``cls(backbone, *, hyperparameters)``. The losses of validation
    jets are those of masks and noise that are the same in each epoch. Of the embeddings of these jets are told: their
    spread, effective rank and uniformity (`jetkit.tasks.health`), and the accuracy of a linear probe where there are
    labels, which chooses nothing.

    Raises:
        JetkitError: the model has no vectors of particles.
    """

    model: Backbone
    baseline = True
    twins: ClassVar[bool] = False
    """Whether a batch holds whole pairs of twins, one after the other; of each pair the health is that of the first."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        if not isinstance(backbone, Backbone):
            raise JetkitError("pretraining needs a model with a vector for each particle: part, particle-net or pfn")
        self.model = backbone
        self.register_buffer("first_std", torch.zeros(()))

    first_std: Float[Tensor, ""]
    """Spread of the embeddings of the untrained backbone."""

    @abstractmethod
    def loss(self, cloud: Cloud) -> Losses:
        """Loss of a batch, of which no label is used."""

    def take_tokeniser(self, tokeniser: Tagger) -> None:
        """Learn to say the codes of a trained tokeniser.

        Raises:
            JetkitError: the method has no use for one.
        """
        raise JetkitError("this method has no use for a tokeniser: leave tokeniser= out")

    def predict(self, cloud: Cloud) -> dict[str, Tensor]:
        """Losses of the batch and embeddings of its jets."""
        with torch.random.fork_rng(devices=[]), alone():
            torch.manual_seed(0)
            losses = self.loss(cloud)
        parts = {f"loss {name}": value.detach().float() for name, value in losses.parts.items()}
        return {"loss": losses.total.detach().float(), **parts, "embedding": self.model.encode(cloud).float()}

    def watch(self, predictions: Iterable[tuple[Cloud, Mapping[str, Tensor]]]) -> dict[str, float]:
        """Mean losses, and the health of the embeddings.

        Raises:
            JetkitError: there are no jets, or the encoder has collapsed.
        """
        found = [
            (cloud.label.cpu(), {name: value.cpu() for name, value in each.items()}) for cloud, each in predictions
        ]
        if not found:
            raise JetkitError("there are no usable validation jets: raise the second of fractions, or simulate more")
        jets = torch.tensor([len(label) for label, _ in found], dtype=torch.float64)
        names = [name for name in found[0][1] if name.startswith("loss")]
        losses = torch.stack([torch.stack([each[name].double() for name in names]) for _, each in found])
        numbers = dict(zip(names, ((losses * jets[:, None]).sum(0) / jets.sum()).tolist(), strict=True))
        one_each = slice(None, None, 2 if self.twins else 1)
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
