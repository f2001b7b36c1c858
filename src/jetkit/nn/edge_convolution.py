"""Edge convolution on a graph of nearest neighbours, over real particles only."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.nn.backend import allows_fast, exporting
from jetkit.nn.fast import linear as fast
from jetkit.nn.packing import packed, pad, row_numbers
from jetkit.nn.precision import full_precision


def nearest_neighbours(points: Float[Tensor, "M D"], mask: Bool[Tensor, "B N"], k: int) -> Int[Tensor, "M k"]:
    """Rows of the k particles of the same jet that are nearest to each particle, itself left out.

    Rows count the M real particles of the batch. Where a jet has fewer than k others, the rest is M: no particle.

    Example:
        >>> mask = torch.tensor([[True, True, True]])
        >>> nearest_neighbours(torch.tensor([[0.0], [1.0], [3.0]]), mask, k=1)[:, 0]
        tensor([1, 0, 1])
    """
    more = k + 1 if exporting() else max(k + 1 - mask.shape[1], 0)  # places, for k others at least
    real = F.pad(mask, (0, more))
    placed = pad(points.detach().to(torch.promote_types(points.dtype, torch.float32)), mask)
    placed = F.pad(placed, (0, 0, 0, more))
    with full_precision(placed):
        squares = placed.square().sum(-1)
        distance = squares.unsqueeze(1) - 2 * placed @ placed.mT + squares.unsqueeze(2)
    # A padded place is far, the particle itself farther.
    distance.masked_fill_(~real.unsqueeze(1), torch.finfo(distance.dtype).max)
    distance.masked_fill_(torch.eye(real.shape[1], dtype=torch.bool, device=real.device), torch.inf)
    nearest = distance[:, : mask.shape[1]].topk(k, largest=False, sorted=False).indices  # (B, N, k)
    rows = F.pad(row_numbers(mask), (0, more), value=-1)
    found = packed(rows.gather(1, nearest.flatten(1)).view_as(nearest), mask)
    return torch.where(found < 0, points.shape[0], found)


def linear_on_edges(
    x: Float[Tensor, "M F"], neighbours: Int[Tensor, "M k"], linear: nn.Linear
) -> Float[Tensor, "M k W"]:
    """Return W(x_i, x_j − x_i) + b of each edge, with x_j = 0 where a neighbour is no particle.

    Example:
        >>> linear = nn.Linear(2, 1, bias=False)
        >>> _ = linear.weight.data.copy_(torch.tensor([[10.0, 1.0]]))
        >>> linear_on_edges(torch.tensor([[1.0], [3.0]]), torch.tensor([[1], [2]]), linear)[..., 0]
        tensor([[12.],
                [27.]], grad_fn=<SelectBackward0>)
    """
    if allows_fast(linear):
        return fast.linear_on_edges(x, neighbours, linear)
    other = F.pad(x, (0, 0, 0, 1))[neighbours]
    centre = x.unsqueeze(1).expand_as(other)
    edges: Tensor = linear(torch.cat([centre, other - centre], -1))
    return edges


class EdgeConvolution(nn.Module):
    """x_i ← ReLU(S(x_i) + mean_j M(x_i, x_j − x_i)) over the neighbours j of i.

    M is a perceptron of linear layers without bias, each with batch normalisation and ReLU; S is linear with batch
    normalisation, or the identity where the width stays.

    Source: Dynamic Graph CNN for Learning on Point Clouds, 2018, arXiv:1801.07829, with the mean of ParticleNet.

    Args:
        features: width of the input
        widths: widths of the layers of M

    Example:
        >>> block = EdgeConvolution(7, (64, 64, 64))
        >>> block(torch.randn(3, 7), torch.tensor([[1, 2], [0, 2], [0, 1]])).shape
        torch.Size([3, 64])
    """

    def __init__(self, features: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in pairwise([2 * features, *widths]))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in widths)
        self.shortcut: nn.Module = nn.Identity()
        if features != widths[-1]:
            self.shortcut = nn.Sequential(nn.Linear(features, widths[-1], bias=False), nn.BatchNorm1d(widths[-1]))

    def forward(self, x: Float[Tensor, "M D"], neighbours: Int[Tensor, "M k"]) -> Float[Tensor, "M W"]:
        """New features of the M real particles."""
        edges = linear_on_edges(x, neighbours, cast(nn.Linear, self.layers[0]))
        edges = F.relu(self.norms[0](edges.flatten(0, 1)))
        for layer, norm in zip(self.layers[1:], self.norms[1:], strict=True):
            edges = F.relu(norm(layer(edges)))
        return F.relu(self.shortcut(x) + edges.view(*neighbours.shape, -1).mean(1))
