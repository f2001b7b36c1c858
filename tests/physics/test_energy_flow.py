from __future__ import annotations

import sys
import types
from itertools import pairwise

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.physics import four_vectors as fv
from jetkit.physics.energy_correlators import energy_correlators
from jetkit.physics.energy_flow import energy_flow_polynomials
from jetkit.physics.multigraphs import multigraphs

LINE, DOUBLE_LINE, WEDGE = ((0, 1),), ((0, 1), (0, 1)), ((0, 1), (0, 2))
TRIANGLE = ((0, 1), (0, 2), (1, 2))


def slow_polynomial(p4, graph, beta):
    z, value = fv.pt(p4) / fv.pt(p4).sum(), 1.0
    theta = fv.delta_r(p4[:, None], p4[None, :]) ** beta
    for part in graph:
        vertices = 1 + max(v for _, v in part)
        index = np.indices((len(p4),) * vertices)
        value *= (
            np.prod(z[index], axis=0).ravel() @ np.prod([theta[index[u], index[v]] for u, v in part], axis=0).ravel()
        )
    return value


@pytest.mark.parametrize("beta", [0.5, 2.0])
def test_every_polynomial_of_degree_five_is_its_definition(jets, beta):
    p4 = jets[0][6:11]
    expected = [slow_polynomial(p4, graph, beta) for graph in multigraphs(5)]
    np.testing.assert_allclose(energy_flow_polynomials(p4, np.array([0, 5]), beta=beta)[0], expected, rtol=1e-10)


def test_every_polynomial_of_degree_seven_is_its_definition(jets):
    p4 = jets[0][6:9]
    expected = [slow_polynomial(p4, graph, 1.0) for graph in multigraphs(7)]
    np.testing.assert_allclose(energy_flow_polynomials(p4, np.array([0, 3]), degree=7)[0], expected, rtol=1e-10)


def test_tetrahedra_are_their_definition_for_four_particles(jets):
    p4, names = jets[0][6:10], multigraphs(7)
    values = energy_flow_polynomials(p4, np.array([0, 4]), degree=7)[0]
    tetrahedra = [c for c, graph in enumerate(names) if len(graph) == 1 and has_tetrahedron(graph[0])]
    assert len(tetrahedra) == 4
    expected = [slow_polynomial(p4, names[c], 1.0) for c in tetrahedra]
    np.testing.assert_allclose(values[tetrahedra], expected, rtol=1e-10)


@pytest.mark.parametrize(("graph", "value"), [(LINE, 0.075717), (WEDGE, 0.006825), (DOUBLE_LINE, 0.01365)])
def test_known_values_of_two_prongs(two_prongs, graph, value):
    assert polynomial(two_prongs, graph) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(("graph", "value"), [(LINE, 0.133333), (WEDGE, 0.0177778), (TRIANGLE, 0.0017778)])
def test_known_values_of_three_prongs(three_prongs, graph, value):
    assert polynomial(three_prongs, graph) == pytest.approx(value, rel=2e-5)


def test_line_and_triangle_are_the_ordinary_correlators(jets):
    values, names = energy_flow_polynomials(*jets, degree=3), multigraphs(3)
    e2, e3 = energy_correlators(*jets, points=2)[:, 0], energy_correlators(*jets, points=3)[:, 2]
    np.testing.assert_allclose(values[:, names.index((LINE,))], 2 * e2, rtol=1e-10)
    np.testing.assert_allclose(values[:, names.index((TRIANGLE,))], 6 * e3, rtol=1e-9, atol=1e-15)


def test_disconnected_graphs_are_products(jets):
    values, names = energy_flow_polynomials(*jets, degree=4), multigraphs(4)
    pair = names.index((WEDGE, DOUBLE_LINE)) if (WEDGE, DOUBLE_LINE) in names else names.index((DOUBLE_LINE, WEDGE))
    product = values[:, names.index((WEDGE,))] * values[:, names.index((DOUBLE_LINE,))]
    np.testing.assert_allclose(values[:, pair], product, rtol=1e-12)


def test_jets_of_other_lengths_in_the_batch_are_ignored(jets):
    together = energy_flow_polynomials(*jets, degree=4)
    alone = energy_flow_polynomials(jets[0][jets[1][7] : jets[1][8]], np.array([0, jets[1][8] - jets[1][7]]), degree=4)
    np.testing.assert_allclose(together[7], alone[0], rtol=1e-12)


def test_a_jet_without_particles_has_only_the_empty_graph():
    assert energy_flow_polynomials(np.zeros((0, 4)), np.array([0, 0]), degree=2).tolist() == [[1, 0, 0, 0, 0]]


@pytest.mark.parametrize("degree", [-1, 8])
def test_degrees_outside_the_range_are_refused(two_prongs, degree):
    with pytest.raises(JetkitError, match="degree should be between 0 and 7"):
        energy_flow_polynomials(*two_prongs, degree=degree)


def test_agrees_with_energyflow(jets, energyflow):
    p4, offsets = jets
    values, names = energy_flow_polynomials(p4, offsets, degree=5, beta=0.5), multigraphs(5)
    particles = np.stack([fv.pt(p4), fv.rapidity(p4), fv.phi(p4)], axis=1)
    for graph in [graph for graph in names if len(graph) == 1][::5]:
        theirs = energyflow.EFP(list(graph[0]), measure="hadr", beta=0.5, normed=True, coords="ptyphim")
        expected = [theirs.compute(particles[a:b]) for a, b in pairwise(offsets[3:14])]
        np.testing.assert_allclose(values[3:13, names.index(graph)], expected, rtol=1e-9)


@pytest.fixture
def energyflow(monkeypatch):
    """EnergyFlow, with a stub for its compiled Wasserstein module, which is built for an older NumPy."""
    monkeypatch.setitem(sys.modules, "wasserstein", types.ModuleType("wasserstein"))
    return pytest.importorskip("energyflow")


def polynomial(jet, graph):
    return energy_flow_polynomials(*jet, degree=3)[0, multigraphs(3).index((graph,))]


def has_tetrahedron(graph):
    import networkx

    simple = networkx.Graph(graph)
    while smallest := [v for v, degree in simple.degree() if degree < 3]:
        ends = list(simple.neighbors(smallest[0]))
        simple.remove_node(smallest[0])
        if len(ends) == 2:
            simple.add_edge(*ends)
    return len(simple) > 0
