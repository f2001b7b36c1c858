from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from jetkit.physics import four_vectors as fv
from jetkit.physics.mass_drops import mass_drops


def boosted(p4, mother):
    """Momenta seen from where the mother rests."""
    return fv.boost(p4, -(mother[1:] / mother[0]))


def test_two_massless_branches_share_z_over_one_minus_z():
    pt, angle = np.array([80.0, 20.0]), np.array([0.0, 1e-3])
    p4 = fv.from_ptetaphim(pt, np.zeros(2), angle, np.zeros(2))
    found = mass_drops(p4, np.array([0, 2]))
    assert found.distance[0] == pytest.approx(0.25, rel=1e-4)
    assert found.mass[0] == pytest.approx(np.sqrt(80 * 20) * 1e-3, rel=1e-4)
    assert (found.drop[0], found.balance[0], found.helicity[0]) == pytest.approx((0, 0, 0), abs=1e-3)


def three_prongs(cosine):
    """A particle at rest of mass 100 → one of mass 60 and a massless one; the former → mass 20 and mass 10 at θ."""
    momentum = (100**2 - 60**2) / 200
    heavy = np.array([np.hypot(60, momentum), momentum, 0, 0])
    share = np.sqrt((60**2 - 30**2) * (60**2 - 10**2)) / 120
    away = share * np.array([cosine, np.sqrt(1 - cosine**2), 0.0])
    pair = np.stack([[np.hypot(20, share), *away], [np.hypot(10, share), *-away]])
    pair = fv.boost(pair, np.tile(heavy[1:] / heavy[0], (2, 1)))
    rest = np.array([[momentum, -momentum, 0, 0]])
    flight = np.array([0.0, 0.0, 0.995])
    turned = np.concatenate([pair, rest])[:, [0, 2, 3, 1]]
    lab = fv.boost(turned, np.tile(flight, (3, 1)))
    return lab[:, [0, 3, 2, 1]]


@pytest.mark.parametrize("cosine", [-0.6, 0.3, 0.8])
def test_angle_is_that_of_the_heavier_branch_in_the_frame_of_the_mother(cosine):
    found = mass_drops(three_prongs(cosine), np.array([0, 3]))
    inner = int(np.argmin(found.mass))
    assert found.mass[[1 - inner, inner]] == pytest.approx([100, 60])
    assert found.drop[[1 - inner, inner]] == pytest.approx([0.6, 1 / 3])
    assert found.balance[[1 - inner, inner]] == pytest.approx([0, 0.5], abs=1e-6)
    assert found.helicity[[1 - inner, inner]] == pytest.approx([0, cosine], abs=1e-9)


def test_of_equal_masses_the_harder_branch_counts_as_the_heavier_one():
    p4 = three_prongs(0.3)
    p4[1, 0] = np.sqrt(p4[1, 1:] @ p4[1, 1:] + 20.001**2)
    mother = p4[0] + p4[1]
    flight = -boosted(p4.sum(axis=0), mother)[1:]
    harder = boosted(p4[np.argmax(fv.pt(p4[:2]))], mother)[1:]
    found = mass_drops(p4, np.array([0, 3]))
    cosine = harder @ flight / np.sqrt(harder @ harder * (flight @ flight))
    assert found.helicity[np.argmin(found.mass)] == pytest.approx(cosine, abs=1e-9)


def test_light_splittings_are_left_out(jets):
    p4, offsets = jets
    everything, heavy = mass_drops(p4, offsets), mass_drops(p4, offsets, mass_min=5.0)
    np.testing.assert_array_equal(heavy.mass, everything.mass[everything.mass > 5])
    expected = [np.sum(everything.mass[a:b] > 5) for a, b in pairwise(everything.offsets)]
    np.testing.assert_array_equal(np.diff(heavy.offsets), expected)
    assert (np.diff(everything.offsets) <= np.maximum(np.diff(offsets) - 1, 0)).all()


@pytest.fixture
def pions(jets):
    """Jets of particles with a mass, which rounding does not change."""
    p4, offsets = jets
    energy = np.sqrt((p4[:, 1:] ** 2).sum(axis=1) + 0.13957**2)
    return np.column_stack([energy, p4[:, 1:]]), offsets


def test_observables_stay_in_their_range(pions):
    found = mass_drops(*pions)
    assert (np.abs(found.helicity) <= 1).all()
    assert (found.helicity != 0).any()
    assert (found.drop < 1).all()
    for share in (found.drop, found.balance, found.distance):
        assert (share >= 0).all()
        assert (share <= 1.01).all()


def test_boost_along_the_beam_changes_nothing(pions):
    p4, offsets = pions
    moved = fv.boost(p4, np.tile([0.0, 0.0, 0.6], (len(p4), 1)))
    here, there = mass_drops(p4, offsets), mass_drops(moved, offsets)
    for name in ("mass", "drop", "balance", "distance", "helicity"):
        np.testing.assert_allclose(getattr(there, name), getattr(here, name), rtol=1e-7, atol=1e-7, err_msg=name)
