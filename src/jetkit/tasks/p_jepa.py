"""P-JEPA: predict, in the space of a slow copy of the encoder, the particles of a jet that were hidden from it."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import NamedTuple, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import Batch
from jetkit.data.features import SPECIES
from jetkit.data.spec import Spec, columns
from jetkit.errors import JetkitError
from jetkit.models.model import Backbone
from jetkit.nn.attention import Block, padding_bias
from jetkit.nn.moving_average import follow
from jetkit.nn.packing import pad
from jetkit.nn.processes import shared_mean
from jetkit.nn.whitening import standardised, whitened
from jetkit.registry import register
from jetkit.tasks.hidden_particles import hidden
from jetkit.tasks.pretext import Pretext
from jetkit.tasks.task import TASK, Losses


class Predicted(NamedTuple):
    """The hidden particles of a batch, at the front of their jets."""

    target: Batch
    tokens: Float[Tensor, "B T D"]
    """Predictions of their tokens."""


class Predictor(nn.Module):
    """A plain transformer from the token of a jet and a mask token with position for each hidden particle.

    Args:
        encoded: length of the vector of a jet
        tokens: length of the vectors of particles, which are predicted
        place: how many numbers tell where a hidden particle is
        width: channels
        depth: blocks
        heads: attention heads
    """

    def __init__(self, encoded: int, tokens: int, place: int, *, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.enter = nn.Linear(encoded, width)
        self.position = nn.Sequential(nn.Linear(place, width), nn.GELU(), nn.Linear(width, width))
        self.mask_token = nn.Parameter(torch.empty(1, 1, width))
        nn.init.trunc_normal_(self.mask_token, std=0.02)
        self.blocks = nn.ModuleList(Block(width, heads, 0.0) for _ in range(depth))
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, tokens))

    def forward(
        self, jet: Float[Tensor, "B E"], place: Float[Tensor, "B T P"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B T D"]:
        """Tokens of the hidden particles at these places."""
        x = torch.cat([self.enter(jet).unsqueeze(1), self.mask_token + self.position(place)], 1)
        bias = padding_bias(F.pad(mask, (1, 0), value=True), x.dtype)
        for block in cast(Iterable[Block], self.blocks):
            x = block(x, bias)
        predicted: Tensor = self.leave(x[:, 1:])
        return predicted


@register(
    "p-jepa",
    kind=TASK,
    paper="Towards a Foundation Model for Jet Physics, 2024, talk by H. Qu at IHEP",
    tiny={"width": 8, "depth": 1, "heads": 2},
)
class PJEPA(Pretext):
    """Predict the tokens of hidden particles from the vector of the jet without them.

    30–50 % of the particles are hidden, one share r ~ U(0.3, 0.5) for a batch. The context encoder sees the others and
    aggregates them to one vector; a smaller transformer predicts from it, and from the directions (Δη, Δφ) of the
    hidden particles, the tokens that the target encoder gives them in the complete jet. The loss is

        smooth-L1(ẑ, z) + smooth-L1(A(ẑ), A(z)) + CE(species),

    over the hidden particles; A is the target's aggregator. Over the batch z is whitened (`jetkit.nn.whitening`) and A
    standardised, channel by channel: without either the encoder collapses, and without whitening the tokens of a jet
    become alike, since what they share is what the rest of the jet tells best. The species (charged and neutral
    hadrons, photons, electrons, muons) is read off ẑ, if the features tell it. The target encoder is the moving average
    θ ← τ θ + (1 − τ) θ_context with τ from 0.996 to 1 by a cosine, and gets no gradient; the running means and
    variances of its normalisations are those of the context encoder, or it would see features that are not yet
    normalised for as long as τ remembers.

    The slides are silent on positions, whitening, weights (1 : 1 : 1) and τ: these are choices of jetkit.

    Args:
        share: least and largest share of the particles that are hidden
        width: channels of the predictor
        depth: blocks of the predictor
        heads: attention heads of the predictor
        momentum: τ at the beginning
        place: features of a hidden particle that the predictor knows; with part_pt_log also its momentum
        whiten: whether z is whitened, or standardised as A is
    """

    def __init__(
        self,
        backbone: Backbone,
        spec: Spec,
        *,
        share: tuple[float, float] = (0.3, 0.5),
        width: int = 96,
        depth: int = 4,
        heads: int = 6,
        momentum: float = 0.996,
        place: tuple[str, ...] = ("part_deta", "part_dphi"),
        whiten: bool = True,
    ) -> None:
        super().__init__(backbone, spec)
        if not 0 < share[0] <= share[1] < 1 or not 0 <= momentum <= 1:
            raise JetkitError(f"p-jepa needs 0 < share < 1 and momentum from 0 to 1, got {share} and {momentum}")
        self.share, self.momentum, self.whiten = share, momentum, whiten
        self._place = columns(backbone.spec, *place)
        told = set(SPECIES) <= set(backbone.spec.features)
        self._species = columns(backbone.spec, *SPECIES) if told else []
        self.target = copy.deepcopy(backbone).requires_grad_(False)
        encoded = backbone.encoded
        self.predictor = Predictor(encoded, backbone.width, len(place), width=width, depth=depth, heads=heads)
        self.species = nn.Linear(backbone.width, len(SPECIES)) if told else None

    def train(self, mode: bool = True) -> PJEPA:
        """Training mode of all but the target encoder, which never drops and never counts."""
        super().train(mode)
        self.target.eval()
        return self

    def loss(self, batch: Batch) -> Losses:
        """The three parts, of which no label is used."""
        at = hidden(batch.mask, self.share)
        found = self.predicted(batch, at)
        with torch.no_grad():
            tokens = pad(self.target.tokens(batch)[at], found.target.mask)
            wanted = (whitened if self.whiten else standardised)(tokens, found.target.mask)
            aggregated = standardised(self.target.aggregate(wanted, found.target))
        predicted = standardised(self.target.aggregate(found.tokens, found.target))
        parts = {
            "particles": _distance(found.tokens[found.target.mask], wanted[found.target.mask]),
            "aggregate": _distance(predicted, aggregated),
        }
        if self.species is not None:
            flags = found.target.x[..., self._species][found.target.mask]
            said = self.species(found.tokens[found.target.mask])
            parts["species"] = shared_mean(F.cross_entropy(said, flags.argmax(1), reduction="none"))
        return Losses(sum(parts.values(), start=torch.zeros(())), {key: value.detach() for key, value in parts.items()})

    def predicted(self, batch: Batch, at: Bool[Tensor, "B N"]) -> Predicted:
        """The hidden particles, and what the others tell of their tokens."""
        target = batch.cut(at)
        jet = self.model.encode(batch.cut(~at))
        return Predicted(target, self.predictor(jet, target.x[..., self._place], target.mask))

    def after_step(self, share: float) -> None:
        """Move the target encoder; what its normalisations know of the data is that of the context encoder."""
        tau = 1 - (1 - self.momentum) * (1 + math.cos(math.pi * share)) / 2
        follow(dict(self.target.named_parameters()), dict(self.model.named_parameters()), tau)
        follow(dict(self.target.named_buffers()), dict(self.model.named_buffers()), 0.0)


def _distance(found: Float[Tensor, "M D"], wanted: Float[Tensor, "M D"]) -> Float[Tensor, ""]:
    return shared_mean(F.smooth_l1_loss(found, wanted, reduction="none"))
