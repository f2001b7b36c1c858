from __future__ import annotations

import re
from itertools import combinations
from math import comb, prod

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.physics import four_vectors as fv
from jetkit.physics.clustering import ANTI_KT, cluster, constituents, inclusive_jets
from jetkit.physics.energy_correlators import energy_correlators, four_point_ratios, three_point_ratios


def slow_correlator(p4, points, angles, beta):
    z = fv.pt(p4) / fv.pt(p4).sum()
    total = 0.0
    for chosen in combinations(range(len(p4)), points):
        distances = sorted(fv.delta_r(p4[i], p4[j]) for i, j in combinations(chosen, 2))
        total += prod(z[list(chosen)]) * prod(distances[:angles]) ** beta
    return total


@pytest.mark.parametrize("points", [2, 3, 4])
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_correlators_are_those_of_the_obvious_loop(jets, points, beta):
    p4 = jets[0][6:14]
    expected = [slow_correlator(p4, points, v, beta) for v in range(1, comb(points, 2) + 1)]
    np.testing.assert_allclose(
        energy_correlators(p4, np.array([0, 8]), points=points, beta=beta)[0], expected, rtol=1e-9
    )


def test_known_values_of_three_equal_prongs(three_prongs):
    e3 = energy_correlators(*three_prongs, points=3)[0]
    r = three_point_ratios(*three_prongs)
    np.testing.assert_allclose(e3, [0.2 / 27, 0.04 / 27, 0.008 / 27], rtol=1e-9)
    found = [r.C1[0], r.C2[0], r.D2[0], r.N2[0], r.M2[0], r.U1[0], r.U2[0]]
    np.testing.assert_allclose(found, [1 / 15, 1 / 15, 1, 1 / 3, 1 / 9, 1 / 15, 1 / 135], rtol=1e-9)
    assert four_point_ratios(*three_prongs).N3[0] == 0


def test_two_prongs_have_no_three_point_correlator(two_prongs):
    r = three_point_ratios(*two_prongs)
    assert r.C1[0] == pytest.approx(0.037858, rel=1e-5)
    assert (r.C2[0], r.D2[0], r.N2[0], r.M2[0]) == (0, 0, 0, 0)


def test_ratios_of_single_particles_and_empty_jets_are_zero():
    p4 = np.array([[5.0, 3.0, 4.0, 0.0]])
    for ratios in (three_point_ratios(p4, np.array([0, 1, 1])), four_point_ratios(p4, np.array([0, 1, 1]))):
        assert not any(value.any() for value in vars(ratios).values())


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_agrees_with_the_printed_example_of_fastjet_contrib(event, reference_text, beta):
    trees = cluster(event, np.array([0, len(event)]), power=ANTI_KT, radius=1.0)
    leaves, offsets = constituents(trees, inclusive_jets(trees)[0][:1])
    three = three_point_ratios(trees.p4[leaves], offsets, beta=beta)
    four = four_point_ratios(trees.p4[leaves], offsets, beta=beta)
    text = reference_text("EnergyCorrelator/example.ref")
    for title, value in (("C1", three.C1), ("C2", three.C2), ("D2", three.D2), ("N2", three.N2), ("M2", three.M2),
                         ("N3", four.N3), ("U1", three.U1), ("U2", three.U2), ("U3", four.U3)):  # fmt: skip
        row = re.search(rf"EnergyCorrelator{title}:.*?\n\s+{beta:.3f}\s+(\S+)", text, re.DOTALL)
        decimals = len(row[1].split(".")[1])
        assert value[0] == pytest.approx(float(row[1]), rel=1e-9, abs=0.51 * 10**-decimals), title
    row = re.search(rf"EnergyCorrelatorDoubleRatio:.*?\n\s+{beta:.3f}\s+\S+\s+\S+\s+(\S+)", text, re.DOTALL)
    assert four.C3[0] == pytest.approx(float(row[1]), rel=1e-5)


def test_number_of_points_is_checked(two_prongs):
    with pytest.raises(JetkitError, match="points should be 2, 3 or 4, got 5"):
        energy_correlators(*two_prongs, points=5)
