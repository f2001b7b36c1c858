"""RecNN: a recursive network along the clustering tree of a jet."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec
from jetkit.models.model import Encoder
from jetkit.nn.mlp import mlp
from jetkit.nn.recursion import recursion
from jetkit.observables.jet_trees import FEATURES, kt_trees
from jetkit.registry import register


class Merge(nn.Module):
    """h = ReLU(W_h [h_L; h_R; u] + b_h)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.h = nn.Linear(3 * width, width)

    def forward(
        self, left: Float[Tensor, "n D"], right: Float[Tensor, "n D"], own: Float[Tensor, "n D"], depth: int
    ) -> Float[Tensor, "n D"]:
        """Embeddings of n nodes from those of their children and their own features."""
        return F.relu(self.h(torch.cat([left, right, own], 1)))


class GatedMerge(Merge):
    """h = z_H h̃ + z_L h_L + z_R h_R + z_N u, where h̃ = ReLU(W_h (r [h_L; h_R; u]) + b_h).

    Gates: r = σ(W_r [h_L; h_R; u] + b_r), and z a softmax over the four terms of W_z [h̃; h_L; h_R; u] + b_z, for each
    component.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.r = nn.Linear(3 * width, 3 * width)
        self.z = nn.Linear(4 * width, 4 * width)

    def forward(
        self, left: Float[Tensor, "n D"], right: Float[Tensor, "n D"], own: Float[Tensor, "n D"], depth: int
    ) -> Float[Tensor, "n D"]:
        """Embeddings of n nodes from those of their children and their own features."""
        seen = torch.cat([left, right, own], 1)
        new = F.relu(self.h(self.r(seen).sigmoid() * seen))
        terms = torch.cat([new, seen], 1)
        z = self.z(terms).view(len(own), 4, -1).softmax(1)
        chosen: Tensor = (z * terms.view(len(own), 4, -1)).sum(1)
        return chosen


@register(
    "rec-nn",
    paper="QCD-Aware Recursive Neural Networks for Jet Physics, 2017, arXiv:1702.00748",
    symmetries=("permutation", "rotation-about-beam", "boost-along-beam"),
    broken=("collinear",),
    tiny={"width": 16, "gated": True},
)
class RecNN(Encoder):
    """The embedding of a jet's kT tree: of each node from its momentum and the embeddings of its two children.

    u = ReLU(W_u o + b_u) of the features o of a node is the embedding of a leaf; the others are merged, simply or with
    gates. Two hidden layers follow the embedding of the root. Of a batch it uses the four-momenta alone. Features are
    those of the paper in the frame of the jet, normalised over the nodes of the batch. With a head of one output, as
    the paper's, it has 8,481 parameters, or 48,761 with gates, and 41 more for every further one.

    Args:
        width: of embeddings and hidden layers
        gated: choose for each component between the children, the node and what is made of all of them

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=(), classes=("QCD", "W"))
        >>> Classify(RecNN(spec), spec).size
        8522
    """

    needs = Needs(p4=True)

    def __init__(self, spec: Spec, *, width: int = 40, gated: bool = False) -> None:
        super().__init__(spec)
        self.norm = nn.BatchNorm1d(FEATURES, affine=False)
        self.u = nn.Sequential(nn.Linear(FEATURES, width), nn.ReLU())
        self.merge = GatedMerge(width) if gated else Merge(width)
        self.f = mlp([width, width, width])
        self.encoded = width

    def encode(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Second hidden layer on the embedding of the root."""
        trees = kt_trees(batch)
        encoded: Tensor = self.f(recursion(self.u(self.norm(trees.x)), trees, self.merge))
        return encoded
