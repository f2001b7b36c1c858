"""Name the class of a jet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from jetkit.data.cloud import Cloud
from jetkit.errors import JetkitError
from jetkit.models.tagger import Tagger
from jetkit.tasks.task import Losses, Task


class Classify(Task):
    """Cross entropy, −Σ_i w_i ln p(label_i)/Σ_i w_i.

    With smoothing ε the target is 1 − ε for the true class plus ε/C for each class (Rethinking the Inception
    Architecture for Computer Vision, 2015, arXiv:1512.00567). The weight is the jet's own times ``weight(cloud)``.

    Args:
        model: a tagger
        smoothing: ε
        weight: a further weight of each jet

    Example:
        >>> from jetkit import CloudSpec
        >>> from jetkit.models import PFN
        >>> task = Classify(PFN(CloudSpec(features=("z",), classes=("QCD", "top"))))
        >>> cloud = Cloud(torch.ones(3, 4, 1), torch.ones(3, 4, dtype=torch.bool), label=torch.tensor([0, 1, 1]))
        >>> task.loss(cloud).total.shape, task.predict(cloud)["logits"].shape
        (torch.Size([]), torch.Size([3, 2]))
    """

    def __init__(
        self, model: Tagger, *, smoothing: float = 0.0, weight: Callable[[Cloud], Float[Tensor, " B"]] | None = None
    ) -> None:
        super().__init__()
        self.model = model
        for name, parameter in model.named_parameters():
            if name.startswith(model.pretrained_only):
                parameter.requires_grad_(False)
        self.smoothing = smoothing
        self.weight = weight

    def loss(self, cloud: Cloud) -> Losses:
        """Weighted mean of the cross entropy."""
        total = self.cross_entropy(self.model(cloud).float(), cloud)
        return Losses(total, {"cross_entropy": total.detach()})

    def cross_entropy(self, logits: Float[Tensor, "B C"], cloud: Cloud) -> Float[Tensor, ""]:
        """Weighted mean over the jets."""
        weight = self._weights(cloud)
        each = F.cross_entropy(logits, cloud.label, reduction="none", label_smoothing=self.smoothing)
        return (each * weight).sum() / weight.sum()

    def predict(self, cloud: Cloud) -> dict[str, Tensor]:
        """Logits of the jets."""
        return {"logits": self.model(cloud).float()}

    def watch(self, predictions: Iterable[tuple[Cloud, Mapping[str, Tensor]]]) -> dict[str, float]:
        """Weighted loss (without smoothing) and share of jets whose most probable class is the true one.

        Raises:
            JetkitError: there are no jets.
        """
        weights, losses, right = [], [], []
        for cloud, found in predictions:
            logits = found["logits"]
            weight = self._weights(cloud).cpu().double()
            each = F.cross_entropy(logits, cloud.label, reduction="none")
            weights.append(weight)
            losses.append(each.cpu().double() * weight)
            right.append((logits.argmax(1) == cloud.label).cpu().double())
        if not weights:
            raise JetkitError("there are no usable validation jets: raise the second of fractions, or simulate more")
        mean_loss = torch.cat(losses).sum() / torch.cat(weights).sum()
        return {"loss": mean_loss.item(), "accuracy": torch.cat(right).mean().item()}

    def _weights(self, cloud: Cloud) -> Float[Tensor, " B"]:
        return jet_weights(cloud, self.weight)


def jet_weights(cloud: Cloud, further: Callable[[Cloud], Float[Tensor, " B"]] | None) -> Float[Tensor, " B"]:
    """The jets' own weights, times a further one where there is one."""
    return cloud.weight if further is None else cloud.weight * further(cloud)
