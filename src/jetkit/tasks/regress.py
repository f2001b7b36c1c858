"""Regress one or several quantities of a row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec
from jetkit.errors import JetkitError
from jetkit.models.model import Encoder
from jetkit.nn.heads import RowHead
from jetkit.nn.standardisation import Standardisation
from jetkit.registry import register
from jetkit.tasks.task import TASK, Losses, Predictions, Task, mean_of, weighted_mean

How = Literal["mse", "huber", "quantiles", "gaussian"]


@register("regress", kind=TASK)
class Regress(Task):
    """A linear head that predicts columns of the row, standardised over the first training rows, by ``how``:

    - ``mse``: (ŷ − y)², whose best answer is the mean;
    - ``huber``: (ŷ − y)²/2 up to δ, then δ (|ŷ − y| − δ/2) (Robust Estimation of a Location Parameter, 1964,
      doi:10.1214/aoms/1177703732);
    - ``quantiles``: max(q u, (q − 1) u) with u = y − ŷ_q for each quantile q (Regression Quantiles, 1978,
      doi:10.2307/1913643);
    - ``gaussian``: −ln N(y; μ, σ) = ln σ + (y − μ)²/2σ² + ½ ln 2π, with ln σ between −7 and 7 (Estimating the mean and
      variance of the target probability distribution, 1994, doi:10.1109/ICNN.1994.374138).

    Args:
        targets: columns to predict
        how: mse, huber, quantiles or gaussian
        quantiles: that are predicted with how=quantiles, rising
        delta: δ of huber, in standard deviations of the target

    Raises:
        JetkitError: no target, one that is no number of the row, or quantiles that do not rise within 0 and 1.

    Example:
        >>> from jetkit.data.spec import TargetSpec
        >>> from jetkit.models import PFN
        >>> spec = Spec({"part": Spec.of(("z",)).cloud}, targets={"jet_mass": TargetSpec("real")})
        >>> task = Regress(PFN(spec), spec, targets=("jet_mass",))
        >>> mask = torch.ones(3, 4, dtype=torch.bool)
        >>> batch = Batch.of(torch.ones(3, 4, 1), mask, targets={"jet_mass": torch.tensor([80.0, 90.0, 100.0])})
        >>> task.loss(batch).total.shape, task(batch).shape
        (torch.Size([]), torch.Size([3]))
    """

    metrics: ClassVar[Mapping[str, Literal["max", "min"]]] = {"loss": "min", "mae": "min"}
    result: ClassVar[str] = "regression"
    model: Encoder

    def __init__(
        self,
        model: Encoder,
        spec: Spec,
        *,
        targets: tuple[str, ...] = (),
        how: How = "huber",
        quantiles: tuple[float, ...] = (0.16, 0.5, 0.84),
        delta: float = 1.0,
    ) -> None:
        super().__init__(model, spec)
        _refuse_targets(targets, spec)
        if list(quantiles) != sorted(set(quantiles)) or not quantiles or not 0 < quantiles[0] <= quantiles[-1] < 1:
            raise JetkitError(f"quantiles should rise within 0 and 1, got {quantiles}")
        if delta <= 0:
            raise JetkitError(f"delta should be positive, got {delta}")
        self.targets, self.how, self.delta = targets, how, delta
        self.levels = quantiles
        self.outputs = {"quantiles": len(quantiles), "gaussian": 2}.get(how, 1)
        self.head = RowHead(model.encoded, self.outputs * len(targets))
        self.standard = Standardisation(len(targets))

    @classmethod
    def needs_of(cls, options: Mapping[str, Any]) -> Needs:
        """Return the need of the columns to predict."""
        return Needs(targets=tuple(options.get("targets", ())))

    @property
    def heads(self) -> Mapping[str, nn.Module]:
        """The head, and the units of what it predicts."""
        return {"row": self.head, "units": self.standard}

    @torch.no_grad()
    def prepare(self, batches: Iterable[Batch]) -> None:
        """Standardise the targets on these rows."""
        self.standard.fit(torch.cat([self.wanted(batch) for batch in batches]).to(self.standard.mean))

    def wanted(self, batch: Batch) -> Float[Tensor, "B T"]:
        """Return the true values."""
        return torch.stack([batch.targets[name] for name in self.targets], 1).to(self.head.weight.dtype)

    def outcome(self, batch: Batch) -> Float[Tensor, "B T K"]:
        """Return what the head says of each target, in standard deviations."""
        found: Tensor = self.head(self.model.encode(batch)).float()
        return found.view(found.shape[0], len(self.targets), self.outputs)

    def losses(self, found: Float[Tensor, "B T K"], batch: Batch) -> Float[Tensor, " B"]:
        """Return the loss of each row, the mean over its targets."""
        y = self.standard(self.wanted(batch)).float()
        if self.how == "quantiles":
            u, q = y.unsqueeze(2) - found, found.new_tensor(self.levels)
            each = torch.maximum(q * u, (q - 1) * u).mean(2)
        elif self.how == "gaussian":
            mean, log_sigma = found[..., 0], found[..., 1].clamp(-7, 7)
            each = log_sigma + (y - mean).square() / (2 * (2 * log_sigma).exp()) + 0.5 * math.log(2 * math.pi)
        elif self.how == "huber":
            each = F.huber_loss(found[..., 0], y, reduction="none", delta=self.delta)
        else:
            each = (found[..., 0] - y).square()
        return each.mean(1)

    def loss(self, batch: Batch) -> Losses:
        """Return the weighted mean of the losses."""
        total = weighted_mean(self.losses(self.outcome(batch), batch), batch.weight)
        return Losses(total, {self.how: total.detach()})

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Return the predictions and the loss of each row, and its absolute error in standard deviations.

        Of several values a row, the mean or the quantile nearest to one half stands beside them as ``NAME central``.
        """
        found = self.outcome(batch)
        middle = self._central(found)
        error = (middle - self.standard(self.wanted(batch))).abs().mean(1)
        told = self._in_units(found)
        if self.outputs > 1:
            central = self.standard.undone(middle).T
            told |= {f"{name} central": value for name, value in zip(self.targets, central, strict=True)}
        return {**told, "loss": self.losses(found, batch), "error": error}

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Return the prediction of each target in its unit: a value, (mean, σ), or the quantiles."""
        return self._in_units(self.outcome(batch))

    def watch(self, predictions: Predictions) -> dict[str, float]:
        """Return the mean loss and the mean absolute error, both in standard deviations of the targets.

        Raises:
            JetkitError: there are no rows.
        """
        parts = [(batch.weight, found["loss"], found["error"]) for batch, found in predictions]
        return {
            "loss": mean_of((weight, loss) for weight, loss, _ in parts),
            "mae": mean_of((weight, error) for weight, _, error in parts),
        }

    def _central(self, found: Float[Tensor, "B T K"]) -> Float[Tensor, "B T"]:
        """One value for each target: the mean, or the quantile nearest to one half."""
        nearest = min(range(len(self.levels)), key=lambda place: abs(self.levels[place] - 0.5))
        return found[..., nearest if self.how == "quantiles" else 0]

    def _in_units(self, found: Float[Tensor, "B T K"]) -> dict[str, Tensor]:
        scale = self.standard.scale.to(found)
        told = {}
        for place, name in enumerate(self.targets):
            if self.how == "gaussian":
                mean = self.standard.undone(found[..., 0])[:, place]
                told[name] = torch.stack([mean, found[:, place, 1].clamp(-7, 7).exp() * scale[place]], 1)
            else:
                each = found[:, place] * scale[place] + self.standard.mean.to(found)[place]
                told[name] = each if self.how == "quantiles" else each[:, 0]
        return told


def _refuse_targets(targets: tuple[str, ...], spec: Spec) -> None:
    if not targets:
        raise JetkitError("regress needs columns to predict: write task.targets=[jet_mass]")
    for name in targets:
        if name not in spec.targets:
            raise JetkitError(f"the data have no target {name}: they have {', '.join(spec.targets) or 'none'}")
        if spec.targets[name].of:
            raise JetkitError(f"{name} is a quantity of each object of {spec.targets[name].of}: use task=multi-task")
        if spec.targets[name].kind == "class":
            raise JetkitError(f"{name} is a class and no number: use task=classify or task=multi-task")
