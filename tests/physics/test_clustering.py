from __future__ import annotations

import math
from itertools import combinations, pairwise

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.physics import four_vectors as fv
from jetkit.physics.clustering import ANTI_KT, CAMBRIDGE, KT, cluster, constituents, inclusive_jets, levels


def slow_jets(p4, power, radius):
    """Merge the nearest pair until every particle is nearest to the beam."""
    active, jets = list(p4), []
    while active:
        weight = [fv.pt(p) ** (2 * power) for p in active]
        distances = [(w, i, i) for i, w in enumerate(weight)]
        for i, j in combinations(range(len(active)), 2):
            distances.append((min(weight[i], weight[j]) * fv.delta_r(active[i], active[j]) ** 2 / radius**2, i, j))
        _, i, j = min(distances)
        last = active.pop(j)
        (jets.append(last) if i == j else active.append(active.pop(i) + last))
    return sorted(jets, key=fv.pt, reverse=True)


@pytest.mark.parametrize("power", [KT, CAMBRIDGE, ANTI_KT, 0.5])
@pytest.mark.parametrize("radius", [0.4, 1.0])
def test_jets_are_those_of_the_obvious_loop(jets, power, radius):
    jets_of_ten = jets[0][6:26]
    trees = cluster(jets_of_ten, np.array([0, 10, 20]), power=power, radius=radius)
    nodes, offsets = inclusive_jets(trees)
    for j in range(2):
        expected = slow_jets(jets_of_ten[10 * j : 10 * j + 10], power, radius)
        np.testing.assert_allclose(trees.p4[nodes[offsets[j] : offsets[j + 1]]], expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["kt", "cambridge", "antikt"])
@pytest.mark.parametrize("radius", [0.4, 1.0, math.inf])
def test_jets_are_those_of_fastjet(fastjet, jets, name, radius):
    p4, offsets = jets
    power = {"kt": KT, "cambridge": CAMBRIDGE, "antikt": ANTI_KT}[name]
    trees = cluster(p4, offsets, power=power, radius=radius)
    nodes, jet_offsets = inclusive_jets(trees)
    definition = fastjet.JetDefinition(getattr(fastjet, f"{name}_algorithm"), min(radius, 1000.0))
    for j in range(len(offsets) - 1):
        sequence = fastjet.ClusterSequence(pseudojets(fastjet, p4[offsets[j] : offsets[j + 1]]), definition)
        expected = [momentum(jet) for jet in fastjet.sorted_by_pt(sequence.inclusive_jets())]
        np.testing.assert_allclose(trees.p4[nodes[jet_offsets[j] : jet_offsets[j + 1]]], expected, rtol=1e-12)


@pytest.mark.parametrize(("name", "power"), [("kt", KT), ("cambridge", CAMBRIDGE)])
def test_distances_are_those_of_fastjet(fastjet, jets, name, power):
    p4, offsets = jets
    trees = cluster(p4, offsets, power=power)
    definition = fastjet.JetDefinition(getattr(fastjet, f"{name}_algorithm"), 1000.0)
    for j in range(3, 20):
        n = offsets[j + 1] - offsets[j]
        sequence = fastjet.ClusterSequence(pseudojets(fastjet, p4[offsets[j] : offsets[j + 1]]), definition)
        expected = [1e6 * sequence.exclusive_dmerge(left) for left in range(n - 1, 0, -1)]
        np.testing.assert_allclose(trees.distance[trees.offsets[j] + n : trees.offsets[j + 1]], expected, rtol=1e-9)


def test_hardest_jets_of_the_example_event(event, reference_text):
    trees = cluster(event, np.array([0, len(event)]), power=ANTI_KT, radius=1.0)
    nodes, _ = inclusive_jets(trees)
    found = trees.p4[nodes[:3]]
    printed = np.column_stack([fv.pt(found), fv.mass(found), fv.rapidity(found), fv.phi(found) % (2 * np.pi)])
    lines = [line for line in reference_text("RecursiveTools/example_softdrop.ref").splitlines() if "original" in line]
    expected = [[float(word) for word in line.split() if word[-1].isdigit()] for line in lines]
    np.testing.assert_allclose(printed, expected, rtol=1e-5)


