from __future__ import annotations

import numpy as np
import pytest
import torch

import jetkit.nn.trees
from jetkit.nn.trees import Trees

QUESTIONS = 7


def grow(random, depth=0):
    """A random tree: a value, or (feature, threshold, left, right)."""
    if depth == 3 or (depth and random.random() < 0.3):
        return random.normal()
    return random.integers(4), random.normal(), grow(random, depth + 1), grow(random, depth + 1)


def walk(tree, x):
    while isinstance(tree, tuple):
        feature, threshold, left, right = tree
        tree = left if x[feature] <= np.float32(threshold) else right
    return tree


def plant(trees, output, number, tree):
    questions, leaves = [], []

    def visit(node, path):
        if not isinstance(node, tuple):
            leaves.append((node, path))
            return
        place = len(questions)
        questions.append(node[:2])
        visit(node[2], {**path, place: 1})
        visit(node[3], {**path, place: -1})

    visit(tree, {})
    side = torch.tensor([[path.get(place, 0) for place in range(len(questions))] for _, path in leaves])
    feature, threshold = zip(*questions, strict=True)
    trees.plant(
        output,
        number,
        feature=torch.tensor(feature),
        threshold=torch.tensor(np.float32(threshold)),
        side=side,
        value=torch.tensor([value for value, _ in leaves]),
    )


@pytest.fixture
def forest():
    """Trees of many shapes, and the same as nested tuples: [output][round]."""
    random = np.random.default_rng(1)
    grown = [[grow(random) for _ in range(5)] for _ in range(2)]
    trees = Trees(rounds=6, leaves=QUESTIONS + 1, outputs=2)
    for output, rounds in enumerate(grown):
        for number, tree in enumerate(rounds):
            plant(trees, output, number, tree)
    trees.bias.copy_(torch.tensor([0.5, -2.0]))
    return trees, grown


@pytest.fixture
def x():
    return torch.from_numpy(np.random.default_rng(2).normal(size=(300, 4)).astype(np.float32))


def test_sum_is_that_of_the_obvious_walk(forest, x):
    trees, grown = forest
    slow = np.array([[sum(walk(tree, row) for tree in rounds) for rounds in grown] for row in x.numpy()])
    np.testing.assert_allclose(trees(x) - trees.bias, slow, rtol=1e-5, atol=1e-6)


def test_jets_do_not_depend_on_the_size_of_the_parts(forest, x, monkeypatch):
    trees, _ = forest
    whole = trees(x[:30])
    monkeypatch.setattr(jetkit.nn.trees, "CELLS", 1)
    torch.testing.assert_close(trees(x[:30]), whole, rtol=0, atol=1e-6)


def test_half_precision_training_does_not_touch_the_trees(forest, x):
    trees, _ = forest
    with torch.autocast("cpu", torch.bfloat16):
        mixed = trees(x)
    torch.testing.assert_close(mixed, trees(x), rtol=0, atol=0)


def test_new_and_cleared_ensembles_give_zero(forest, x):
    trees, _ = forest
    assert trees(x).any()
    trees.clear()
    assert not trees(x).any()
    assert not Trees(rounds=2, leaves=3, outputs=1)(x).any()


def test_bias_is_the_score_without_trees(x):
    trees = Trees(rounds=2, leaves=3, outputs=2)
    trees.bias.copy_(torch.tensor([0.5, -2.0]))
    assert trees(x[:1]).tolist() == [[0.5, -2.0]]


def test_no_jets_give_no_scores(forest):
    assert forest[0](torch.zeros(0, 4)).shape == (0, 2)


def test_threshold_between_two_numbers_of_single_precision_separates_them():
    low = torch.tensor(0.1)
    high = torch.nextafter(low, torch.tensor(1.0))
    for share in (0.0, 0.1, 0.5, 0.9):
        threshold = low.double() + share * (high.double() - low.double())
        trees = Trees(rounds=1, leaves=2, outputs=1)
        values = {"side": torch.tensor([[1], [-1]]), "value": torch.tensor([-1.0, 1.0])}
        trees.plant(0, 0, feature=torch.tensor([0]), threshold=threshold[None], **values)
        assert trees(torch.stack([low, high])[:, None])[:, 0].tolist() == [-1, 1]


def test_there_is_nothing_for_a_gradient_to_change():
    assert not list(Trees(rounds=2, leaves=3, outputs=1).parameters())


def test_the_size_counts_thresholds_and_values_of_planted_trees() -> None:
    trees = Trees(rounds=5, leaves=4, outputs=1)
    assert trees.size == 0
    one = {"feature": torch.tensor([0]), "threshold": torch.tensor([0.5], dtype=torch.float64)}
    trees.plant(0, 2, **one, side=torch.tensor([[1], [-1]]), value=torch.tensor([-1.0, 1.0]))
    assert trees.size == 3
