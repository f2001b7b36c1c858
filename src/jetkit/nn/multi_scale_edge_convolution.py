"""Edge convolution that attends to neighbourhoods of several sizes at once, over real particles only."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.nn.packing import pad, row_numbers
from jetkit.physics.four_vectors import delta_phi


class NearestGraph(NamedTuple):
    """Each of M particles linked to its k nearest, itself included; edges are ordered by the rank of the neighbour.

    So the edges to the n nearest are the first ones, for every n.
    """

    centre: Int[Tensor, " E"]
    """Row of the particle that an edge belongs to."""
    other: Int[Tensor, " E"]
    """Row of its neighbour."""
    real: Bool[Tensor, "k M"]
    """Whether a particle has a neighbour of a rank; the edges are the true places in their order."""
    jet: Int[Tensor, " M"]
    """Jet of each particle."""
    place: Int[Tensor, " M"]
    """Place of each particle in the padded jet."""


def nearest_graph(points: Float[Tensor, "B N 2"], mask: Bool[Tensor, "B N"], k: int) -> NearestGraph:
    """The k nearest in Δη² + Δφ² of each real particle of the same jet, the first of which is itself.

    Example:
        >>> points = torch.tensor([[[0.0, 0.0], [0.0, 1.0], [0.0, 3.0]]])
        >>> nearest_graph(points, torch.tensor([[True, True, True]]), k=2).other
        tensor([0, 1, 2, 1, 0, 1])
    """
    eta, phi = points.detach().unbind(-1)
    distance = (eta.unsqueeze(2) - eta.unsqueeze(1)).square() + delta_phi(phi.unsqueeze(2), phi.unsqueeze(1)).square()
    distance.masked_fill_(~mask.unsqueeze(1), torch.inf).diagonal(dim1=1, dim2=2).fill_(-1)
    nearest = distance.topk(min(k, mask.shape[1]), largest=False, sorted=True).indices[mask].T  # (k, M)
    jet, place = mask.nonzero(as_tuple=True)
    real = mask[jet, nearest]
    return NearestGraph(real.nonzero()[:, 1], row_numbers(mask)[jet, nearest][real], real, jet, place)


class MultiScaleEdgeConvolution(nn.Module):
    """x_i ← S x_i + γ ⊙ G(N(⊕_n Σ_{j ≤ n} α^n_ij ⊙ m_ij)), m_ij = G'(M(x'_i, x'_j, e_ij)), x' = W ReLU(BN(x)).

    j ≤ n are the n nearest neighbours of i, ⊕ joins the scales, and α^n is a softmax over j of W_n ReLU(BN(m)), for
    each of the ``heads``; channel c has the weights of head c mod ``heads``. M and N are two linear layers, each after
    a batch normalisation and a ReLU; G and G' are gates (`Squeeze`).

    Source: the code of ParticleNeXt in weaver-core.

    Args:
        features: width of the input
        edge_features: width of e
        width: width of the output
        message: width of m
        scales: sizes n of the neighbourhoods
        heads: weights of attention at each scale
    """

    def __init__(
        self, features: int, edge_features: int, *, width: int, message: int, scales: tuple[int, ...], heads: int
    ) -> None:
        super().__init__()
        self.scales = scales
        self.embed: nn.Module = nn.Identity()
        if features != message // 2:
            self.embed = nn.Sequential(*rectified(features, message // 2))
        self.message = nn.Sequential(*rectified(message + edge_features, message), *rectified(message, message))
        self.message_gate = Squeeze(message)
        self.attention = nn.ModuleList(nn.Sequential(*rectified(message, heads)) for _ in scales)
        self.node = nn.Sequential(*rectified(message * len(scales), width), *rectified(width, width))
        self.node_gate = Squeeze(width)
        self.shortcut: nn.Module = nn.Identity()
        if features != width:
            self.shortcut = nn.Linear(features, width, bias=False)
        self.gamma = nn.Parameter(torch.full((width,), 1e-5))

    def forward(
        self, x: Float[Tensor, "M D"], edges: Float[Tensor, "E F"], graph: NearestGraph
    ) -> Float[Tensor, "M W"]:
        """New features of the M real particles."""
        h = self.embed(x)
        message = self.message(torch.cat([h.index_select(0, graph.centre), h.index_select(0, graph.other), edges], 1))
        message = self.message_gate(message, graph.jet[graph.centre])
        weight = torch.stack([self._weight(message, graph, scale) for scale in range(len(self.scales))], 2)
        heads = pad(message, graph.real).view(*graph.real.shape, -1, weight.shape[-1])
        # k: rank of the neighbour, m: particle, s: scale, h: head, c: channels of a head
        collected = torch.einsum("kmsh,kmch->msch", weight, heads).flatten(1)
        update = self.node_gate(self.node(collected), graph.jet)
        changed: Tensor = self.shortcut(x) + self.gamma * update
        return changed

    def _weight(self, message: Float[Tensor, "E A"], graph: NearestGraph, scale: int) -> Float[Tensor, "k M heads"]:
        """Attention to the neighbours of one scale, 0 to those farther away."""
        near = graph.real[: self.scales[scale]]
        score = pad(self.attention[scale](message[: int(near.sum())]), near)
        weight = score.masked_fill(~near.unsqueeze(-1), -torch.inf).softmax(0)
        return F.pad(weight, (0, 0, 0, 0, 0, len(graph.real) - len(near)))


class Squeeze(nn.Module):
    """x ⊙ σ(W₂ ReLU(W₁ x̄)) with the mean x̄ over a jet; the layer between has a sixteenth of the width.

    Source: Squeeze-and-Excitation Networks, 2017, arXiv:1709.01507.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.f = nn.Sequential(
            nn.Linear(width, width // 16, bias=False),
            nn.ReLU(),
            nn.Linear(width // 16, width, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Float[Tensor, "E D"], jet: Int[Tensor, " E"]) -> Float[Tensor, "E D"]:
        """Of rows that belong to these jets."""
        jets = int(jet.max()) + 1 if len(jet) else 0
        total = x.new_zeros(jets, x.shape[1]).index_add_(0, jet, x)
        gate: Tensor = self.f(total / jet.bincount(minlength=jets).clamp(min=1).unsqueeze(1))
        return x * gate.index_select(0, jet)


def rectified(features: int, width: int) -> list[nn.Module]:
    """Batch normalisation, ReLU, and a linear layer without bias."""
    return [nn.BatchNorm1d(features), nn.ReLU(inplace=True), nn.Linear(features, width, bias=False)]
