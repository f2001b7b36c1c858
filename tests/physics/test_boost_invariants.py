"""The list of polynomials, one of them by hand, and what leaves them alone."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest
import torch

from jetkit.physics import four_vectors as fv
from jetkit.physics.boost_invariants import Component, boost_invariants, invariant_products
from jetkit.physics.ragged import padded_from_ragged

PRODUCTS = invariant_products()


@pytest.fixture(scope="module")
def padded(jets):
    p4, mask = padded_from_ragged(*jets)
    return p4[1:], mask[1:]


def agree(actual, expected):
    """Up to the rounding of sums whose terms are as large as the polynomial of the highest order."""
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())


def turned(p4, turn):
    return np.concatenate([p4[..., :1], p4[..., 1:] @ np.swapaxes(turn, -1, -2)], axis=-1)


def by_hand(p4, chosen):
    """One product for particles about the z axis, particle by particle."""
    value, total = 1, sum(math.hypot(p[1], p[2]) for p in p4)
    for k, l, n in chosen:  # noqa: E741
        a = 0
        for energy, px, py, pz in p4:
            s, y = (math.log(math.hypot(px, py) / total) + 4.7) / 6, math.log((energy + pz) / (energy - pz)) / 2
            t = (1, s, 2 * s**2 - 1, 4 * s**3 - 3 * s, 8 * s**4 - 8 * s**2 + 1, 16 * s**5 - 20 * s**3 + 5 * s)[k]
            a += t * cmath.exp(1j * (l * math.atan2(py, px) + n * y)) * math.log(1 + energy**2 - pz**2)
        value *= a
    return complex(value).real


@pytest.mark.parametrize(
    ("order", "levels", "count"),
    [(3, 5, 151), (3, 6, 312), (3, 7, 596), (4, 6, 671)],
)
def test_as_many_as_the_authors_build(order, levels, count):
    assert len(invariant_products(order=order, levels=levels)) == count


def test_products_are_balanced_different_and_within_their_limits():
    assert len({tuple(sorted(chosen)) for chosen in PRODUCTS}) == len(PRODUCTS)
    assert PRODUCTS[0] == ()
    for chosen in PRODUCTS:
        assert sum(c.l for c in chosen) == sum(c.n for c in chosen) == 0
        assert sum(c.level for c in chosen) <= 6
        assert all(c.k <= 5 and abs(c.l) <= 3 and abs(c.n) <= 3 for c in chosen)


def test_conjugate_products_have_the_same_real_part(padded):
    values = boost_invariants(*padded, PRODUCTS).T
    place = {tuple(sorted(chosen)): number for number, chosen in enumerate(PRODUCTS)}
    twin = [place[tuple(sorted(Component(c.k, -c.l, -c.n) for c in chosen))] for chosen in PRODUCTS]
    agree(values[twin], values)


def test_polynomials_are_those_by_hand():
    random = np.random.default_rng(7)
    pt, phi, pz = random.exponential(10, 5) + 1, random.uniform(-np.pi, np.pi, 5), random.normal(100, 30, 5)
    px, py = pt * np.cos(phi), pt * np.sin(phi)
    px[-1], py[-1] = -px[:-1].sum(), -py[:-1].sum()
    p4 = np.stack([np.sqrt(px**2 + py**2 + pz**2 + 0.1), px, py, pz], axis=1)
    agree(boost_invariants(p4, np.ones(5, dtype=bool), PRODUCTS), [by_hand(p4, chosen) for chosen in PRODUCTS])


def test_any_rotation_of_a_jet_changes_nothing(padded):
    p4, mask = padded
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(len(p4), 3, 3))).Q
    turn *= np.linalg.det(turn)[:, None, None]
    agree(boost_invariants(turned(p4, turn), mask, PRODUCTS), boost_invariants(p4, mask, PRODUCTS))


@pytest.mark.parametrize("beta", [-0.4, 0.66, 0.95])
def test_a_boost_along_the_axis_changes_nothing(padded, beta):
    p4, mask = padded
    axis = fv.total(p4, mask)[:, 1:]
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    boosted = fv.boost(p4, beta * axis[:, None])
    agree(boost_invariants(boosted, mask, PRODUCTS), boost_invariants(p4, mask, PRODUCTS))


def test_a_boost_across_the_axis_does(padded):
    p4, mask = padded
    axis = np.cross(fv.total(p4, mask)[:, 1:], [0, 0, 1])
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    before = boost_invariants(p4, mask, PRODUCTS)
    assert (
        np.abs(boost_invariants(fv.boost(p4, 0.1 * axis[:, None]), mask, PRODUCTS) / before - 1).max(1) > 1e-3
    ).all()


def test_order_and_padding_change_nothing(padded):
    p4, mask = padded
    before = boost_invariants(p4, mask, PRODUCTS)
    agree(boost_invariants(p4[:, ::-1], mask[:, ::-1], PRODUCTS), before)
    agree(boost_invariants(np.where(mask[..., None], p4, 99.0), mask, PRODUCTS), before)


def test_soft_particles_change_nothing_and_collinear_ones_do(padded):
    p4, mask = padded
    before = boost_invariants(p4, mask, PRODUCTS)
    soft = np.concatenate([p4, 1e-12 * p4[:, :1] + [1e-12, 0, 1e-12, 0]], axis=1)
    agree(boost_invariants(soft, np.pad(mask, ((0, 0), (0, 1)), constant_values=True), PRODUCTS), before)
    split = boost_invariants(np.concatenate([0.3 * p4, 0.7 * p4], axis=1), np.tile(mask, 2), PRODUCTS)
    assert (np.abs(split / before - 1).max(axis=1) > 1e-3).all()


@pytest.mark.parametrize("p4", [np.zeros((1, 4)), np.array([[5.0, 0, 0, 5.0]]), np.array([[5.0, 0, 0, -5.0]])])
def test_a_particle_without_transverse_momentum_has_finite_polynomials(p4):
    assert np.isfinite(boost_invariants(p4, np.array([True]), PRODUCTS)).all()


def test_tensors_have_the_same_polynomials_and_a_gradient(padded):
    p4 = torch.from_numpy(padded[0]).requires_grad_()
    values = boost_invariants(p4, torch.from_numpy(padded[1]), PRODUCTS)
    agree(values.detach().numpy(), boost_invariants(*padded, PRODUCTS))
    values.sum().backward()
    assert p4.grad.isfinite().all()
    assert p4.grad.any()
