"""MPM: masked particle modelling, with tokens or without."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import Batch
from jetkit.data.features import NUMBERS, SPECIES
from jetkit.data.spec import Spec, columns
from jetkit.errors import JetkitError
from jetkit.models.model import Backbone
from jetkit.models.vq_vae import VQVAE
from jetkit.nn.attention import Block, padding_bias
from jetkit.nn.processes import shared_mean
from jetkit.nn.standardisation import Standardisation
from jetkit.registry import register
from jetkit.tasks.hidden_particles import hidden
from jetkit.tasks.hidden_targets import Clusters, FlowMatching, Regression, Splines, Target, Tokens
from jetkit.tasks.pretext import Pretext
from jetkit.tasks.task import TASK, Losses

SPECIES_WEIGHT = 0.3
What = Literal["regression", "flow-matching", "spline-flow", "k-means", "tokens"]
"""What is said of a hidden particle."""
DISPLACEMENT = NUMBERS[3:]
"""Numbers that may be discrete: the impact parameters and their errors, 0 for neutral particles."""


@register(
    "mpm",
    kind=TASK,
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
    - ``spline-flow``: −ln p of a conditional flow of splines, with noise on the impact parameters;
    - ``k-means``: cross entropy of the nearest of ``clusters`` centres (Masked Particle Modeling on Sets, 2024,
      arXiv:2401.13537);
    - ``tokens``: cross entropy of the code that a trained ``vq-vae``, the tokeniser, gives it in the complete jet (same
      source);

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
        spec: Spec,
        *,
        parts: Mapping[str, nn.Module] = MappingProxyType({}),
        target: What = "flow-matching",
        share: float = 0.4,
        clusters: int = 512,
        width: int = 64,
        depth: int = 2,
        heads: int = 4,
    ) -> None:
        super().__init__(backbone, spec)
        if not 0 < share < 1 or clusters < 2:
            raise JetkitError(f"mpm needs a share between 0 and 1 and clusters >= 2, got {share} and {clusters}")
        self.share = share
        features = backbone.spec.features
        self._what = target
        self._names = [name for name in NUMBERS if name in features]
        self._numbers = columns(backbone.spec, *self._names)
        self._species = columns(backbone.spec, *SPECIES) if set(SPECIES) <= set(features) else []
        self.enter = nn.Linear(backbone.width, width)
        self.null = nn.Parameter(torch.empty(1, 1, width))
        nn.init.trunc_normal_(self.null, std=0.02)
        self.place = nn.Sequential(nn.Linear(1, width), nn.GELU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(Block(width, heads, 0.0) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        if ("tokeniser" in parts) is not (target == "tokens"):
            mend = "needs a tokeniser: give tokeniser=RUN of jetkit pretrain vq-vae"
            unused = "has no use for a tokeniser: write method.target=tokens"
            raise JetkitError(f"mpm with target={target} {mend if target == 'tokens' else unused}")
        self.tokeniser = self._take(parts["tokeniser"]) if parts else None
        self.target = self._target(target, width, clusters)
        self.species = nn.Linear(width, len(SPECIES)) if self._species else None
        self.standard = Standardisation(len(self._numbers))

    def _take(self, tokeniser: nn.Module) -> VQVAE:
        """The tokeniser, if it is one and knows the same features."""
        if not isinstance(tokeniser, VQVAE):
            raise JetkitError("a tokeniser is what jetkit pretrain vq-vae has made: give its run as tokeniser=")
        if tokeniser.spec.features != self.model.spec.features:
            raise JetkitError("the tokeniser knows other features than the backbone: pretrain both with the same ones")
        return tokeniser.requires_grad_(False)

    @torch.no_grad()
    def prepare(self, batches: Iterable[Batch]) -> None:
        """Standardise the numbers on these jets, and show them to the target."""
        values = torch.cat([batch.x[..., self._numbers][batch.mask] for batch in batches]).to(self.standard.mean)
        self.standard.fit(values)
        self.target.prepare(self.standard(values))

    def loss(self, batch: Batch) -> Losses:
        """The parts for numbers and species."""
        at = hidden(batch.mask, (self.share, self.share))
        target, found = batch.cut(at), self.predicted(batch, at)
        given, x = found[target.mask], target.x[target.mask]
        if self.tokeniser is not None:
            wanted = self.tokeniser.codes(batch)[at]
        else:
            wanted = self.standard(x[:, self._numbers].float())
        parts = {"particles": self.target.loss(given, wanted)}
        total = parts["particles"]
        if self.species is not None:
            said, true = self.species(given).float(), x[:, self._species].argmax(1)
            parts["species"] = shared_mean(F.cross_entropy(said, true, reduction="none"))
            total = total + SPECIES_WEIGHT * parts["species"]
        return Losses(total, {name: value.detach() for name, value in parts.items()})

    def predicted(self, batch: Batch, at: Bool[Tensor, "B N"]) -> Float[Tensor, "B T width"]:
        """A vector for each hidden particle, moved to the front of its jet."""
        context, target = batch.cut(~at), batch.cut(at)
        seen = self.enter(self.model.tokens(context)) * context.mask.unsqueeze(2)
        place = torch.arange(target.mask.shape[1], device=seen.device, dtype=seen.dtype) / 10
        asked = (self.null + self.place(place[:, None])).expand(len(batch), -1, -1)
        x, mask = torch.cat([seen, asked], 1), torch.cat([context.mask, target.mask], 1)
        bias = padding_bias(mask, x.dtype)
        for block in cast(Iterable[Block], self.blocks):
            x = block(x, bias)
        found: Tensor = self.norm(x[:, seen.shape[1] :])
        return found

    def _target(self, what: What, width: int, clusters: int) -> Target:
        """That of this name."""
        numbers = len(self._numbers)
        if what == "regression":
            return Regression(width, numbers)
        if what == "flow-matching":
            return FlowMatching(width, numbers)
        if what == "spline-flow":
            return Splines(width, numbers, [place for place, name in enumerate(self._names) if name in DISPLACEMENT])
        if self.tokeniser is not None:
            return Tokens(width, len(self.tokeniser.quantiser.vectors))
        return Clusters(width, numbers, clusters)
