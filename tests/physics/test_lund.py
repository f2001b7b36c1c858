from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest

from jetkit.physics import four_vectors as fv
from jetkit.physics.clustering import ANTI_KT, cluster, constituents, inclusive_jets
from jetkit.physics.lund import (
    SMALLEST,
    lund_coordinates,
    lund_declusterings,
    lund_multiplicity,
    perturbative,
    primary_plane,
    secondary_plane,
)


@pytest.fixture
def hardest_two(event):
    trees = cluster(event, np.array([0, len(event)]), power=ANTI_KT, radius=1.0)
    leaves, offsets = constituents(trees, inclusive_jets(trees)[0][:2])
    return trees.p4[leaves], offsets


def test_known_values_of_two_prongs(two_prongs):
    s = lund_declusterings(*two_prongs)
    found = [s.delta[0], s.z[0], s.kt[0], s.kappa[0], s.psi[0], s.mass[0]]
    expected = [0.1802776, 0.3, 5.408327, 0.3 * 0.1802776, np.arctan2(0.1, 0.15), 8.257057]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("angle", [0.3, 2.0, -2.5, -0.8])
def test_psi_is_the_direction_of_the_softer_branch_across_the_azimuthal_cut(angle):
    y, phi = [0.0, 0.1 * np.sin(angle)], [np.pi - 0.01, np.pi - 0.01 + 0.1 * np.cos(angle)]
    for order in ([0, 1], [1, 0]):
        p4 = fv.from_ptetaphim(np.array([9.0, 2.0]), np.array(y), np.array(phi), np.zeros(2))[order]
        assert lund_declusterings(p4, np.array([0, 2])).psi[0] == pytest.approx(angle, abs=1e-9)


def test_primary_planes_of_the_example_of_fastjet_contrib(hardest_two, reference_text):
    plane = primary_plane(lund_declusterings(*hardest_two))
    text = reference_text("LundPlane/example.ref")
    expected = np.array(
        re.findall(r"\((\S+), (\S+)\)", text.split("Lund coordinates", 1)[1].replace("ln kt )", ""))
    ).astype(float)
    np.testing.assert_allclose(np.stack([-np.log(plane.delta), np.log(plane.kt)], axis=1), expected, rtol=1e-5)
    assert plane.offsets.tolist() == [0, 19, 35]


def test_secondary_plane_of_the_example_of_fastjet_contrib(hardest_two, reference_text):
    splittings = lund_declusterings(*hardest_two)
    plane = secondary_plane(splittings, z_cut=0.025)
    text = reference_text("LundPlane/example_secondary.ref").split("primary declustering [8]):")[1].splitlines()[1]
    expected = np.array(re.findall(r"\((\S+), (\S+)\)", text)).astype(float)
    np.testing.assert_allclose(np.stack([-np.log(plane.delta), np.log(plane.kt)], axis=1), expected, rtol=1e-5)
    assert plane.offsets.tolist() == [0, 3, 3]
    assert np.flatnonzero(primary_plane(splittings).z > 0.025)[0] == 8


def test_primary_plane_agrees_with_fastjet(cambridge, jets):
    plane = primary_plane(lund_declusterings(*jets))
    theirs = cambridge.exclusive_jets_lund_declusterings(njets=1)
    for j in range(1, len(plane.offsets) - 1):
        here = slice(plane.offsets[j], plane.offsets[j + 1])
        np.testing.assert_allclose(plane.delta[here], np.ravel(theirs[j].Delta), rtol=1e-9)
        np.testing.assert_allclose(plane.kt[here], np.ravel(theirs[j].kt), rtol=1e-9)


def test_there_is_one_splitting_less_than_particles(jets):
    splittings = lund_declusterings(*jets)
    np.testing.assert_array_equal(np.diff(splittings.offsets), np.diff(jets[1]) - 1)


def test_links_lead_from_every_splitting_to_the_first_of_its_jet(jets):
    s = lund_declusterings(*jets)
    first = s.parent < 0
    assert first.sum() == np.sum(np.diff(s.offsets) > 0)
    assert (s.parent[~first] < np.flatnonzero(~first)).all()
    deeper = s.origin >= 0
    np.testing.assert_array_equal(s.level[deeper], s.level[s.origin[deeper]] + 1)
    np.testing.assert_array_equal(s.level[~deeper], 0)
    assert np.bincount(s.parent[~first]).max() == 2


