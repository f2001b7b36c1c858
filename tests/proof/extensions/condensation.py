"""Object condensation: hits of one particle gather about its condensation point in a learned space.

Source: Object condensation: one-stage grid-free multi-object reconstruction in physics detectors, graph and image data,
2020, arXiv:2002.03605.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec
from jetkit.models.model import Backbone
from jetkit.nn.heads import TokenHead
from jetkit.registry import register
from jetkit.tasks.task import TASK, Losses, Predictions, Task, mean_of, weighted_mean

LINK = ("hit", "particle")


@register("condense", kind=TASK, paper="Object condensation, 2020, arXiv:2002.03605")
class Condense(Task):
    """Attraction of hits to the hit of largest charge of their particle, repulsion from those of others, and noise.

    Args:
        space: dimensions of the learned space
        q_min: least charge of a hit
    """

    metrics: ClassVar[Mapping[str, Any]] = {"loss": "min"}
    needs: ClassVar[Needs] = Needs(cloud=True, links=("hit_particle",), targets=("particle_px",))
    model: Backbone

    def __init__(self, model: Backbone, spec: Spec, *, space: int = 2, q_min: float = 0.1) -> None:
        super().__init__(model, spec)
        self.q_min, self.head = q_min, TokenHead(model.width, 1 + space)

    @property
    def heads(self) -> Mapping[str, nn.Module]:
        return {"hit": self.head}

    def outcome(self, batch: Batch) -> tuple[Tensor, Tensor]:
        found = self.head(self.model.tokens(batch))
        return found[..., 0].sigmoid().clamp(1e-4, 1 - 1e-4), found[..., 1:]

    def losses(self, batch: Batch) -> Tensor:
        beta, place = self.outcome(batch)
        link, mask = batch.links[LINK], batch.mask
        particles = batch.sets["particle"].mask.shape[1]
        mine = torch.nn.functional.one_hot(link.clamp(min=0), particles).bool() & (link >= 0).unsqueeze(-1)
        charge = (beta.atanh().square() + self.q_min) * mask
        strongest = torch.where(mine, charge.unsqueeze(-1), -1).argmax(1)
        there = mine.any(1)
        centre = place.gather(1, strongest.unsqueeze(-1).expand(-1, -1, place.shape[-1]))
        distance = (place.unsqueeze(2) - centre.unsqueeze(1)).square().sum(-1)
        pull = torch.where(
            mine, distance, torch.where(mask.unsqueeze(-1), (1 - (distance + 1e-9).sqrt()).clamp(min=0), 0)
        )
        strength = charge.unsqueeze(-1) * charge.gather(1, strongest).unsqueeze(1) * there.unsqueeze(1)
        potential = (pull * strength).sum((1, 2)) / mask.sum(1)
        points = ((1 - beta.gather(1, strongest)) * there).sum(1) / there.sum(1).clamp(min=1)
        noise = (link < 0) & mask
        return potential + points + (beta * noise).sum(1) / noise.sum(1).clamp(min=1)

    def loss(self, batch: Batch) -> Losses:
        total = weighted_mean(self.losses(batch), batch.weight)
        return Losses(total, {"condensation": total.detach()})

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": self.losses(batch)}

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        beta, place = self.outcome(batch)
        return {"beta": beta, "place": place}

    def watch(self, predictions: Predictions) -> dict[str, float]:
        return {"loss": mean_of((batch.weight, found["loss"]) for batch, found in predictions)}
