"""Edge convolution on a graph that is given."""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.nn.backend import allows_fast
from jetkit.nn.edge_convolution import EdgeConvolution
from jetkit.nn.fast.linear import linear_on_links


class GraphConvolution(EdgeConvolution):
    """x_i ← ReLU(S(x_i) + mean_j M(x_i, x_j − x_i)) over the edges j → i of a graph, 0 being the mean of none.

    M and S are those of `EdgeConvolution`. Mean and batch normalisation know the edges that there are and no others,
    however many a node has.

    Source: Dynamic Graph CNN for Learning on Point Clouds, 2018, arXiv:1801.07829.

    Args:
        features: width of the input
        widths: widths of the layers of M

    Example:
        >>> block = GraphConvolution(3, (32, 32))
        >>> block(torch.randn(3, 3), torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])).shape
        torch.Size([3, 32])
    """

    def forward(self, x: Float[Tensor, "M D"], edges: Int[Tensor, "2 E"]) -> Float[Tensor, "M W"]:
        """New features of the M nodes; ``edges`` has the node where each begins, and where it ends."""
        begin, end = edges
        first = cast(nn.Linear, self.layers[0])
        if allows_fast(first):
            messages = linear_on_links(x, edges, first)
        else:
            messages = first(torch.cat([x[end], x[begin] - x[end]], 1))
        messages = F.relu(self.norms[0](messages))
        for layer, norm in zip(self.layers[1:], self.norms[1:], strict=True):
            messages = F.relu(norm(layer(messages)))
        collected = messages.new_zeros(len(x), messages.shape[1]).index_add(0, end, messages)
        number = torch.bincount(end, minlength=len(x)).clamp(min=1).unsqueeze(1)
        return F.relu(self.shortcut(x) + collected / number)
