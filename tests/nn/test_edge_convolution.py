"""Neighbours and edge convolutions against loops over particles."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional as F

from jetkit.nn.edge_convolution import EdgeConvolution, nearest_neighbours


@pytest.fixture
def mask() -> torch.Tensor:
    return torch.arange(9) < torch.tensor([[9], [1], [2], [5]])


def looped_neighbours(points, mask, k):
    """Rows of the k nearest of each particle, as sets."""
    jet = mask.nonzero()[:, 0]
    found = []
    for i in range(len(points)):
        others = [j for j in range(len(points)) if jet[j] == jet[i] and j != i]
        found.append(set(sorted(others, key=lambda j: (points[j] - points[i]).norm().item())[:k]))
    return found


@pytest.mark.parametrize("k", [1, 3, 16])
def test_neighbours_are_the_nearest_of_the_same_jet(mask, k) -> None:
    points = torch.randn(int(mask.sum()), 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = nearest_neighbours(points, mask, k)
    assert found.shape == (len(points), k)
    absent = len(points)
    assert [set(row.tolist()) - {absent} for row in found] == looped_neighbours(points, mask, k)


def test_points_of_half_precision_keep_their_neighbours() -> None:
    points = torch.tensor([[100.0], [100.5], [102.0]])
    assert nearest_neighbours(points.bfloat16(), torch.ones(1, 3, dtype=torch.bool), 1)[:, 0].tolist() == [1, 0, 1]


@pytest.mark.parametrize("features", [5, 8], ids=["linear shortcut", "identity"])
@pytest.mark.parametrize("training", [True, False])
def test_a_block_is_the_mean_over_written_out_edges(mask, features, training) -> None:
    torch.manual_seed(2)
    block = EdgeConvolution(features, (6, 8)).double().train(training)
    x = torch.randn(int(mask.sum()), features, dtype=torch.float64)
    neighbours = nearest_neighbours(x, mask, 4)
    padded = torch.cat([x, x.new_zeros(1, features)])  # an absent neighbour has zero features
    edges = torch.stack([torch.cat([x[i], padded[j] - x[i]]) for i in range(len(x)) for j in neighbours[i]])
    twin = copy.deepcopy(block)
    for layer, norm in zip(twin.layers, twin.norms, strict=True):
        edges = F.relu(norm(layer(edges)))
    expected = F.relu(twin.shortcut(x) + edges.view(len(x), 4, 8).mean(1))
    torch.testing.assert_close(block(x, neighbours), expected, rtol=1e-10, atol=1e-10)
