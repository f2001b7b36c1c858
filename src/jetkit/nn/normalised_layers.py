"""Linear layers with batch normalisation and GELU on very many rows, a piece of them at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from jetkit.kernels import kernel
from jetkit.nn.gelu import in_compiled_loops, value_and_slope
from jetkit.nn.processes import processes, total
from jetkit.nn.shared_batch_norm import SharedBatchNorm, remember

PIECE = 2048
"""Rows of which all that a sweep needs stays in the cache of a processor."""
BLOCK = 128
"""Rows whose sums are taken in single precision."""


def normalised_layers(
    x: Float[Tensor, "M A"], linears: Sequence[nn.Linear], norms: Sequence[nn.BatchNorm1d]
) -> Float[Tensor, "M Z"]:
    """x ← GELU(norm(W x + b)), layer by layer.

    Rows of 64 numbers in the millions leave the cache of a processor, so that each operation costs the time of moving
    them; PyTorch has about ten in a layer, with the gradients. In training on one thread there are two sweeps here:
    forward from the sums of one layer to those of the next, backward the same way; only the sums W x + b are kept, the
    rest is computed again. b is of no effect before the normalisation, and has the gradient 0.

    Example:
        >>> x, linear, norm = torch.randn(9, 4), nn.Linear(4, 3), nn.BatchNorm1d(3)
        >>> torch.allclose(normalised_layers(x, [linear], [norm]), F.gelu(norm(linear(x))), atol=1e-5)
        True
    """
    if not (in_compiled_loops(x, threads=1) and all(norm.training for norm in norms) and len(x) > 1):
        for linear, norm in zip(linears, norms, strict=True):
            x = F.gelu(norm(linear(x)))
        return x
    weights = [w for layer in zip(linears, norms, strict=True) for part in layer for w in (part.weight, part.bias)]
    found: Tensor = _Layers.apply(x, linears, norms, *weights)  # type: ignore[no-untyped-call]
    return found


class _Normal(NamedTuple):
    """Normalised are (a − centre) · scale + bias."""

    centre: Float[np.ndarray, " D"]
    scale: Float[np.ndarray, " D"]
    bias: Float[np.ndarray, " D"]
    inverse: Float[Tensor, " D"]
    """1/σ of the batch."""
    rows: Float[Tensor, ""]
    """Number of rows of the batch."""
    shared: bool
    """Whether the batch is that of all processes."""

    def activated(self, a: Float[np.ndarray, "m D"]) -> tuple[Float[Tensor, "m D"], Float[Tensor, "m D"]]:
        """GELU of the normalised, and its slope."""
        value, slope = torch.empty(2, *a.shape)
        _activate(a, self.centre, self.scale, self.bias, value.numpy(), slope.numpy())
        return value, slope


class _Layers(torch.autograd.Function):
    """With u = (a − μ)/σ and the gradient g of γ u + β, that of a is γ/σ · (g − ⟨g⟩ − u ⟨g u⟩)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, linears: Sequence[nn.Linear], norms: Sequence[nn.BatchNorm1d], *_: Tensor
    ) -> Tensor:
        known = [x.contiguous()]
        normals: list[_Normal | None] = [None]
        for linear, norm in zip(linears, norms, strict=True):
            a, sums = _forward_sweep(known[-1], normals[-1], linear)
            known.append(a)
            normals.append(_normal(a, sums, norm))
        ctx.save_for_backward(*known, *(linear.weight for linear in linears))
        ctx.normals = normals
        last = torch.empty_like(known[-1])
        for piece in _pieces(last):
            last[piece] = _input(known[-1][piece], normals[-1])[0]
        return last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        depth = len(ctx.normals) - 1
        known, weights = ctx.saved_tensors[: depth + 1], ctx.saved_tensors[depth + 1 :]
        g, sums = _last_sweep(gradient.contiguous(), known[-1], ctx.normals[-1])
        found: list[Tensor | None] = []
        for layer in reversed(range(depth)):
            normal: _Normal = ctx.normals[layer + 1]
            of_norm = [(sums[1] * normal.inverse).float(), sums[0].float()]
            pull = _pull(normal, sums)
            before = known[layer], ctx.normals[layer]
            g, sums, of_weight = _backward_sweep(g, known[layer + 1], pull, weights[layer], *before)
            found = [of_weight, torch.zeros(len(of_weight)), *of_norm, *found]
        return g, None, None, *found


