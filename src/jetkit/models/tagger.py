"""What every tagger is: an encoder of jets and a head that names their class."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from jetkit.data.cloud import Cloud, CloudSpec
from jetkit.errors import JetkitError
from jetkit.physics.ragged import ragged_from_padded

ENCODED = "encoded"
"""Target that holds what a frozen encoder has made of the jets before."""


class Tagger(nn.Module, ABC):
    """``forward(cloud)`` gives a logit per class; the probabilities are their softmax.

    Raises:
        JetkitError: the spec names fewer than two classes.
    """

    learns_by: ClassVar[str] = "gradient"
    """How it is trained: gradient, boosting, counting (of words), or members (an ensemble of trained models)."""
    truths: ClassVar[tuple[str, ...]] = ()
    """Columns of the data, besides the label, that it is trained with; it needs them no more once it is."""
    pretrained_only: ClassVar[tuple[str, ...]] = ()
    """Beginnings of the names of parameters that name no class: a decoder, a head for the next particle."""
    head: nn.Module
    """From the encoded jet (B, D) to logits (B, C)."""

    def __init__(self, spec: CloudSpec) -> None:
        super().__init__()
        if len(spec.classes) < 2:
            raise JetkitError(f"a tagger needs two classes or more, the data have {len(spec.classes)}")
        self.spec = spec

    @property
    def size(self) -> int:
        """How many numbers training sets."""
        return sum(weight.numel() for weight in self.parameters())

    @abstractmethod
    def encode(self, cloud: Cloud) -> Float[Tensor, "B D"]:
        """A vector per jet."""

    def forward(self, cloud: Cloud) -> Float[Tensor, "B C"]:
        """Logits, in the order of ``spec.classes``; from the target ``encoded`` of the cloud, if it is there."""
        known = cloud.targets.get(ENCODED)
        logits: Tensor = self.head(self.encode(cloud) if known is None else known)
        return logits


class Backbone(Tagger):
    """A tagger that has a vector for each particle, from which the one of the jet is made."""

    width: int
    """Length D of the vectors of particles."""
    aggregator: ClassVar[tuple[str, ...]] = ()
    """Beginnings of the names of the parameters that make the vector of a jet from those of its particles."""

    @property
    def stages(self) -> tuple[tuple[str, ...], ...]:
        """Beginnings of the names of the parameters of each stage but the head, from the particles up."""
        return (tuple(name for name, _ in self.named_children() if name != "head"),)

    @abstractmethod
    def tokens(self, cloud: Cloud) -> Float[Tensor, "B N D"]:
        """A vector per particle (what stands in padded places is arbitrary)."""

    @abstractmethod
    def aggregate(self, tokens: Float[Tensor, "B N D"], cloud: Cloud) -> Float[Tensor, "B E"]:
        """A vector per jet from those of its particles."""

    def encode(self, cloud: Cloud) -> Float[Tensor, "B E"]:
        """A vector per jet."""
        return self.aggregate(self.tokens(cloud), cloud)


def columns(spec: CloudSpec, *names: str) -> list[int]:
    """Places of features in the last axis of ``x``.

    Raises:
        JetkitError: a feature is not in the spec.

    Example:
        >>> columns(CloudSpec(features=("part_charge", "part_deta", "part_dphi")), "part_deta", "part_dphi")
        [1, 2]
    """
    missing = [name for name in names if name not in spec.features]
    if missing:
        raise JetkitError(f"this model needs the features {', '.join(missing)}: choose a feature set that has them")
    return [spec.features.index(name) for name in names]


def four_momenta(cloud: Cloud) -> Float[Tensor, "B N 4"]:
    """(E, px, py, pz) in GeV.

    Raises:
        JetkitError: the cloud has none.
    """
    if cloud.p4 is None:
        raise JetkitError("this model needs four-momenta: make the batches with p4=True")
    return cloud.p4


def ragged_momenta(cloud: Cloud) -> tuple[Float[np.ndarray, "M 4"], Int[np.ndarray, "bounds"]]:
    """Momenta of the real particles, jet after jet, and the offsets of the jets, for the formulas of `jetkit.physics`.

    In double precision on the processor, and without a gradient.

    Raises:
        JetkitError: the cloud has none.
    """
    p4 = four_momenta(cloud).detach().cpu().double().numpy()
    return ragged_from_padded(p4, cloud.mask.cpu().numpy())


def momentum_fractions(cloud: Cloud) -> Float[Tensor, "B N"]:
    """z = pT/Σ pT of each particle, 0 where padded."""
    pt: Tensor = torch.linalg.vector_norm(four_momenta(cloud)[..., 1:3], dim=-1) * cloud.mask
    return pt / pt.sum(1, keepdim=True).clamp(min=torch.finfo(pt.dtype).tiny)
