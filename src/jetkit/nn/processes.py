"""What a batch that is shared among the processes of a training has in common.

Each process holds a part of the batch, and the gradient is averaged over the processes; a mean over all rows of a
batch, its statistics, and pairs of its rows need those of the others. In a single process nothing is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, distributed

_ALONE = ContextVar("alone", default=False)


@contextmanager
def alone() -> Iterator[None]:
    """Within, each process has a batch of its own, such as the same validation jets."""
    before = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(before)


def processes() -> int:
    """How many share a batch."""
    if _ALONE.get():
        return 1
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def total(values: Tensor) -> Tensor:
    """Sum over the processes, with its gradient.

    Example:
        >>> total(torch.ones(2))
        tensor([1., 1.])
    """
    if processes() == 1:
        return values
    found: Tensor = _Total.apply(values)  # type: ignore[no-untyped-call]
    return found


class _Total(torch.autograd.Function):
    """The sum over the processes, whose gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        found = values.clone()
        distributed.all_reduce(found)
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        found = gradient.contiguous().clone()
        distributed.all_reduce(found)
        return found


def shared_mean(values: Float[Tensor, "M *any"]) -> Float[Tensor, ""]:
    """What is averaged over the processes to the mean of all their values, of which each has another number.

    Example:
        >>> shared_mean(torch.tensor([1.0, 2.0, 6.0]))
        tensor(3.)
    """
    if processes() == 1:
        return values.mean()
    count = total(values.new_tensor(float(values.numel())))
    return values.sum() * processes() / count


def shared_moments(values: Float[Tensor, "M D"]) -> tuple[Float[Tensor, " D"], Float[Tensor, " D"]]:
    """Mean and variance (with M in the denominator) of each column over the rows of all processes.

    Example:
        >>> shared_moments(torch.tensor([[1.0], [3.0]]))
        (tensor([2.]), tensor([1.]))
    """
    if processes() == 1:
        variance, mean = torch.var_mean(values, 0, unbiased=False)
        return mean, variance
    count = total(values.new_tensor(float(len(values))))
    mean = total(values.sum(0)) / count
    return mean, total((values - mean).square().sum(0)) / count


def shared_covariance(values: Float[Tensor, "M D"]) -> tuple[Float[Tensor, " D"], Float[Tensor, "D D"]]:
    """Mean of each column over the rows of all processes, and covariance (with M in the denominator) of each two.

    Example:
        >>> shared_covariance(torch.tensor([[1.0, 0.0], [3.0, -2.0]]))
        (tensor([ 2., -1.]), tensor([[ 1., -1.],
                [-1.,  1.]]))
    """
    count = total(values.new_tensor(float(len(values))))
    mean = total(values.sum(0)) / count
    rest = values - mean
    return mean, total(rest.T @ rest) / count


def gathered(values: Float[Tensor, "M D"]) -> Float[Tensor, "all D"]:
    """The rows of all processes, one process after the other, with their gradients.

    Example:
        >>> gathered(torch.ones(2, 3)).shape
        torch.Size([2, 3])
    """
    if processes() == 1:
        return values
    counts = torch.zeros(processes(), dtype=torch.long, device=values.device)
    counts[distributed.get_rank()] = len(values)
    distributed.all_reduce(counts)
    first = int(counts[: distributed.get_rank()].sum())
    rows = torch.arange(first, first + len(values), device=values.device)
    return total(values.new_zeros(int(counts.sum()), values.shape[1]).index_copy(0, rows, values))