def test_links_of_a_selected_plane_are_counted_anew(jets):
    plane = primary_plane(lund_declusterings(*jets))
    starts = np.isin(np.arange(len(plane.z)), plane.offsets[:-1])
    np.testing.assert_array_equal(plane.parent, np.where(starts, -1, np.arange(len(plane.z)) - 1))


def test_boost_along_the_beam_changes_nothing(jets):
    before = lund_declusterings(*jets)
    after = lund_declusterings(fv.boost(jets[0], np.array([0.0, 0.0, 0.8])), jets[1])
    for name in ("delta", "z", "kt", "kappa", "psi"):
        np.testing.assert_allclose(getattr(after, name), getattr(before, name), rtol=1e-7, atol=1e-9)


def test_scaling_momenta_scales_only_kt_and_mass(jets):
    before, after = lund_declusterings(*jets), lund_declusterings(4 * jets[0], jets[1])
    for name, factor in (("delta", 1), ("z", 1), ("kappa", 1), ("psi", 1), ("kt", 4), ("mass", 4)):
        np.testing.assert_allclose(getattr(after, name), factor * getattr(before, name), rtol=1e-9, err_msg=name)


def test_multiplicity_counts_splittings_above_the_cut(jets):
    splittings = lund_declusterings(*jets)
    expected = [np.sum(splittings.kt[a:b] > 1.0) for a, b in pairwise(splittings.offsets)]
    np.testing.assert_array_equal(lund_multiplicity(splittings, 1.0), expected)
    np.testing.assert_array_equal(lund_multiplicity(splittings, -1.0), np.diff(jets[1]) - 1)


def test_coordinates_are_logarithms_of_the_named_quantities(two_prongs):
    found = lund_coordinates(
        lund_declusterings(*two_prongs), ["psi", "ln_kt", "ln_mass", "ln_delta", "ln_z", "ln_kappa"]
    )
    quantities = [5.408327, 8.257057, 0.1802776, 0.3, 0.3 * 0.1802776]
    np.testing.assert_allclose(found, [[np.arctan2(0.1, 0.15), *np.log(quantities)]], rtol=1e-6)


def test_coordinates_of_parallel_particles_are_finite():
    p4 = fv.from_ptetaphim(np.array([9.0, 3.0]), np.zeros(2), np.zeros(2), np.zeros(2))
    found = lund_coordinates(lund_declusterings(p4, np.array([0, 2])), ["ln_delta", "ln_kt", "ln_mass", "ln_z"])
    np.testing.assert_allclose(found, [[np.log(SMALLEST)] * 3 + [np.log(0.25)]])


def followed(s, first, last, kt_min):
    """Splittings of one jet that are left, and what each is linked to: the tree walked down branch by branch."""
    waiting, left = [(first, -1, False)] if first < last else [], {}
    while waiting:
        d, above, is_dropped = waiting.pop()
        kept = s.kt[d] >= kt_min and not is_dropped
        if kept:
            left[d] = above
        for child in (child for child in range(first, last) if s.parent[child] == d):
            is_softer = s.origin[child] == d
            waiting.append((child, d if kept else above, is_dropped or (is_softer and not kept)))
    return left


@pytest.mark.parametrize("kt_min", [0.0, 0.3, 2.0, 1e9])
def test_softer_branches_below_the_cut_are_dropped_with_all_their_splittings(jets, kt_min):
    s = lund_declusterings(*jets)
    found = perturbative(s, kt_min)
    left = {}
    for j, (first, last) in enumerate(pairwise(s.offsets)):
        before = len(left)
        left |= followed(s, first, last, kt_min)
        assert found.offsets[j + 1] - found.offsets[j] == len(left) - before
    numbers = sorted(left)
    np.testing.assert_array_equal(found.kt, s.kt[numbers])
    np.testing.assert_array_equal(found.parent, [numbers.index(left[d]) if left[d] >= 0 else -1 for d in numbers])