def _pieces(rows: Float[Tensor, "M D"]) -> Iterator[slice]:
    for first in range(0, len(rows), PIECE):
        yield slice(first, min(first + PIECE, len(rows)))


def _input(a: Float[Tensor, "m D"], normal: _Normal | None) -> tuple[Float[Tensor, "m D"], Float[Tensor, "m D"] | None]:
    """What a layer is given, from the sums of the one before; the first is given the rows themselves. And its slope."""
    return (a, None) if normal is None else normal.activated(a.numpy())


def _forward_sweep(
    a: Float[Tensor, "M A"], normal: _Normal | None, linear: nn.Linear
) -> tuple[Float[Tensor, "M D"], Float[Tensor, "2 D"]]:
    """W x + b of all rows, and the sums of it, and of its square, about that of the first row."""
    found = torch.empty(len(a), linear.out_features)
    sums = torch.zeros(2, linear.out_features, dtype=torch.float64)
    for piece in _pieces(a):
        torch.addmm(linear.bias, _input(a[piece], normal)[0], linear.weight.T, out=found[piece])
        _add_moments(found[piece].numpy(), found[0].numpy(), sums.numpy())
    return found, sums


def _normal(a: Float[Tensor, "M D"], sums: Float[Tensor, "2 D"], norm: nn.BatchNorm1d) -> _Normal:
    """From the sums of the rows of this process; moves the running statistics."""
    shared = isinstance(norm, SharedBatchNorm) and processes() > 1
    first, second = sums / len(a)
    mean = a[0] + first
    moments = torch.cat([mean, second - first**2 + mean**2, mean.new_ones(1)]) * len(a)
    moments = total(moments) if shared else moments
    count = moments[-1]
    mean, square = (moments[:-1] / count).chunk(2)
    variance = (square - mean**2).clamp(min=0)
    remember(norm, mean, variance, count)
    inverse = (variance + norm.eps).rsqrt()
    centre, scale, bias = (values.detach().float().numpy() for values in (mean, inverse * norm.weight, norm.bias))
    return _Normal(centre, scale, bias, inverse, count, shared)


class _Pull(NamedTuple):
    """Takes the gradient of what is normalised back to the sums: γ/σ · (g − ⟨g⟩ − (a − μ) ⟨g (a − μ)⟩/σ²)."""

    centre: Float[np.ndarray, " D"]
    scale: Float[np.ndarray, " D"]
    mean: Float[np.ndarray, " D"]
    along: Float[np.ndarray, " D"]

    def back(self, g: Float[Tensor, "m D"], a: Float[Tensor, "m D"]) -> Float[Tensor, "m D"]:
        """Gradient of the sums of some rows."""
        found = torch.empty_like(g)
        _pull_back(g.numpy(), a.numpy(), *self, found.numpy())
        return found


def _pull(normal: _Normal, sums: Float[Tensor, "2 D"]) -> _Pull:
    """From Σ g and Σ g (a − μ) over the rows of this process."""
    mean, along = (total(sums) if normal.shared else sums) / normal.rows
    return _Pull(normal.centre, normal.scale, mean.float().numpy(), (along * normal.inverse**2).float().numpy())


