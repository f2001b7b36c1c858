"""Linear layers together with batch normalisations before or behind them, or with the edges they act on."""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.nn.shared_batch_norm import batch_statistics


def normalised_perceptron(x: Float[Tensor, "P A"], layers: nn.Sequential) -> Float[Tensor, "P B"]:
    """Return what a normalisation and layers of a matrix, a normalisation and GELU make of rows without gradient."""
    norm, *rest = layers
    if layers.training:
        first = normalised_linear(x, cast(nn.BatchNorm1d, norm), cast(nn.Linear, rest[0]))
        embedded: Tensor = layers[2:](first)
        return embedded
    x = norm(x)
    linears, norms = cast(list[nn.Linear], rest[::3]), cast(list[nn.BatchNorm1d], rest[1::3])
    for linear, behind, gelu in zip(linears, norms, rest[2::3], strict=True):
        x = gelu(F.linear(x, *folded(linear, behind)))
    return x


def normalised_linear(x: Float[Tensor, "P A"], norm: nn.BatchNorm1d, linear: nn.Linear) -> Float[Tensor, "P B"]:
    """Return a linear layer behind a batch normalisation of rows that have no gradient, as one product.

    Scale and shift of the normalisation go into the small matrix, so that its gradient needs no pass over the rows.

    Example:
        >>> x, norm, linear = torch.randn(5, 2), nn.BatchNorm1d(2), nn.Linear(2, 3)
        >>> torch.allclose(normalised_linear(x, norm, linear), linear(norm(x)), atol=1e-6)
        True
    """
    mean, variance = batch_statistics(norm, x)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    matrix = (linear.weight * scale).T.contiguous()  # the gradient of a transposed one takes longer
    return torch.addmm(linear.bias + linear.weight @ norm.bias, x - mean, matrix)


def folded(linear: nn.Linear, norm: nn.BatchNorm1d) -> tuple[Float[Tensor, "B A"], Float[Tensor, "B"]]:
    """Return matrix and bias of a linear layer and the batch normalisation behind it, as one layer in evaluation mode.

    Example:
        >>> linear, norm = nn.Linear(2, 3), nn.BatchNorm1d(3).eval()
        >>> x = torch.randn(5, 2)
        >>> torch.allclose(F.linear(x, *folded(linear, norm)), norm(linear(x)), atol=1e-6)
        True
    """
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return linear.weight * scale[:, None], (linear.bias - norm.running_mean) * scale + norm.bias


def linear_on_edges(
    x: Float[Tensor, "M F"], neighbours: Int[Tensor, "M k"], linear: nn.Linear
) -> Float[Tensor, "M k W"]:
    """Return W(x_i, x_j − x_i) + b of each edge, from products with particles: (W₁ − W₂) x_i + W₂ x_j + b."""
    of_centre, of_edge = linear.weight.chunk(2, dim=1)
    centre = F.linear(x, of_centre - of_edge, linear.bias)
    other = F.pad(F.linear(x, of_edge), (0, 0, 0, 1))  # the last row is no particle: zero
    return other.index_select(0, neighbours.flatten()).view(*neighbours.shape, -1) + centre.unsqueeze(1)


def linear_on_links(x: Float[Tensor, "M F"], links: Int[Tensor, "2 E"], linear: nn.Linear) -> Float[Tensor, "E W"]:
    """Return W(x_i, x_j − x_i) of each link from j to i, from products with nodes."""
    begin, end = links
    of_centre, of_edge = linear.weight.chunk(2, dim=1)
    return (x @ (of_centre - of_edge).T).index_select(0, end) + (x @ of_edge.T).index_select(0, begin)
