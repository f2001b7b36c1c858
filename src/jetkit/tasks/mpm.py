"""MPM: masked particle modelling, with tokens or without."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.cloud import Cloud
from jetkit.data.features import SPECIES
from jetkit.errors import JetkitError
from jetkit.models.tagger import Backbone, columns
from jetkit.nn.attention import Block, padding_bias
from jetkit.registry import register
from jetkit.tasks.hidden_particles import hidden
from jetkit.tasks.hidden_targets import Clusters, FlowMatching, Regression, Target
from jetkit.tasks.pretext import Pretext
from jetkit.tasks.task import Losses

NUMBERS = ("part_pt_log", "part_deta", "part_dphi", "part_d0", "part_d0err", "part_dz", "part_dzerr")
"""Features that are predicted, of those that the backbone has."""
SPECIES_WEIGHT = 0.3


@register(
    "mpm",
    kind="pretext",
    paper="Is Tokenization Needed for Masked Particle Modelling?, 2024, arXiv:2409.12589",
    tiny={"width": 8, "depth": 1, "heads": 2, "clusters": 4},
)
class MPM(Pretext):
    """Say what the hidden particles of a jet are, from those that are left.

    A share of the particles is hidden; the backbone sees the others alone. A small transformer looks at their tokens
    and at a null token for each hidden particle, which knows nothing but its place among the hidden ones in pT. Of its
    output for them the loss is, for the numbers ln pT, Δη, Δφ and impact parameters, standardised over the training
    jets, by ``target``:

    - ``regression``: mean absolute error;
    - ``flow-matching``: mean square error of the velocity of a conditional flow;
    - ``k-means``: cross entropy of the nearest of ``clusters`` centres (Masked Particle Modeling on Sets, 2024,
      arXiv:2401.13537);

    plus 0.3 times the cross entropy of the species, if the features tell it.

    Args:
        target: what is said of a hidden particle
        share: of the particles that are hidden
        clusters: number of centres of k-means
        width: channels of the small transformer
        depth: its blocks
        heads: its attention heads
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        target: Literal["regression", "flow-matching", "k-means"] = "flow-matching",
        share: float = 0.4,
        clusters: int = 512,
        width: int = 64,
        depth: int = 2,
        heads: int = 4,
    ) -> None:
        super().__init__(backbone)
        if not 0 < share < 1 or clusters < 2:
            raise JetkitError(f"mpm needs a share between 0 and 1 and clusters >= 2, got {share} and {clusters}")
        self.share = share
        features = backbone.spec.features
        self._numbers = columns(backbone.spec, *(name for name in NUMBERS if name in features))
        self._species = columns(backbone.spec, *SPECIES) if set(SPECIES) <= set(features) else []
        self.enter = nn.Linear(backbone.width, width)
        self.null = nn.Parameter(torch.empty(1, 1, width))
        nn.init.trunc_normal_(self.null, std=0.02)
        self.place = nn.Sequential(nn.Linear(1, width), nn.GELU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(Block(width, heads, 0.0) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.target = _target(target, width, len(self._numbers), clusters)
        self.species = nn.Linear(width, len(SPECIES)) if self._species else None
        self.register_buffer("mean", torch.zeros(len(self._numbers)))
        self.register_buffer("scale", torch.ones(len(self._numbers)))

    mean: Float[Tensor, " F"]
    scale: Float[Tensor, " F"]

    @torch.no_grad()
    def prepare(self, clouds: Iterable[Cloud]) -> None:
        """Standardise the numbers on these jets, and show them to the target."""
        values = torch.cat([cloud.x[..., self._numbers][cloud.mask] for cloud in clouds]).to(self.mean)
        self.mean.copy_(values.mean(0))
        self.scale.copy_(values.std(0, unbiased=False).clamp(min=1e-6))
        self.target.prepare((values - self.mean) / self.scale)

    def loss(self, cloud: Cloud) -> Losses:
        """The parts for numbers and species."""
        at = hidden(cloud.mask, (self.share, self.share))
        target, found = cloud.particles(at), self.predicted(cloud, at)
        given, x = found[target.mask], target.x[target.mask]
        values = (x[:, self._numbers].float() - self.mean) / self.scale
        parts = {"particles": self.target.loss(given, values)}
        total = parts["particles"]
        if self.species is not None:
            parts["species"] = F.cross_entropy(self.species(given).float(), x[:, self._species].argmax(1))
            total = total + SPECIES_WEIGHT * parts["species"]
        return Losses(total, {name: value.detach() for name, value in parts.items()})

    def predicted(self, cloud: Cloud, at: Bool[Tensor, "B N"]) -> Float[Tensor, "B T width"]:
        """A vector for each hidden particle, moved to the front of its jet."""
        context, target = cloud.particles(~at), cloud.particles(at)
        seen = self.enter(self.model.tokens(context)) * context.mask.unsqueeze(2)
        place = torch.arange(target.mask.shape[1], device=seen.device, dtype=seen.dtype) / 10
        asked = (self.null + self.place(place[:, None])).expand(len(cloud), -1, -1)
        x, mask = torch.cat([seen, asked], 1), torch.cat([context.mask, target.mask], 1)
        bias = padding_bias(mask, x.dtype)
        for block in cast(Iterable[Block], self.blocks):
            x = block(x, bias)
        found: Tensor = self.norm(x[:, seen.shape[1] :])
        return found


def _target(name: str, channels: int, numbers: int, clusters: int) -> Target:
    if name == "regression":
        return Regression(channels, numbers)
    return FlowMatching(channels, numbers) if name == "flow-matching" else Clusters(channels, numbers, clusters)
