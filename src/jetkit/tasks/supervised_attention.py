"""Name the class of a jet, with an attention head that learns which particles have the same origin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from jetkit.data.batch import LABEL, Batch
from jetkit.data.origins import ORIGIN
from jetkit.data.spec import Needs, Spec
from jetkit.errors import JetkitError
from jetkit.models.model import Encoder
from jetkit.models.part_supervised import ParTSupervised
from jetkit.registry import register
from jetkit.tasks.classify import Classify
from jetkit.tasks.task import TASK, Losses, weighted_mean


@register("supervised-attention", kind=TASK, paper="Supervised Attention for Jet Classification, 2021, talk at ML4Jets")
class SupervisedAttention(Classify):
    """Cross entropy of the classes + λ · cross entropy of the supervised head's attention A against the origins o.

    Of a jet the latter is the mean over its particles i of known origin of −Σ_j T_ij ln A_ij, with
    T_ij = [o_i = o_j]/Σ_k [o_i = o_k]; of a batch it is the weighted mean over the jets that have such particles.
    Its least value is the mean of ln Σ_k [o_i = o_k], where each particle looks evenly at those of its origin. λ is the
    model's ``supervision``; with λ = 0 all is as in `Classify`, to the bit.

    The construction is jetkit's own: of the talk that named the idea (Supervised Attention for Jet Classification,
    ML4Jets 2021) no description was published.

    Example:
        >>> from jetkit import Spec
        >>> spec = Spec.of(("z",), classes=("QCD", "top"))
        >>> model = ParTSupervised(spec, depth=1, supervised_block=0)
        >>> p4, origin = torch.tensor([5.0, 3.0, 4.0, 0.0]).expand(3, 4, 4), torch.tensor([[0, 0, 1, -1]] * 3)
        >>> told = {"label": torch.tensor([0, 1, 1]), "part_origin": origin}
        >>> batch = Batch.of(torch.ones(3, 4, 1), origin > -2, p4, targets=told)
        >>> list(SupervisedAttention(model, spec).loss(batch).parts)
        ['cross_entropy', 'attention']
    """

    needs: ClassVar[Needs] = Needs(targets=(LABEL, ORIGIN))
    model: ParTSupervised

    def __init__(self, model: Encoder, spec: Spec, *, smoothing: float = 0.0) -> None:
        if not isinstance(model, ParTSupervised):
            raise JetkitError("supervised-attention trains the model part-supervised: write model=part-supervised")
        super().__init__(model, spec, smoothing=smoothing)

    @classmethod
    def needs_of(cls, options: Mapping[str, Any]) -> Needs:
        """Return the need of classes and origins."""
        return cls.needs

    def loss(self, batch: Batch) -> Losses:
        """The sum of both.

        Raises:
            JetkitError: the batch holds no origins.
        """
        if not self.model.supervision:
            return super().loss(batch)
        if ORIGIN not in batch.cloud.targets:
            raise JetkitError(f"supervised attention needs origins: make the batches with targets=({ORIGIN!r},)")
        encoded, log_attention = self.model.with_attention(batch)
        classes = self.cross_entropy(self.head(encoded), batch)
        each, known = attention_cross_entropy(log_attention, batch.cloud.targets[ORIGIN], batch.mask)
        attention = weighted_mean(each, batch.weight * known)
        total = classes + self.model.supervision * attention
        return Losses(total, {"cross_entropy": classes.detach(), "attention": attention.detach()})


def attention_cross_entropy(
    log_attention: Float[Tensor, "B N N"], origin: Shaped[Tensor, "B N"], mask: Bool[Tensor, "B N"]
) -> tuple[Float[Tensor, " B"], Bool[Tensor, " B"]]:
    """Mean over the particles of known origin of −Σ_j T_ij ln A_ij for each jet, and whether it has any (else 0).

    Example:
        >>> even = torch.full((1, 3, 3), 1 / 3).log()
        >>> attention_cross_entropy(even, torch.tensor([[4, 4, 7]]), torch.ones(1, 3, dtype=torch.bool))
        (tensor([1.0986]), tensor([True]))
    """
    known = mask & (origin >= 0)
    same = (origin.unsqueeze(2) == origin.unsqueeze(1)) & known.unsqueeze(2) & known.unsqueeze(1)
    target = same / same.sum(2, keepdim=True).clamp(min=1)
    per_particle = -torch.where(same, target * log_attention, 0).sum(2)
    count = known.sum(1)
    return per_particle.sum(1) / count.clamp(min=1), count > 0
