"""Name the class of a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import LABEL, Batch
from jetkit.data.spec import Needs, Spec
from jetkit.errors import JetkitError
from jetkit.models.model import Encoder
from jetkit.nn.heads import head_for
from jetkit.registry import register
from jetkit.tasks.task import TASK, Losses, Predictions, Task, mean_of, weighted_mean


@register("classify", kind=TASK)
class Classify(Task):
    """Cross entropy, −Σ_i w_i ln p(label_i)/Σ_i |w_i|, of a linear head on what the model encodes.

    With smoothing ε the target is 1 − ε for the true class plus ε/C for each class (Rethinking the Inception
    Architecture for Computer Vision, 2015, arXiv:1512.00567).

    Args:
        smoothing: ε of the label smoothing
        target: what holds the class

    Example:
        >>> from jetkit.models import PFN
        >>> spec = Spec.of(("z",), classes=("QCD", "top"))
        >>> task = Classify(PFN(spec), spec)
        >>> batch = Batch.of(torch.ones(3, 4, 1), torch.ones(3, 4, dtype=torch.bool), label=torch.tensor([0, 1, 1]))
        >>> task.loss(batch).total.shape, task(batch).shape
        (torch.Size([]), torch.Size([3, 2]))
    """

    needs: ClassVar[Needs] = Needs(targets=(LABEL,))
    metrics: ClassVar[Mapping[str, Literal["max", "min"]]] = {"accuracy": "max", "loss": "min"}
    result: ClassVar[str] = "classification"
    model: Encoder

    def __init__(self, model: Encoder, spec: Spec, *, smoothing: float = 0.0, target: str = LABEL) -> None:
        super().__init__(model, spec)
        if not 0 <= smoothing < 1:
            raise JetkitError(f"smoothing should be from 0 to below 1, got {smoothing}")
        self.smoothing, self.target = smoothing, target
        self.classes = spec.targets[target].classes if target in spec.targets else ()
        if len(self.classes) < 2:
            raise JetkitError(f"classify needs two classes or more, the data have {len(self.classes)}")
        self.head = head_for(model.encoded, len(self.classes), decides=model.decides)
        if isinstance(self.head, nn.Linear):
            model.start_head(self.head)

    @classmethod
    def needs_of(cls, options: Mapping[str, Any]) -> Needs:
        """Return the need of the class."""
        return Needs(targets=(options.get("target", LABEL),))

    @property
    def heads(self) -> Mapping[str, nn.Module]:
        """The head, by the name of the target."""
        return {self.target: self.head}

    def logits(self, batch: Batch) -> Float[Tensor, "B C"]:
        """Return a logit for each class."""
        found: Tensor = self.head(self.model.encode(batch))
        return found.float() if found.dtype in (torch.bfloat16, torch.float16) else found

    def loss(self, batch: Batch) -> Losses:
        """Return the weighted mean of the cross entropy."""
        total = self.cross_entropy(self.logits(batch), batch)
        return Losses(total, {"cross_entropy": total.detach()})

    def cross_entropy(self, logits: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, ""]:
        """Return the weighted mean over the rows."""
        each = F.cross_entropy(
            logits.float(), batch.targets[self.target].long(), reduction="none", label_smoothing=self.smoothing
        )
        return weighted_mean(each, batch.weight)

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits of the rows."""
        return {"logits": self.logits(batch).float()}

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Return the probability of each class."""
        return {"probabilities": self.logits(batch).softmax(1)}

    def answers(self, batch: Batch) -> Float[Tensor, "B C"]:
        """Return the logits, of which no change is hidden by rounding as it is in probabilities near 1."""
        return self.logits(batch)

    def forward(self, batch: Batch) -> Float[Tensor, "B C"]:
        """Return a logit for each class."""
        return self.logits(batch)

    def watch(self, predictions: Predictions) -> dict[str, float]:
        """Return the weighted loss (without smoothing) and the share of rows whose most probable class is the true one.

        Raises:
            JetkitError: there are no rows.
        """
        losses, right = [], []
        for batch, found in predictions:
            logits, label = found["logits"], batch.targets[self.target].long()
            losses.append((batch.weight, F.cross_entropy(logits, label, reduction="none")))
            right.append((logits.argmax(1) == label).cpu().double())
        return {"loss": mean_of(losses), "accuracy": torch.cat(right).mean().item()}
