from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.evaluation.jet_sets import FOUR_OF_FOUR, GRAPHS, JetSet, scaled_energy_flow, vertices
from jetkit.physics.multigraphs import multigraphs


@pytest.fixture(scope="module")
def ragged_set() -> JetSet:
    """Jets of up to six particles, some with none, and rubbish where they are padded."""
    rng = np.random.default_rng(0)
    pt, place = rng.uniform(0.01, 0.5, size=(40, 6)), rng.normal(scale=0.3, size=(40, 6, 2))
    particles = np.concatenate([pt[..., None], place], axis=2)
    mask = np.arange(6) < rng.integers(7, size=40)[:, None]
    particles[~mask] = np.nan
    return JetSet(particles, mask)


def slow_polynomial(jet: np.ndarray, graph: tuple) -> float:
    value, (pt, eta, phi) = 1.0, jet.T
    theta = np.hypot(eta[:, None] - eta, phi[:, None] - phi)
    for part in graph:
        index = np.indices((len(jet),) * vertices((part,))).reshape(vertices((part,)), -1)
        value *= (np.prod(pt[index], axis=0) * np.prod([theta[index[u], index[v]] for u, v in part], axis=0)).sum()
    return value


def test_there_are_36_graphs_and_five_of_four_vertices_and_edges() -> None:
    assert (len(GRAPHS), len(FOUR_OF_FOUR), len(multigraphs(5))) == (36, 5, 102)
    assert sum(len(graph) == 1 and len(graph[0]) == 5 and vertices(graph) == 4 for graph in multigraphs(5)) == 11


def test_the_five_are_connected() -> None:
    for g in FOUR_OF_FOUR:
        (part,) = GRAPHS[g]
        assert (len(part), {v for edge in part for v in edge}) == (4, {0, 1, 2, 3})


def test_a_pair_has_the_line_of_its_definition() -> None:
    """2 z₁ z₂ θ, and z need not add up to 1."""
    pair = JetSet(np.array([[[0.5, 0.0, 0.1], [0.3, 0.4, 0.4]]]), np.array([[True, True]]))
    line = GRAPHS.index((((0, 1),),))
    assert pair.energy_flow[0, line] == pytest.approx(2 * 0.5 * 0.3 * 0.5, rel=1e-12)


def test_every_polynomial_has_its_definition(ragged_set: JetSet) -> None:
    for j in (3, 17, 30):
        jet = ragged_set.particles[j][ragged_set.mask[j]]
        expected = [slow_polynomial(jet, graph) for graph in GRAPHS]
        np.testing.assert_allclose(ragged_set.energy_flow[j], expected, rtol=1e-9, atol=1e-15)


def test_the_mass_is_that_of_massless_particles(ragged_set: JetSet) -> None:
    """m² = Σ_{i<k} 2 pT_i pT_k (cosh Δη − cos Δφ)."""
    for j in range(40):
        pt, eta, phi = ragged_set.particles[j][ragged_set.mask[j]].T
        pairs = pt[:, None] * pt * (np.cosh(eta[:, None] - eta) - np.cos(phi[:, None] - phi))
        assert ragged_set.mass[j] == pytest.approx(pairs.sum() ** 0.5, rel=1e-7, abs=1e-7)


def test_a_jet_without_particles_has_no_mass_and_the_empty_graph(ragged_set: JetSet) -> None:
    empty = ~ragged_set.mask.any(axis=1)
    assert empty.any()
    assert not ragged_set.mass[empty].any()
    assert (ragged_set.energy_flow[empty] == np.eye(36)[0]).all()


def test_flat_particles_are_those_of_their_jets(ragged_set: JetSet) -> None:
    expected = [(j, *p) for j in range(40) for p in ragged_set.particles[j][ragged_set.mask[j]]]
    assert [(j, *p) for j, p in zip(ragged_set.jet, ragged_set.flat, strict=True)] == expected


def test_taken_jets_keep_their_numbers(ragged_set: JetSet) -> None:
    rows = np.array([30, 3])
    taken = ragged_set.take(rows)
    np.testing.assert_allclose(taken.energy_flow, ragged_set.energy_flow[rows], rtol=1e-12)
    assert (taken.mass == ragged_set.mass[rows]).all()


def test_halves_share_no_jet() -> None:
    numbered = JetSet(np.ones((41, 2, 3)) * np.arange(41)[:, None, None], np.ones((41, 2), dtype=bool))
    first, second = (half.particles[:, 0, 0].tolist() for half in numbered.halves(np.random.default_rng(0)))
    assert sorted(first + second) == list(range(41))
    assert (len(first), len(second)) == (20, 21)
    assert first != sorted(first)


def test_single_precision_is_enough(ragged_set: JetSet) -> None:
    single = JetSet(ragged_set.particles.astype(np.float32), ragged_set.mask)
    np.testing.assert_allclose(single.energy_flow, ragged_set.energy_flow, rtol=1e-4, atol=1e-9)
    assert single.flat.dtype == np.float64


def test_features_are_scaled_by_the_real_jets(ragged_set: JetSet) -> None:
    harder = JetSet(ragged_set.particles * [2.0, 1.0, 1.0], ragged_set.mask)
    real, other = scaled_energy_flow(ragged_set, harder)
    np.testing.assert_allclose(real.max(axis=0), 1.0, rtol=1e-12)
    np.testing.assert_allclose(other.max(axis=0), 2.0 ** np.array([vertices(graph) for graph in GRAPHS]), rtol=1e-9)


def test_a_feature_that_is_zero_in_all_real_jets_keeps_its_size() -> None:
    lone = JetSet(np.array([[[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]]), np.array([[True, False]]))
    pair = JetSet(np.array([[[0.5, 0.0, 0.1], [0.5, 0.0, -0.1]]]), np.array([[True, True]]))
    assert (scaled_energy_flow(lone, pair)[1] == pair.energy_flow).all()


def test_a_set_cannot_be_changed(ragged_set: JetSet) -> None:
    with pytest.raises(FrozenInstanceError):
        ragged_set.mask = ~ragged_set.mask  # type: ignore[misc]


@pytest.mark.parametrize(
    ("particles", "mask"),
    [((4, 3), (4, 3)), ((4, 5, 4), (4, 5)), ((4, 5, 3), (4, 6)), ((4, 5, 3), (5, 4))],
)
def test_shapes_that_do_not_fit_are_refused(particles: tuple[int, ...], mask: tuple[int, ...]) -> None:
    with pytest.raises(JetkitError, match=r"shapes \(J, N, 3\) and bool \(J, N\)"):
        JetSet(np.ones(particles), np.ones(mask, dtype=bool))


def test_a_mask_of_numbers_is_refused() -> None:
    with pytest.raises(JetkitError, match="float64"):
        JetSet(np.ones((4, 5, 3)), np.ones((4, 5)))


@pytest.mark.parametrize(("feature", "value"), [(0, -0.1), (1, 101.0), (2, np.nan), (0, np.inf)])
def test_particles_that_cannot_be_are_refused(feature: int, value: float) -> None:
    particles = np.full((4, 5, 3), 0.1)
    particles[1, 2, feature] = value
    with pytest.raises(JetkitError, match="1 of 20 particles are not finite"):
        JetSet(particles, np.ones((4, 5), dtype=bool))


def test_sets_of_nearly_no_particles_are_refused() -> None:
    with pytest.raises(JetkitError, match="got 3 in 4 jets"):
        JetSet(np.ones((4, 5, 3)), np.arange(20).reshape(4, 5) < 3)
