"""Edge convolution on a graph that is given."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from jetkit.nn.graph_convolution import GraphConvolution

EDGES = torch.tensor([[0, 0, 1, 2, 2], [1, 2, 0, 0, 1]])
"""Node 3 is joined to none."""


def randomised(block: GraphConvolution) -> GraphConvolution:
    for module in block.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias)
    return block.double()


def test_each_node_has_the_mean_of_its_messages() -> None:
    torch.manual_seed(0)
    block = randomised(GraphConvolution(3, (5, 4))).eval()
    x = torch.randn(4, 3, dtype=torch.float64)
    with torch.no_grad():
        for i, found in enumerate(block(x, EDGES)):
            collected = [torch.zeros(1, 4, dtype=torch.float64)]
            for j in (j for j, end in EDGES.T.tolist() if end == i):
                first = F.relu(block.norms[0](block.layers[0](torch.cat([x[i], x[j] - x[i]]))[None]))
                collected.append(F.relu(block.norms[1](block.layers[1](first))))
            mean = sum(collected) / max(len(collected) - 1, 1)
            torch.testing.assert_close(found, F.relu(block.shortcut(x[i][None]) + mean)[0], rtol=1e-12, atol=1e-12)


def test_a_node_of_no_edge_does_not_enter_the_normalisation_of_messages() -> None:
    block = randomised(GraphConvolution(3, (4, 4)))
    x = torch.randn(4, 3, dtype=torch.float64)
    running = []
    for of_lonely in (1.0, 100.0):
        x[3] = of_lonely
        block.norms[1].reset_running_stats()
        block.train()(x, EDGES)
        running.append(block.norms[1].running_mean.clone())
    torch.testing.assert_close(*running)


def test_a_graph_without_edges_keeps_the_shortcut() -> None:
    block = randomised(GraphConvolution(3, (3, 3))).train()
    x = torch.randn(4, 3, dtype=torch.float64)
    torch.testing.assert_close(block(x, EDGES[:, :0]), F.relu(x))
    assert all(norm.running_var.isfinite().all() for norm in block.norms)