def _last_sweep(
    gradient: Float[Tensor, "M D"], a: Float[Tensor, "M D"], normal: _Normal
) -> tuple[Float[Tensor, "M D"], Float[Tensor, "2 D"]]:
    """Gradient g of what the last GELU is taken of, Σ g and Σ g (a − μ)."""
    g, sums = torch.empty_like(a), torch.zeros(2, a.shape[1], dtype=torch.float64)
    for piece in _pieces(a):
        _, slope = normal.activated(a[piece].numpy())
        given, rows = gradient[piece].numpy(), a[piece].numpy()
        _add_gradients(given, slope.numpy(), rows, normal.centre, g[piece].numpy(), sums.numpy())
    return g, sums


def _backward_sweep(
    g: Float[Tensor, "M D"],
    a: Float[Tensor, "M D"],
    pull: _Pull,
    weight: Float[Tensor, "D A"],
    before: Float[Tensor, "M A"],
    normal: _Normal | None,
) -> tuple[Float[Tensor, "M A"], Float[Tensor, "2 A"], Float[Tensor, "D A"]]:
    """The same of the layer before (of the rows themselves there are no sums), and the gradient of the weights."""
    found, sums = torch.empty_like(before), torch.zeros(2, before.shape[1], dtype=torch.float64)
    of_weight = torch.zeros_like(weight)
    for piece in _pieces(a):
        pulled = pull.back(g[piece], a[piece])
        value, slope = _input(before[piece], normal)
        of_weight.addmm_(pulled.T, value)
        torch.mm(pulled, weight, out=found[piece])
        if slope is not None and normal is not None:
            here = found[piece].numpy()
            _add_gradients(here, slope.numpy(), before[piece].numpy(), normal.centre, here, sums.numpy())
    return found, sums, of_weight


@kernel
def _activate(
    a: Float[np.ndarray, "m D"],
    centre: Float[np.ndarray, " D"],
    scale: Float[np.ndarray, " D"],
    bias: Float[np.ndarray, " D"],
    value: Float[np.ndarray, "m D"],
    slope: Float[np.ndarray, "m D"],
) -> None:
    for row in range(a.shape[0]):
        for k in range(a.shape[1]):
            value[row, k], slope[row, k] = value_and_slope((a[row, k] - centre[k]) * scale[k] + bias[k])


@kernel
def _add_moments(a: Float[np.ndarray, "m D"], start: Float[np.ndarray, " D"], sums: Float[np.ndarray, "2 D"]) -> None:
    for first in range(0, a.shape[0], BLOCK):
        part = np.zeros((2, a.shape[1]), np.float32)
        for row in range(first, min(a.shape[0], first + BLOCK)):
            for k in range(a.shape[1]):
                value = a[row, k] - start[k]
                part[0, k] += value
                part[1, k] += value * value
        sums += part


@kernel
def _add_gradients(
    gradient: Float[np.ndarray, "m D"],
    slope: Float[np.ndarray, "m D"],
    a: Float[np.ndarray, "m D"],
    centre: Float[np.ndarray, " D"],
    g: Float[np.ndarray, "m D"],
    sums: Float[np.ndarray, "2 D"],
) -> None:
    """g, Σ g and Σ g (a − μ)."""
    for first in range(0, a.shape[0], BLOCK):
        part = np.zeros((2, a.shape[1]), np.float32)
        for row in range(first, min(a.shape[0], first + BLOCK)):
            for k in range(a.shape[1]):
                value = gradient[row, k] * slope[row, k]
                g[row, k] = value
                part[0, k] += value
                part[1, k] += value * (a[row, k] - centre[k])
        sums += part


@kernel
def _pull_back(
    g: Float[np.ndarray, "m D"],
    a: Float[np.ndarray, "m D"],
    centre: Float[np.ndarray, " D"],
    scale: Float[np.ndarray, " D"],
    mean: Float[np.ndarray, " D"],
    along: Float[np.ndarray, " D"],
    found: Float[np.ndarray, "m D"],
) -> None:
    for row in range(a.shape[0]):
        for k in range(a.shape[1]):
            found[row, k] = scale[k] * (g[row, k] - mean[k] - (a[row, k] - centre[k]) * along[k])
