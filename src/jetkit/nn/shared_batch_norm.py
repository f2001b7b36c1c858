"""Batch normalisation whose batch is shared among processes, on any device."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from jetkit.nn.processes import alone, processes, total


class SharedBatchNorm(nn.BatchNorm1d):
    """Batch normalisation with the mean and the variance of the rows of all processes.

    torch's own (`torch.nn.SyncBatchNorm`) knows no processors. Parameters and state are those of BatchNorm1d; a row is
    a vector of the features, or such a vector at one of the places of a last axis. Among several processes its gradient
    can not be differentiated again.

    Example:
        >>> norm = nn.Sequential(nn.BatchNorm1d(3))
        >>> type(share_statistics(norm)[0]).__name__, list(norm.state_dict())[:2]
        ('SharedBatchNorm', ['0.weight', '0.bias'])
    """

    def forward(self, input: Float[Tensor, "B D *places"]) -> Float[Tensor, "B D *places"]:
        """The input less its mean and over its standard deviation, times weight, plus bias."""
        if not self.training or processes() == 1:
            return super().forward(input)
        moments = _moments(input.detach())
        remember(self, *moments)
        found: Tensor = _Normalised.apply(input, self.weight, self.bias, *moments, self.eps)  # type: ignore[no-untyped-call]
        return found


def share_statistics(model: nn.Module) -> nn.Module:
    """Let all batch normalisations of vectors in a model use the batches of all processes; gives the model."""
    for part in model.modules():
        if type(part) is nn.BatchNorm1d:
            part.__class__ = SharedBatchNorm
    return model


def batch_statistics(norm: nn.BatchNorm1d, x: Float[Tensor, "B D"]) -> tuple[Float[Tensor, " D"], Float[Tensor, " D"]]:
    """Mean and variance that normalise rows: their own in training, which are remembered, else the running ones."""
    if not norm.training and norm.running_mean is not None and norm.running_var is not None:
        return norm.running_mean, norm.running_var
    with nullcontext() if isinstance(norm, SharedBatchNorm) else alone():
        mean, variance, count = _moments(x.detach())
    remember(norm, mean, variance, count)
    return mean.to(x.dtype), variance.to(x.dtype)


@torch.no_grad()
def remember(
    norm: nn.BatchNorm1d, mean: Float[Tensor, " D"], variance: Float[Tensor, " D"], count: Float[Tensor, ""]
) -> None:
    """Move the running statistics, as BatchNorm1d does."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked += 1
    share = 1 / norm.num_batches_tracked.item() if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean.to(norm.running_mean), share)
    norm.running_var.lerp_((variance * count / (count - 1)).to(norm.running_var), share)


def _moments(x: Float[Tensor, "B D *places"]) -> tuple[Float[Tensor, " D"], Float[Tensor, " D"], Float[Tensor, ""]]:
    """Mean, variance and number of the rows of all processes, in double precision."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    mean, variance = (part.double() for part in torch.batch_norm_update_stats(wide, None, None, 0.0))
    rows = x.numel() // x.shape[1]
    sums = total(rows * torch.cat([mean, variance + mean.square(), mean.new_ones(1)]))
    mean, square = (sums[:-1] / sums[-1]).chunk(2)
    return mean, (square - mean.square()).clamp(min=0), sums[-1]


class _Normalised(torch.autograd.Function):
    """γ u + β with u = (x − μ)/σ; with its gradient g, that of x is γ/σ · (g − ⟨g⟩ − u ⟨g u⟩)."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mean: Tensor,
        variance: Tensor,
        count: Tensor,
        eps: float,
    ) -> Tensor:
        kind = torch.promote_types(x.dtype, torch.float32)
        statistics = mean.to(kind), variance.to(kind)
        ctx.save_for_backward(x, weight, *statistics, count)
        ctx.eps = eps
        return F.batch_norm(x.to(kind), *statistics, weight, bias, training=False, eps=eps).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, variance, count = ctx.saved_tensors
        wide, gradient = x.to(mean.dtype), gradient.to(mean.dtype)
        _, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, wide, torch.ones_like(mean), mean, variance, None, None, False, ctx.eps, [False, True, True]
        )
        of_parameters = (None, None) if weight is None else (of_weight, of_bias)
        if not ctx.needs_input_grad[0]:
            return None, *of_parameters, None, None, None, None
        along, level = (total(torch.stack([of_weight, of_bias]).double()) / count).to(mean.dtype)
        inverse = torch.rsqrt(variance + ctx.eps)
        scale = inverse if weight is None else inverse * weight
        slope = -scale * along * inverse
        columns = (slice(None), *[None] * (x.dim() - 2))
        found = torch.addcmul((-scale * level - slope * mean)[columns], wide, slope[columns])
        found.addcmul_(gradient, scale[columns])
        return found.to(x.dtype), *of_parameters, None, None, None, None
