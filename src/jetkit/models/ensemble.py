"""Models of models: the mean, the median or a stack of taggers that were trained before."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any, ClassVar, Literal, cast

import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from jetkit.config import build
from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec, columns
from jetkit.errors import JetkitError
from jetkit.models.model import MODELS, Encoder
from jetkit.models.observable_network import ObservableNetwork
from jetkit.nn.heads import head_for
from jetkit.nn.mlp import mlp
from jetkit.registry import create, register

PAPER = "The Machine Learning Landscape of Top Taggers, 2019, arXiv:1902.09914"
MOST = 15.0
"""Largest distance of a logit from the mean of its jet that a stack sees: beyond, a tagger is only surer of itself."""


TWO: tuple[dict[str, Any], ...] = tuple(
    {"model": name, "features": ("part_deta", "part_dphi"), "length": 128, "hyperparameters": {"phi": (8,), "f": (8,)}}
    for name in ("pfn", "efn")
)
"""Members for tests."""


@dataclass(frozen=True)
class Member:
    """A tagger in an ensemble: what its own model file says of it."""

    model: str
    features: tuple[str, ...]
    length: int = Field(ge=1)
    """Most particles of a jet that it sees."""
    hyperparameters: dict[str, Any] = field(default_factory=dict)


class Decider(nn.Module):
    """A trained encoder with the head that decides between the classes.

    Args:
        model: the encoder
        spec: that names the classes
    """

    def __init__(self, model: Encoder, spec: Spec) -> None:
        super().__init__()
        self.model = model
        self.head = head_for(model.encoded, len(spec.classes), decides=model.decides)

    @property
    def size(self) -> int:
        """How many numbers its training set."""
        return self.model.size + sum(weight.numel() for weight in self.head.parameters())

    def forward(self, batch: Batch) -> Float[Tensor, "B C"]:
        """Return a logit for each class."""
        logits: Tensor = self.head(self.model.encode(batch))
        return logits


class Members(nn.Module):
    """Taggers side by side, each with the features and the number of particles that it was trained on.

    Raises:
        JetkitError: there is none, one is unknown, or the spec lacks its features.
    """

    def __init__(self, spec: Spec, members: tuple[Mapping[str, Any], ...]) -> None:
        super().__init__()
        if not members:
            raise JetkitError("an ensemble is made of trained models: jetkit ensemble RUN RUN …")
        cards = [build(Member, dict(member), "a member of an ensemble") for member in members]
        self.lengths = [card.length for card in cards]
        self.places = [columns(spec, *card.features) for card in cards]
        specs = [Spec.of(card.features, spec.row, spec.classes) for card in cards]
        self.taggers = nn.ModuleList(
            Decider(create(card.model, own, card.hyperparameters, MODELS), spec)
            for card, own in zip(cards, specs, strict=True)
        )

    @property
    def size(self) -> int:
        """How many numbers the training of all members sets."""
        return sum(tagger.size for tagger in self._each())

    def _each(self) -> Iterator[Decider]:
        return (cast(Decider, tagger) for tagger in self.taggers)

    def forward(self, batch: Batch) -> Float[Tensor, "B M C"]:
        """Logits of each member."""
        each = [
            tagger(_seen(batch, places, length))
            for tagger, places, length in zip(self.taggers, self.places, self.lengths, strict=True)
        ]
        return torch.stack(each, 1)


def _seen(batch: Batch, places: list[int], length: int) -> Batch:
    """Part of a batch: some features of the first particles."""
    p4 = None if batch.p4 is None else batch.p4[:, :length]
    seen = {"x": batch.x[:, :length, places], "mask": batch.mask[:, :length], "p4": p4}
    return batch.replace(links={}).with_cloud(**seen, targets={})


@register(
    "ensemble",
    kind="ensemble",
    paper=PAPER,
    symmetries=("permutation",),
    tiny={"members": TWO},
)
class Ensemble(Encoder):
    """Mean or median of the probabilities that several taggers give to each class.

    p_c = mean_m p_{mc}, or the median, divided by its sum over the classes. The logits are ln p_c. Errors that members
    do not share average out. Made by `jetkit ensemble` from trained models; its file holds the weights of all.

    Args:
        members: model, hyperparameters, features and length of each
        combine: mean or median
    """

    needs: ClassVar[Needs] = Needs(p4=True, targets=("label",))
    decides: ClassVar[bool] = True

    def __init__(
        self,
        spec: Spec,
        *,
        members: tuple[dict[str, Any], ...] = (),
        combine: Literal["mean", "median"] = "mean",
    ) -> None:
        super().__init__(spec)
        self.members = Members(spec, members)
        self.encoded = len(spec.classes)
        self.combination = Combination(combine)

    @property
    def size(self) -> int:
        """Numbers of all members."""
        return self.members.size

    def combined(self, logits: Float[Tensor, "B M C"]) -> Float[Tensor, "B C"]:
        """Logits from those of the members."""
        found: Tensor = self.combination(logits)
        return found

    def encode(self, batch: Batch) -> Float[Tensor, "B C"]:
        """Return logits from those of the members."""
        return self.combined(self.members(batch))


class Combination(nn.Module):
    """From the logits of M members to one.

    Example:
        >>> Combination("mean")(torch.tensor([[[0.0, 0.0], [0.0, 50.0]]])).softmax(1)
        tensor([[0.2500, 0.7500]])
    """

    def __init__(self, combine: Literal["mean", "median"]) -> None:
        super().__init__()
        self.combine = combine

    def forward(self, logits: Float[Tensor, "B M C"]) -> Float[Tensor, "B C"]:
        """Logarithms of the combined probabilities."""
        each = logits.log_softmax(-1)
        if self.combine == "median":
            middle = slice((logits.shape[1] - 1) // 2, logits.shape[1] // 2 + 1)
            each = each.sort(1).values[:, middle]
        return (each.logsumexp(1) - math.log(each.shape[1])).log_softmax(-1)


@register(
    "stack",
    kind="ensemble",
    paper=PAPER,
    symmetries=("permutation",),
    tiny={"members": TWO},
)
class Stack(ObservableNetwork):
    """A perceptron on the logits of several taggers (the paper's GoaT), trained on jets that none of them has seen.

    Its observables are ℓ_{mc} − mean_c ℓ_{mc}, between −15 and 15. Made by `jetkit ensemble` from trained models; its
    file holds the weights of all. The sizes are not the paper's.

    Args:
        members: model, hyperparameters, features and length of each
        f: widths of the perceptron before the last layer; none: a linear stack
    """

    needs: ClassVar[Needs] = Needs(p4=True, targets=("label",))
    decides: ClassVar[bool] = True

    def __init__(self, spec: Spec, *, members: tuple[dict[str, Any], ...] = (), f: tuple[int, ...] = (32, 32)) -> None:
        numbers = len(members) * len(spec.classes)
        widths = [numbers, *f]
        super().__init__(spec, observables=numbers, f=mlp(widths), width=widths[-1], eps=1e-6)
        self.encoded = len(spec.classes)
        self.last = nn.Linear(widths[-1], self.encoded)
        self.members = Members(spec, members)

    @property
    def size(self) -> int:
        """Numbers of all members and of the perceptron."""
        own = sum(weight.numel() for part in (self.f, self.last) for weight in part.parameters())
        return self.members.size + own

    def combined(self, logits: Float[Tensor, "B M C"]) -> Float[Tensor, "B C"]:
        """Logits from those of the members."""
        found: Tensor = self.last(self.f(self.standardise(stacked(logits))))
        return found

    def observables(self, batch: Batch) -> Float[Tensor, "B M*C"]:
        """Return the logits of each member, less their mean."""
        return stacked(self.members(batch))

    def encode(self, batch: Batch) -> Float[Tensor, "B C"]:
        """Return a logit for each class."""
        logits: Tensor = self.last(super().encode(batch))
        return logits


def stacked(logits: Float[Tensor, "B M C"]) -> Float[Tensor, "B M*C"]:
    """What a stack sees of the logits of its members.

    Example:
        >>> stacked(torch.tensor([[[0.0, 4.0], [1.0, 101.0]]]))
        tensor([[ -2.,   2., -15.,  15.]])
    """
    return (logits - logits.mean(-1, keepdim=True)).clamp(-MOST, MOST).flatten(1).detach()