def test_each_sum_adds_its_children_and_is_their_parent(jets):
    trees = cluster(*jets)
    made = np.flatnonzero(trees.children[:, 0] >= 0)
    np.testing.assert_allclose(trees.p4[made], trees.p4[trees.children[made]].sum(axis=1), rtol=1e-14)
    np.testing.assert_array_equal(trees.parent[trees.children[made]], np.stack([made, made], axis=1))
    assert len(made) == len(jets[0]) - (len(jets[1]) - 1)


def test_constituents_of_the_jets_are_all_particles_once(event):
    offsets = np.array([0, 100, len(event)])
    trees = cluster(event, offsets, power=ANTI_KT, radius=0.5)
    nodes, _ = inclusive_jets(trees)
    leaves, leaf_offsets = constituents(trees, nodes)
    assert len(set(leaves)) == len(leaves) == len(event)
    np.testing.assert_allclose(
        np.add.reduceat(trees.p4[leaves], leaf_offsets[:-1]), trees.p4[nodes], rtol=1e-9, atol=1e-9
    )


def test_winner_takes_the_direction_and_the_sum_of_the_momenta():
    soft = fv.from_ptetaphim(np.array(3.0), np.array(0.4), np.array(0.5), np.array(0.0))
    hard = fv.from_ptetaphim(np.array(5.0), np.array(0.1), np.array(0.2), np.array(2.0))
    root = cluster(np.stack([soft, hard]), np.array([0, 2]), winner_takes_all=True).p4[2]
    found = [fv.pt(root), fv.rapidity(root), fv.phi(root), fv.mass(root)]
    np.testing.assert_allclose(found, [8.0, fv.rapidity(hard), 0.2, 2.0], rtol=1e-12)


def test_no_event_and_empty_events_are_allowed():
    assert len(cluster(np.zeros((0, 4)), np.array([0])).p4) == 0
    assert cluster(np.ones((1, 4)), np.array([0, 0, 1, 1])).offsets.tolist() == [0, 0, 1, 1]


def test_zero_momenta_do_not_stop_the_clustering():
    p4 = np.zeros((3, 4))
    p4[0] = [5.0, 3.0, 0.0, 4.0]
    for power in (KT, CAMBRIDGE, ANTI_KT):
        assert cluster(p4, np.array([0, 3]), power=power).p4[-1].tolist() == [5.0, 3.0, 0.0, 4.0]


@pytest.mark.parametrize("offsets", [[0, 2], [1, 3], [0, 2, 1, 3], []])
def test_offsets_that_do_not_fit_are_refused(offsets):
    with pytest.raises(JetkitError, match="offsets should rise from 0 to 3"):
        cluster(np.ones((3, 4)), np.array(offsets))


def test_wrong_shapes_and_radii_are_refused():
    with pytest.raises(JetkitError, match="p4 should have the shape"):
        cluster(np.ones((3, 3)), np.array([0, 3]))
    with pytest.raises(JetkitError, match="radius should be positive"):
        cluster(np.ones((3, 4)), np.array([0, 3]), radius=0.0)


def pseudojets(fastjet, p4):
    return [fastjet.PseudoJet(*map(float, (px, py, pz, energy))) for energy, px, py, pz in p4]


def momentum(jet):
    return [jet.e(), jet.px(), jet.py(), jet.pz()]


def test_levels_hold_every_node_once_harder_children_first(jets):
    trees = cluster(*jets, power=KT)
    found = levels(trees)
    assert sorted(np.concatenate(found)) == list(range(len(trees.p4)))
    np.testing.assert_array_equal(found[0], trees.offsets[1:][np.diff(trees.offsets) > 0] - 1)
    for above, below in pairwise(found):
        inner = above[trees.children[above, 0] >= 0]
        harder, softer = below.reshape(2, -1)
        np.testing.assert_array_equal(np.sort([harder, softer], axis=0).T, np.sort(trees.children[inner]))
        assert (fv.pt(trees.p4[harder]) >= fv.pt(trees.p4[softer])).all()
