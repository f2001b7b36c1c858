"""ParticleNeXt: attention on the edges to neighbourhoods of four sizes."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jetkit.data.batch import Batch, four_momenta
from jetkit.data.spec import Needs, Spec, columns
from jetkit.errors import JetkitError
from jetkit.models.model import Encoder
from jetkit.nn.mlp import mlp
from jetkit.nn.multi_scale_edge_convolution import MultiScaleEdgeConvolution, nearest_graph
from jetkit.nn.packing import pad
from jetkit.physics.pairs import pair_kinematics
from jetkit.registry import register

HEADS = 4
"""Weights of attention to a particle, in the sum over the particles of a jet."""


@register(
    "particle-next",
    paper="ParticleNeXt, talk at ML4Jets, 2021, https://indico.cern.ch/event/980214/contributions/4413544",
    symmetries=("permutation",),
    broken=("collinear",),
    tiny={"width": 64, "message": 32, "node": 16, "depth": 2, "scales": (2, 6), "heads": 4, "dropout": 0.0},
)
class ParticleNeXt(Encoder):
    """Edge convolutions over the 4, 8, 16 and 32 nearest particles in (Δη, Δφ), then attention over the particles.

    Each edge knows (ln kT, ln z, ln Δ, ln m²) of its pair. 551,496 parameters for 7 features with a head for two
    classes, as weaver-core's, without its augmentations of the input. Batch normalisations see real particles and edges
    only.

    Args:
        width: channels of a particle after each layer, and of the hidden layer of the classifier
        message: channels of an edge
        node: channels of a particle before the first layer
        edge: channels of the kinematics of a pair
        depth: number of edge convolutions
        scales: numbers of nearest particles, itself included
        heads: weights of attention to an edge at each scale, a divisor of message
        dropout: after the hidden layer

    Example:
        >>> model = ParticleNeXt(Spec.of(features=("part_deta", "part_dphi"), classes=("QCD", "top")))
        >>> p4 = torch.tensor([5.0, 3.0, 4.0, 0.0]).expand(6, 40, 4)
        >>> model(Batch.of(x=torch.randn(6, 40, 2), mask=torch.ones(6, 40, dtype=torch.bool), p4=p4)).shape
        torch.Size([6, 256])
    """

    needs = Needs(p4=True)

    def __init__(
        self,
        spec: Spec,
        *,
        width: int = 256,
        message: int = 64,
        node: int = 32,
        edge: int = 8,
        depth: int = 3,
        scales: tuple[int, ...] = (4, 8, 16, 32),
        heads: int = 8,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(spec)
        if depth < 1 or width % HEADS or message % heads or min(width, message) < 16:
            raise JetkitError(
                f"particle-next needs depth >= 1, width a multiple of {HEADS} and message one of heads={heads}, "
                f"both from 16, got depth={depth}, width={width} and message={message}"
            )
        self._direction = columns(spec, "part_deta", "part_dphi")
        self.nearest = max(scales)
        self.embed = nn.Sequential(nn.BatchNorm1d(len(spec.features)), nn.Linear(len(spec.features), node, bias=False))
        self.embed_edge = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, edge, bias=False))
        self.layers = nn.ModuleList(
            MultiScaleEdgeConvolution(features, edge, width=width, message=message, scales=scales, heads=heads)
            for features in (node, *(depth - 1) * (width,))
        )
        self.norm = nn.Sequential(nn.BatchNorm1d(width), nn.ReLU())
        self.attention = nn.Linear(width, HEADS, bias=False)
        self.f = nn.Sequential(*mlp([width, width]), nn.Dropout(dropout))
        self.encoded = width

    def encode(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Hidden layer on the sum over the particles, weighted by attention."""
        graph = nearest_graph(batch.x[..., self._direction], batch.mask, self.nearest)
        with torch.no_grad():
            pairs = pair_kinematics(four_momenta(batch))
        i, j = graph.place[graph.centre], graph.place[graph.other]
        edges = self.embed_edge(pairs[graph.jet[graph.centre], i, j])
        x = self.embed(batch.x[batch.mask])
        for layer in self.layers:
            x = layer(x, edges, graph)
        x = self.norm(x)
        score = pad(self.attention(x), batch.mask)
        score = score.masked_fill(~batch.mask.unsqueeze(-1), torch.finfo(score.dtype).min)
        # b: jet, n: particle, h: head, c: channels of a head
        heads = pad(x, batch.mask).view(*batch.mask.shape, -1, HEADS)
        encoded: Tensor = self.f(torch.einsum("bnh,bnch->bch", score.softmax(1), heads).flatten(1))
        return encoded
