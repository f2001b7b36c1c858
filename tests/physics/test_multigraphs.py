from __future__ import annotations

import networkx
import numpy as np
import pytest

from jetkit.physics.multigraphs import canonical, connected_multigraphs, multigraphs


def test_numbers_of_multigraphs_are_the_published_ones():
    """OEIS A076864 (connected) and the partial sums of A050535 (all)."""
    assert [len(connected_multigraphs(d)) for d in range(1, 8)] == [1, 2, 5, 12, 33, 103, 333]
    assert [len(multigraphs(d)) for d in range(8)] == [1, 2, 5, 13, 36, 102, 314, 1000]


@pytest.mark.parametrize("edges", [2, 3, 4, 5])
def test_no_two_connected_multigraphs_are_the_same(edges):
    graphs = [networkx.MultiGraph(list(graph)) for graph in connected_multigraphs(edges)]
    assert all(networkx.is_connected(graph) and graph.number_of_edges() == edges for graph in graphs)
    simple = [weighted(graph) for graph in graphs]
    match = networkx.algorithms.isomorphism.numerical_edge_match("weight", 1)
    for i, first in enumerate(simple):
        assert not any(networkx.is_isomorphic(first, second, edge_match=match) for second in simple[:i])


@pytest.mark.parametrize("edges", [4, 7])
def test_canonical_form_does_not_depend_on_the_numbering(edges):
    random = np.random.default_rng(5)
    for graph in connected_multigraphs(edges)[::7]:
        number = random.permutation(1 + max(v for _, v in graph))
        shuffled = tuple((min(number[u], number[v]), max(number[u], number[v])) for u, v in graph)
        assert canonical(shuffled) == graph


def weighted(multigraph):
    graph = networkx.Graph()
    for u, v in multigraph.edges():
        graph.add_edge(u, v, weight=multigraph.number_of_edges(u, v))
    return graph
