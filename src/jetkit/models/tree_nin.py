"""TreeNiN: a recursive network with small networks between the levels of the tree."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec
from jetkit.models.model import Encoder
from jetkit.models.rec_nn import Merge
from jetkit.nn.mlp import mlp
from jetkit.nn.recursion import recursion
from jetkit.observables.jet_trees import FEATURES, kt_trees
from jetkit.registry import register


class NiNMerge(Merge):
    """h = ReLU(W_h [h_L; h_R; u] + b_h), with a network in network of two layers at every node but the root.

    The left child of the root, its right child, and the nodes further down have networks of their own.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.left, self.right, self.inner = (mlp([width] * 3) for _ in range(3))

    def forward(
        self, left: Float[Tensor, "n D"], right: Float[Tensor, "n D"], own: Float[Tensor, "n D"], depth: int
    ) -> Float[Tensor, "n D"]:
        """Embeddings of n nodes from those of their children and their own features."""
        if depth == 0:
            left, right = self.left(left), self.right(right)
        merged = super().forward(left, right, own, depth)
        return self.inner(merged) if depth > 1 else merged


@register(
    "tree-nin",
    paper="The Machine Learning Landscape of Top Taggers, 2019, arXiv:1902.09914",
    symmetries=("permutation", "rotation-about-beam", "boost-along-beam"),
    broken=("collinear",),
    tiny={"width": 16},
)
class TreeNiN(Encoder):
    """A simple RecNN on kT trees, whose embeddings pass a network of two layers on every level.

    The features of leaves and of other nodes have weights of their own, and so have the networks of the two children
    of the root, of other leaves and of other inner nodes. Of a batch it uses the four-momenta alone. Features are those
    of RecNN in the frame of the jet, normalised over the nodes of the batch. With a head of one output, as the paper's,
    it has 33,901 parameters, and 51 more for every further one.

    Args:
        width: of embeddings and hidden layers

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=(), classes=("QCD", "top"))
        >>> Classify(TreeNiN(spec), spec).size
        33952
    """

    needs = Needs(p4=True)

    def __init__(self, spec: Spec, *, width: int = 50) -> None:
        super().__init__(spec)
        self.norm = nn.BatchNorm1d(FEATURES, affine=False)
        self.inner, self.leaf = mlp([FEATURES, width]), mlp([FEATURES, width])
        self.deep_leaf = mlp([width] * 3)
        self.merge = NiNMerge(width)
        self.f = mlp([width] * 3)
        self.encoded = width
        for part in (self.merge, self.deep_leaf):
            part.apply(_make_orthogonal)

    def encode(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Second hidden layer on the embedding of the root."""
        trees = kt_trees(batch)
        x, leaf, top = self.norm(trees.x), trees.leaf.unsqueeze(1), sum(trees.sizes[:2])
        own = torch.where(leaf, self.leaf(x), self.inner(x))
        own = torch.cat([own[:top], torch.where(leaf[top:], self.deep_leaf(own[top:]), own[top:])])
        encoded: Tensor = self.f(recursion(own, trees, self.merge))
        return encoded


def _make_orthogonal(module: nn.Module) -> None:
    """The authors' start: embeddings keep their length through many levels."""
    if isinstance(module, nn.Linear):
        nn.init.orthogonal_(module.weight, gain=math.sqrt(2))
