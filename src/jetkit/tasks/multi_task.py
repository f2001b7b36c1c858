"""Several targets at once: of the row, of its objects, and of pairs of objects, each with a head of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import LABEL, Batch
from jetkit.data.spec import Needs, Spec, TargetSpec
from jetkit.errors import JetkitError
from jetkit.models.model import Backbone
from jetkit.nn.heads import PairHead, RowHead, TokenHead
from jetkit.nn.standardisation import Standardisation
from jetkit.registry import register
from jetkit.tasks.task import TASK, Losses, Predictions, Task, mean_of, weighted_mean


@register("multi-task", kind=TASK)
class MultiTask(Task):
    """Σ_t λ_t ℓ_t over targets t, whose kind decides head and loss.

    Of the row: ``class`` (cross entropy), ``flag`` (binary cross entropy) and ``real`` (Huber loss of the standardised
    value). Of each object the same, averaged over the objects of a row; values below 0 of a class, and NaN, are unknown
    and left out. ``index``, the number of a vertex or parent, is learned for pairs: whether two objects share it
    (binary cross entropy over the pairs of known objects). These are the auxiliary tasks of flavour tagging.

    Source: Graph Neural Network Jet Flavour Tagging with the ATLAS Detector, 2022, ATL-PHYS-PUB-2022-027.

    Args:
        targets: label, and columns of the row or of objects of the first collection
        weights: λ of each; default: 1

    Raises:
        JetkitError: no or unknown targets, more or fewer weights, or a model without vectors of objects.
    """

    metrics: ClassVar[Mapping[str, Literal["max", "min"]]] = {"loss": "min", "accuracy": "max"}
    result: ClassVar[str] = "watched"
    idle: ClassVar[bool] = True
    model: Backbone

    def __init__(
        self,
        model: Backbone,
        spec: Spec,
        *,
        targets: tuple[str, ...] = (LABEL,),
        weights: tuple[float, ...] = (),
    ) -> None:
        super().__init__(model, spec)
        if not targets or (weights and len(weights) != len(targets)):
            raise JetkitError(f"multi-task needs targets and, if any, as many weights, got {targets} and {weights}")
        self.kinds = {name: _kind(name, spec) for name in targets}
        if any(one.of for one in self.kinds.values()) and not isinstance(model, Backbone):
            raise JetkitError("targets of objects need a model with a vector for each: part, particle-net or pfn")
        self.weights = dict(zip(targets, weights or (1.0,) * len(targets), strict=True))
        self.outputs = nn.ModuleDict({name: _head(model, one) for name, one in self.kinds.items()})
        real = [name for name, one in self.kinds.items() if one.kind == "real"]
        self.standards = nn.ModuleDict({name: Standardisation(1) for name in real})

    @classmethod
    def needs_of(cls, options: Mapping[str, Any]) -> Needs:
        """Return the need of the targets."""
        return Needs(targets=tuple(options.get("targets", (LABEL,))))

    @property
    def heads(self) -> Mapping[str, nn.Module]:
        """The head of each target, and the units of those that are real."""
        units = {f"{name}_units": standard for name, standard in self.standards.items()}
        return {**dict(self.outputs.items()), **units}

    @torch.no_grad()
    def prepare(self, batches: Iterable[Batch]) -> None:
        """Standardise the real targets on these rows."""
        found: dict[str, list[Tensor]] = {name: [] for name in self.standards}
        for batch in batches:
            for name, values in found.items():
                value, known = self._told(name, batch)
                values.append(value[known].reshape(-1, 1))
        for name, values in found.items():
            standard: Any = self.standards[name]
            standard.fit(torch.cat(values).to(standard.mean))

    def outcomes(self, batch: Batch) -> dict[str, Tensor]:
        """Return what each head says: (B, K), (B, N, K) for objects, (B, N, N) for pairs."""
        if not any(one.of for one in self.kinds.values()):
            encoded = self.model.encode(batch)
            return {name: head(encoded).float() for name, head in self.outputs.items()}
        tokens = self.model.tokens(batch)
        of_rows = any(not one.of for one in self.kinds.values())
        encoded = self.model.aggregate(tokens, batch) if of_rows else tokens
        return {name: head(tokens if self.kinds[name].of else encoded).float() for name, head in self.outputs.items()}

    def losses(self, found: Mapping[str, Tensor], batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
        """Return the loss (B,) of each target, and in which rows it is known."""
        return {name: self._loss(name, found[name], batch) for name in self.kinds}

    def loss(self, batch: Batch) -> Losses:
        """Return the weighted sum."""
        each = self.losses(self.outcomes(batch), batch)
        parts = {name: weighted_mean(loss, batch.weight * known) for name, (loss, known) in each.items()}
        total = torch.stack([self.weights[name] * part for name, part in parts.items()]).sum()
        return Losses(total, {name: part.detach() for name, part in parts.items()})

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Return loss and known rows of each target, and which classes of rows and objects are right."""
        found = self.outcomes(batch)
        told: dict[str, Tensor] = {}
        for name, (loss, known) in self.losses(found, batch).items():
            told |= {f"loss {name}": loss, f"known {name}": known.to(loss)}
            if self.kinds[name].kind == "class":
                value, known_values = self._told(name, batch)
                right = ((found[name].argmax(-1) == value) & known_values).to(loss)
                told[f"right {name}"] = right if right.ndim == 1 else _mean_of_objects(right, known_values)
        return told

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Return probabilities of classes, flags and pairs, and real values in their units."""
        told = {}
        for name, found in self.outcomes(batch).items():
            kind = self.kinds[name].kind
            if kind == "class":
                told[name] = found.softmax(-1)
            elif kind == "real":
                standard: Any = self.standards[name]
                told[name] = standard.undone(found)[..., 0]
            else:
                told[name] = found.sigmoid() if kind == "index" else found[..., 0].sigmoid()
        return told

    def watch(self, predictions: Predictions) -> dict[str, float]:
        """Return the sum of the losses, each loss, and the accuracy of each class.

        Raises:
            JetkitError: there are no rows.
        """
        kept = [
            (batch.weight.cpu(), {name: value.cpu() for name, value in found.items()}) for batch, found in predictions
        ]

        def mean(what: str, name: str) -> float:
            return mean_of((weight * found[f"known {name}"], found[f"{what} {name}"]) for weight, found in kept)

        numbers = {f"loss {name}": mean("loss", name) for name in self.kinds}
        right = {f"accuracy {name}": mean("right", name) for name, one in self.kinds.items() if one.kind == "class"}
        total = sum(self.weights[name] * numbers[f"loss {name}"] for name in self.kinds)
        first = {"accuracy": next(iter(right.values()))} if right else {}
        return {"loss": total, **first, **numbers, **right}

    def _told(self, name: str, batch: Batch) -> tuple[Tensor, Bool[Tensor, "B *N"]]:
        """The true values of a target, and where they are known."""
        one = self.kinds[name]
        value = batch.cloud.targets[name] if one.of else batch.targets[name]
        mask = batch.mask if one.of else torch.ones(len(batch), dtype=torch.bool, device=value.device)
        known = {"class": value >= 0, "index": value >= 0, "real": value.isfinite()}.get(one.kind, mask)
        return value, known & mask

    def _loss(self, name: str, found: Tensor, batch: Batch) -> tuple[Float[Tensor, " B"], Bool[Tensor, " B"]]:
        one, (value, known) = self.kinds[name], self._told(name, batch)
        if one.kind == "index":
            pairs = (known.unsqueeze(2) & known.unsqueeze(1)).triu(1)
            same = (value.unsqueeze(2) == value.unsqueeze(1)).to(found)
            each = F.binary_cross_entropy_with_logits(found, same, reduction="none")
            return _mean_of_objects(each.flatten(1), pairs.flatten(1)), pairs.flatten(1).any(1)
        if one.kind == "class":
            each = F.cross_entropy(
                found.flatten(0, -2), torch.where(known, value, 0).long().flatten(), reduction="none"
            )
            each = each.view(known.shape)
        elif one.kind == "flag":
            each = F.binary_cross_entropy_with_logits(found[..., 0], value.to(found), reduction="none")
        else:
            wanted = self.standards[name](torch.where(known, value, 0).to(found).unsqueeze(-1))[..., 0]
            each = F.huber_loss(found[..., 0], wanted, reduction="none")
        if one.of:
            return _mean_of_objects(each, known), known.any(1)
        return torch.where(known, each, 0), known


def _kind(name: str, spec: Spec) -> TargetSpec:
    if name not in spec.targets:
        raise JetkitError(f"the data have no target {name}: they have {', '.join(spec.targets) or 'none'}")
    one = spec.targets[name]
    if one.of and one.of != next(iter(spec.sets)):
        raise JetkitError(f"{name} belongs to {one.of}: only targets of the first collection can be learned here")
    if one.kind == "index" and not one.of:
        raise JetkitError(
            f"{name} is a number of a group, which rows do not have: say what it is, targets={{{name}: real}}"
        )
    if one.kind == "class" and len(one.classes) < 2:
        raise JetkitError(f"{name} should have two classes or more: name them, as data.targets={{{name}: [a, b]}}")
    return one


def _head(model: Backbone, one: TargetSpec) -> nn.Module:
    outputs = len(one.classes) if one.kind == "class" else 1
    if one.kind == "index":
        return PairHead(model.width)
    return TokenHead(model.width, outputs) if one.of else RowHead(model.encoded, outputs)


def _mean_of_objects(each: Float[Tensor, "B N"], known: Bool[Tensor, "B N"]) -> Float[Tensor, " B"]:
    """Mean over the known objects of each row, 0 where there is none."""
    total = torch.where(known, each, 0).sum(1)
    return total / known.sum(1).clamp(min=1)
