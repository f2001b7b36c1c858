"""A regression of the jet's mass with an auxiliary head that names the origin of each particle."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec
from jetkit.models.model import Backbone
from jetkit.nn.heads import RowHead, TokenHead
from jetkit.registry import register
from jetkit.tasks.task import TASK, Losses, Predictions, Task, mean_of, weighted_mean


@register("mass-and-origin", kind=TASK)
class MassAndOrigin(Task):
    """Huber loss of ln m, plus λ times the cross entropy of the origins.

    Args:
        auxiliary: λ
    """

    metrics: ClassVar[Mapping[str, Any]] = {"loss": "min", "origins": "max"}
    needs: ClassVar[Needs] = Needs(cloud=True, targets=("jet_mass", "part_track"))
    model: Backbone

    def __init__(self, model: Backbone, spec: Spec, *, auxiliary: float = 0.5) -> None:
        super().__init__(model, spec)
        self.auxiliary = auxiliary
        self.mass = RowHead(model.encoded, 1)
        self.origin = TokenHead(model.width, len(spec.targets["part_track"].classes))

    @property
    def heads(self) -> Mapping[str, nn.Module]:
        return {"mass": self.mass, "origin": self.origin}

    def outcome(self, batch: Batch) -> tuple[Tensor, Tensor]:
        tokens = self.model.tokens(batch)
        return self.mass(self.model.aggregate(tokens, batch))[:, 0], self.origin(tokens)

    def losses(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        log_mass, origin = self.outcome(batch)
        true, mask = batch.cloud.targets["part_track"].long(), batch.mask
        each = F.cross_entropy(origin.flatten(0, 1), true.flatten(), reduction="none").view(mask.shape) * mask
        right = ((origin.argmax(-1) == true) & mask).sum(1) / mask.sum(1)
        mass = F.huber_loss(log_mass, batch.targets["jet_mass"].log(), reduction="none")
        return mass, each.sum(1) / mask.sum(1), right

    def loss(self, batch: Batch) -> Losses:
        mass, origin, _ = (weighted_mean(each, batch.weight) for each in self.losses(batch))
        return Losses(mass + self.auxiliary * origin, {"mass": mass.detach(), "origin": origin.detach()})

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        mass, origin, right = self.losses(batch)
        return {"loss": mass + self.auxiliary * origin, "right": right}

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        log_mass, origin = self.outcome(batch)
        return {"jet_mass": log_mass.exp(), "part_track": origin.softmax(-1)}

    def watch(self, predictions: Predictions) -> dict[str, float]:
        kept = list(predictions)
        return {
            "loss": mean_of((batch.weight, found["loss"]) for batch, found in kept),
            "origins": mean_of((batch.weight, found["right"]) for batch, found in kept),
        }
