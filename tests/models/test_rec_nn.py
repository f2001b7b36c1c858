"""RecNN: the features of its tree, its equations by hand, its sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.models.rec_nn import RecNN
from jetkit.observables.jet_trees import kt_trees
from jetkit.physics.clustering import KT, cluster
from jetkit.physics.four_vectors import pt
from jetkit.tasks.classify import Classify
from jetkit.testing import random_batch

SPEC = Spec.of(("part_deta",), classes=("QCD", "W"))


def jet(*momenta: list[float]) -> Batch:
    p4 = torch.tensor([momenta], dtype=torch.float64)
    return Batch.of(x=torch.zeros(*p4.shape[:2], 1).double(), mask=torch.ones(p4.shape[:2], dtype=torch.bool), p4=p4)


PAIR = jet([3.0, 0.0, 3.0, 0.0], [5.0, 4.0, 0.0, 0.0])
"""Across the beam: the second, of mass 3 GeV, has the larger pT."""


@pytest.mark.parametrize(("gated", "count"), [(False, 8_481), (True, 48_761)])
def test_parameters_are_those_of_the_authors_code_and_a_second_output(gated, count) -> None:
    assert Classify(RecNN(SPEC, gated=gated), SPEC).size == count + 41


def test_features_of_a_pair_are_those_of_its_momenta() -> None:
    trees = kt_trees(PAIR)
    assert trees.sizes == (1, 2)
    assert trees.leaf.tolist() == [False, True, True]
    azimuth = math.atan2(3, 4)
    expected = [
        [5, 0, 0, 8, 1, 5, math.pi / 2],
        [4, 0, -azimuth, 5, 5 / 8, 4, math.pi / 2],
        [3, 0, math.pi / 2 - azimuth, 3, 3 / 8, 3, math.pi / 2],
    ]
    torch.testing.assert_close(trees.x, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-12)


def test_features_know_the_direction_along_the_beam() -> None:
    trees = kt_trees(jet([5.0, 3.0, 0.0, 4.0], [5.0, 3.0, 0.0, -4.0]))
    y = math.atanh(0.8)
    expected = [[5, y, 0, 5, 0.5, 3, math.atan2(3, 4)], [5, -y, 0, 5, 0.5, 3, math.atan2(3, -4)]]
    torch.testing.assert_close(trees.x[1:], torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-12)


def test_every_particle_is_a_leaf_and_the_root_is_the_jet() -> None:
    batch = random_batch(SPEC, jets=6, particles=(1, 20))
    trees = kt_trees(batch)
    assert trees.leaf.sum() == batch.mask.sum()
    assert len(trees.x) == 2 * batch.mask.sum() - 6
    root = trees.x[:6]
    torch.testing.assert_close(root[:, 5], pt((batch.p4 * batch.mask[..., None]).sum(1)))
    assert root[:, 2].abs().max() < 1e-12
    torch.testing.assert_close(root[:, 4], torch.ones(6, dtype=torch.float64))


@pytest.mark.parametrize("gated", [False, True])
def test_embeddings_are_made_from_the_leaves_to_the_root(gated) -> None:
    torch.manual_seed(0)
    model = RecNN(SPEC, width=6, gated=gated).double()
    model.train()(random_batch(SPEC, jets=8))  # so that features are normalised
    model.eval()
    batch = random_batch(SPEC, jets=5, particles=(1, 9), seed=2)
    with torch.no_grad():
        for row, encoded in enumerate(model(batch)):
            h = embedding(model, batch.select(slice(row, row + 1)))
            torch.testing.assert_close(encoded, model.f(h), rtol=1e-11, atol=1e-11)


def embedding(model: RecNN, batch: Batch) -> torch.Tensor:
    """Of one jet, node by node; nodes are told by their transverse momentum."""
    momenta = batch.p4[batch.mask].numpy()
    tree = cluster(momenta, np.array([0, len(momenta)]), power=KT)
    x = kt_trees(batch).x
    made = []
    for p4, children in zip(tree.p4, tree.children, strict=True):
        o = x[(x[:, 5] - float(pt(p4))).abs().argmin()]
        u = F.relu(model.u[0](model.norm(o[None])[0]))
        pair = sorted(children, key=lambda child: -pt(tree.p4[child]))
        made.append(u if children[0] < 0 else merged(model, made[pair[0]], made[pair[1]], u))
    return made[-1]


def merged(model: RecNN, left: torch.Tensor, right: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """The equations of the paper for one node."""
    w = {name: (layer.weight, layer.bias) for name, layer in model.merge.named_children()}
    hhu = torch.cat([left, right, u])
    if "r" not in w:
        return F.relu(w["h"][0] @ hhu + w["h"][1])
    r = torch.sigmoid(w["r"][0] @ hhu + w["r"][1])
    new = F.relu(w["h"][0] @ (r * hhu) + w["h"][1])
    z = (w["z"][0] @ torch.cat([new, hhu]) + w["z"][1]).chunk(4)
    weight = [part.exp() / sum(other.exp() for other in z) for part in z]
    return weight[0] * new + weight[1] * left + weight[2] * right + weight[3] * u


def test_a_pair_by_hand() -> None:
    task = Classify(RecNN(SPEC, width=1), SPEC).double().eval()
    model = task.model
    for parameter in task.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        model.u[0].weight[0, 5] = 1.0  # u = pT
        model.merge.h.weight[:] = torch.tensor([[1.0, -10.0, 100.0]])
        model.f[0].weight[:] = model.f[2].weight[:] = 1.0
        task.head.weight[1] = 0.5
        assert model.norm.running_var.tolist() == [1.0] * 7
        pt_of = 1 / math.sqrt(1 + model.norm.eps)
        expected = 0.5 * (1 * 4 - 10 * 3 + 100 * 5) * pt_of
        torch.testing.assert_close(task(PAIR), torch.tensor([[0, expected]], dtype=torch.float64))
