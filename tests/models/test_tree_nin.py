"""TreeNiN: its equations, node by node, and its size."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.models.tree_nin import TreeNiN
from jetkit.observables.jet_trees import kt_trees
from jetkit.physics.clustering import KT, cluster
from jetkit.physics.four_vectors import pt
from jetkit.tasks.classify import Classify
from jetkit.testing import random_batch

SPEC = Spec.of(("part_deta",), classes=("QCD", "top"))


def test_parameters_are_as_many_as_published_and_a_second_output() -> None:
    assert Classify(TreeNiN(SPEC), SPEC).size == 33_901 + 51


def embedding(model: TreeNiN, batch: Batch) -> torch.Tensor:
    """Of one jet, from the root down; nodes are told by their transverse momentum."""
    momenta = batch.p4[batch.mask].numpy()
    tree = cluster(momenta, np.array([0, len(momenta)]), power=KT)
    x = kt_trees(batch).x

    def at(node: int, depth: int, is_left: bool = True) -> torch.Tensor:
        o = model.norm(x[(x[:, 5] - float(pt(tree.p4[node]))).abs().argmin()][None])
        is_leaf = tree.children[node, 0] < 0
        h = model.leaf(o) if is_leaf else model.inner(o)
        if not is_leaf:
            left, right = sorted(tree.children[node], key=lambda child: -pt(tree.p4[child]))
            h = F.relu(model.merge.h(torch.cat([at(left, depth + 1), at(right, depth + 1, False), h], 1)))
        if depth == 1:
            return model.merge.left(h) if is_left else model.merge.right(h)
        return h if depth == 0 else model.deep_leaf(h) if is_leaf else model.merge.inner(h)

    return at(len(tree.p4) - 1, 0)[0]


def test_embeddings_are_made_from_the_leaves_to_the_root() -> None:
    torch.manual_seed(0)
    model = TreeNiN(SPEC, width=6).double()
    model.train()(random_batch(SPEC, jets=8))  # so that features are normalised
    model.eval()
    batch = random_batch(SPEC, jets=8, particles=(1, 12), seed=2)
    with torch.no_grad():
        for row, encoded in enumerate(model(batch)):
            h = embedding(model, batch.select(slice(row, row + 1)))
            torch.testing.assert_close(encoded, model.f(h), rtol=1e-11, atol=1e-11)


def test_the_recursion_starts_from_orthogonal_weights() -> None:
    merge = TreeNiN(SPEC).merge
    for weight in (merge.h.weight, merge.inner[0].weight, merge.left[2].weight):
        torch.testing.assert_close(weight @ weight.T, 2 * torch.eye(50), rtol=0, atol=1e-5)
