"""Batch normalisation whose batch is shared among processes, on any device."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jetkit.nn.processes import processes, shared_moments, total


class SharedBatchNorm(nn.BatchNorm1d):
    """Batch normalisation with the mean and the variance of the rows of all processes.

    torch's own (`torch.nn.SyncBatchNorm`) knows no processors. Parameters and state are those of BatchNorm1d; a row is
    a vector of the features, or such a vector at one of the places of a last axis.

    Example:
        >>> norm = nn.Sequential(nn.BatchNorm1d(3))
        >>> type(share_statistics(norm)[0]).__name__, list(norm.state_dict())[:2]
        ('SharedBatchNorm', ['0.weight', '0.bias'])
    """

    def forward(self, input: Float[Tensor, "B D *places"]) -> Float[Tensor, "B D *places"]:
        """The input less its mean and over its standard deviation, times weight, plus bias."""
        if not self.training or processes() == 1:
            return super().forward(input)
        rows = input.movedim(1, -1)
        flat = rows.reshape(-1, input.shape[1])
        mean, variance = shared_moments(flat)
        remember(self, mean.detach(), variance.detach(), total(flat.new_tensor(float(len(flat)))))
        normed = (rows - mean) * (variance + self.eps).rsqrt()
        if self.affine:
            normed = normed * self.weight + self.bias
        return normed.movedim(-1, 1)


def share_statistics(model: nn.Module) -> nn.Module:
    """Let all batch normalisations of vectors in a model use the batches of all processes; gives the model."""
    for part in model.modules():
        if type(part) is nn.BatchNorm1d:
            part.__class__ = SharedBatchNorm
    return model


@torch.no_grad()
def remember(
    norm: nn.BatchNorm1d, mean: Float[Tensor, " D"], variance: Float[Tensor, " D"], count: Float[Tensor, ""]
) -> None:
    """Move the running statistics by those of a batch of so many rows, as BatchNorm1d does."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked += 1
    share = 1 / norm.num_batches_tracked.item() if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean.to(norm.running_mean), share)
    norm.running_var.lerp_((variance * count / (count - 1)).to(norm.running_var), share)
