"""What every observable must not notice, and what some must: one table, one line an observable."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from jetkit.physics import four_vectors as fv
from jetkit.physics.energy_correlators import energy_correlators, four_point_ratios, three_point_ratios
from jetkit.physics.energy_flow import energy_flow_polynomials
from jetkit.physics.grooming import soft_drop
from jetkit.physics.jet_images import jet_images
from jetkit.physics.lund import lund_declusterings, lund_multiplicity, primary_plane
from jetkit.physics.shapes import angularity, jet_charge, momentum_dispersion, multiplicity, pull, width
from jetkit.physics.subjettiness import n_subjettiness


def groomed(p4, offsets, beta):
    drop = soft_drop(p4, offsets, beta=beta, z_cut=0.1)
    return np.stack([drop.mass / fv.pt(np.add.reduceat(p4, offsets[:-1])), drop.symmetry, drop.delta_r])


SAFE = {
    "tau one-pass beta=1": n_subjettiness,
    "tau one-pass beta=2": lambda p4, offsets: n_subjettiness(p4, offsets, beta=2.0),
    "tau kt": lambda p4, offsets: n_subjettiness(p4, offsets, axes="kt"),
    "tau winner takes all": lambda p4, offsets: n_subjettiness(p4, offsets, axes="wta_kt"),
    "soft drop beta=0": lambda p4, offsets: groomed(p4, offsets, 0.0),
    "soft drop beta=1": lambda p4, offsets: groomed(p4, offsets, 1.0),
    "e2": lambda p4, offsets: energy_correlators(p4, offsets, points=2),
    "e3": lambda p4, offsets: energy_correlators(p4, offsets, points=3),
    "C, D, N, M, U": lambda p4, offsets: np.stack(list(vars(three_point_ratios(p4, offsets)).values())),
    "C3, N3, M3, U3": lambda p4, offsets: np.stack(list(vars(four_point_ratios(p4, offsets)).values())),
    "energy flow": lambda p4, offsets: energy_flow_polynomials(p4, offsets, degree=4),
    "width": width,
    "Les Houches": lambda p4, offsets: angularity(p4, offsets, kappa=1.0, beta=0.5),
    "pull": pull,
}
UNSAFE = {
    "multiplicity": lambda p4, offsets: multiplicity(offsets).astype(float),
    "pTD": momentum_dispersion,
    "angularity kappa=2": lambda p4, offsets: angularity(p4, offsets, kappa=2.0, beta=0.5),
}
INVARIANT = {**SAFE, **UNSAFE, "charge": lambda p4, offsets: jet_charge(p4, offsets, np.ones(len(p4)))}

ROUNDING = 1e-7
"""A particle on an axis has ΔR of about 1e-16, of which β = ½ makes 1e-8."""


@pytest.fixture
def large_jets(jets):
    """Jets of at least four particles, where no ratio is 0/0."""
    first = jets[1][3]
    return jets[0][first:], jets[1][3:] - first


@pytest.mark.parametrize("name", INVARIANT)
def test_order_of_particles_is_not_noticed(large_jets, name):
    p4, offsets = large_jets
    random = np.random.default_rng(7)
    order = np.concatenate([random.permutation(np.arange(a, b)) for a, b in pairwise(offsets)])
    np.testing.assert_allclose(
        INVARIANT[name](p4[order], offsets), INVARIANT[name](p4, offsets), rtol=1e-7, atol=ROUNDING
    )


@pytest.mark.parametrize("name", INVARIANT)
def test_position_of_the_jet_is_not_noticed(large_jets, name):
    p4, offsets = large_jets
    turned = p4.copy()
    turned[:, 1], turned[:, 2] = (
        np.cos(2.3) * p4[:, 1] - np.sin(2.3) * p4[:, 2],
        np.sin(2.3) * p4[:, 1] + np.cos(2.3) * p4[:, 2],
    )
    moved = fv.boost(turned, np.array([0.0, 0.0, np.tanh(0.9)]))
    np.testing.assert_allclose(INVARIANT[name](moved, offsets), INVARIANT[name](p4, offsets), rtol=1e-6, atol=ROUNDING)


@pytest.mark.parametrize("name", INVARIANT)
def test_scale_of_the_momenta_is_not_noticed(large_jets, name):
    p4, offsets = large_jets
    np.testing.assert_allclose(INVARIANT[name](7 * p4, offsets), INVARIANT[name](p4, offsets), rtol=1e-7, atol=ROUNDING)


def with_collinear_splitting(p4, offsets):
    """The first particle of every jet split into 0.6 and 0.4 of itself."""
    whole = p4[offsets[:-1]]
    split = p4.copy()
    split[offsets[:-1]] = 0.6 * whole
    return np.insert(split, offsets[:-1], 0.4 * whole, axis=0), offsets + np.arange(len(offsets))


def with_soft_particle(p4, offsets):
    """A massless particle of 1e-7 GeV beside every jet's first particle."""
    direction = p4[offsets[:-1]]
    y, phi = fv.rapidity(direction) + 0.2, fv.phi(direction) - 0.3
    soft = 1e-7 * np.stack([np.cosh(y), np.cos(phi), np.sin(phi), np.sinh(y)], axis=1)
    return np.insert(p4, offsets[:-1], soft, axis=0), offsets + np.arange(len(offsets))


@pytest.mark.parametrize("name", SAFE)
def test_safe_observables_do_not_notice_collinear_splittings(large_jets, name):
    np.testing.assert_allclose(
        SAFE[name](*with_collinear_splitting(*large_jets)), SAFE[name](*large_jets), rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize("name", SAFE)
def test_safe_observables_do_not_notice_soft_particles(large_jets, name):
    np.testing.assert_allclose(
        SAFE[name](*with_soft_particle(*large_jets)), SAFE[name](*large_jets), rtol=1e-5, atol=1e-7
    )


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_observables_notice_collinear_splittings(large_jets, name):
    change = UNSAFE[name](*with_collinear_splitting(*large_jets)) - UNSAFE[name](*large_jets)
    assert np.median(np.abs(change)) > 1e-4


@pytest.mark.parametrize("change", [with_collinear_splitting, with_soft_particle])
def test_hard_splittings_do_not_notice_soft_or_collinear_ones(large_jets, change):
    before, after = (lund_declusterings(*jets) for jets in (large_jets, change(*large_jets)))
    np.testing.assert_array_equal(lund_multiplicity(after, 1.0), lund_multiplicity(before, 1.0))
    planes = [lund_multiplicity(primary_plane(splittings), 1.0) for splittings in (before, after)]
    np.testing.assert_array_equal(*planes)
    assert len(after.z) == len(before.z) + len(before.offsets) - 1


def test_images_do_not_notice_position_or_scale_but_their_occupancy_notices_soft_particles(large_jets):
    p4, offsets = large_jets
    images = jet_images(p4, offsets)
    turned = fv.from_ptetaphim(5 * fv.pt(p4), fv.eta(p4) + 0.4, fv.phi(p4) + 1.1, 5 * fv.mass(p4))
    np.testing.assert_allclose(jet_images(turned, offsets), images, atol=1e-9)
    soft = jet_images(*with_soft_particle(p4, offsets))
    np.testing.assert_allclose(soft, images, atol=1e-7)
    assert (soft > 0).sum() > (images > 0).sum()
