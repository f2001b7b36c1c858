from __future__ import annotations

import numpy as np
import pytest
import torch

from jetkit.physics import four_vectors as fv

CONVERSIONS = [np.asarray, torch.as_tensor]


@pytest.fixture
def p4():
    random = np.random.default_rng(1)
    momentum = random.normal(0, 20, (50, 3))
    mass = random.exponential(2, 50)
    return np.concatenate([np.sqrt((momentum**2).sum(1) + mass**2)[:, None], momentum], axis=1)


@pytest.mark.parametrize("convert", CONVERSIONS)
def test_ptetaphim_round_trip(p4, convert):
    x = convert(p4)
    again = fv.from_ptetaphim(fv.pt(x), fv.eta(x), fv.phi(x), fv.mass(x))
    assert type(again) is type(x)
    np.testing.assert_allclose(np.asarray(again), p4, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("convert", CONVERSIONS)
def test_rapidity_is_its_definition(p4, convert):
    expected = 0.5 * np.log((p4[:, 0] + p4[:, 3]) / (p4[:, 0] - p4[:, 3]))
    np.testing.assert_allclose(np.asarray(fv.rapidity(convert(p4))), expected, rtol=1e-10)


@pytest.mark.parametrize("y", [-12.0, 12.0])
def test_rapidity_of_a_massless_forward_particle_keeps_its_digits(y):
    p4 = np.array([np.cosh(y), 1.0, 0.0, np.sinh(y)])
    assert fv.rapidity(p4) == pytest.approx(y, rel=1e-9)
    assert fv.eta(p4) == pytest.approx(y, rel=1e-14)


def test_rapidity_shifts_under_a_boost_along_z(p4):
    boosted = fv.boost(p4, np.array([0.0, 0.0, np.tanh(0.7)]))
    np.testing.assert_allclose(fv.rapidity(boosted), fv.rapidity(p4) + 0.7, rtol=1e-10)


def test_along_the_beam_rapidity_is_finite_and_at_rest_it_is_zero():
    beam = np.array([[5.0, 0.0, 0.0, -5.0], [3.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    assert fv.rapidity(beam)[0] < -80
    assert fv.rapidity(beam)[1:].tolist() == fv.eta(beam)[1:].tolist() == [0.0, 0.0]


def test_mass_of_rounding_noise_is_zero():
    assert fv.mass(np.array([1.0, 0.0, 0.0, 1.0 + 1e-12])) == 0.0


@pytest.mark.parametrize("convert", CONVERSIONS)
def test_boost_keeps_masses_and_its_inverse_undoes_it(p4, convert):
    velocity = convert(np.array([0.3, -0.5, 0.6]))
    boosted = fv.boost(convert(p4), velocity)
    np.testing.assert_allclose(np.asarray(fv.mass2(boosted)), fv.mass2(p4), atol=1e-8)
    np.testing.assert_allclose(np.asarray(fv.boost(boosted, -velocity)), p4, atol=1e-9)


def test_boost_by_its_velocity_brings_a_particle_to_rest(p4):
    at_rest = fv.boost(p4, -p4[:, 1:] / p4[:, :1])
    np.testing.assert_allclose(at_rest[:, 1:], 0.0, atol=1e-8)
    np.testing.assert_allclose(at_rest[:, 0], fv.mass(p4), atol=1e-8)


@pytest.mark.parametrize(
    ("difference", "wrapped"), [(0.1, 0.1), (np.pi + 0.1, 0.1 - np.pi), (7 * np.pi + 0.2, 0.2 - np.pi)]
)
def test_delta_phi_takes_the_short_way(difference, wrapped):
    assert fv.delta_phi(np.array(difference), np.array(0.0)) == pytest.approx(wrapped)
    assert fv.delta_phi(np.array(0.0), np.array(difference)) == pytest.approx(-wrapped)


def test_delta_r_wraps_the_azimuth():
    a = fv.from_ptetaphim(np.array(1.0), np.array(0.3), np.array(np.pi - 0.2), np.array(0.0))
    b = fv.from_ptetaphim(np.array(1.0), np.array(0.0), np.array(-np.pi + 0.2), np.array(0.0))
    assert fv.delta_r(a, b) == pytest.approx(0.5)


@pytest.mark.parametrize("convert", CONVERSIONS)
def test_total_ignores_padding(p4, convert):
    mask = np.arange(50) < 7
    np.testing.assert_allclose(np.asarray(fv.total(convert(p4), convert(mask))), p4[:7].sum(axis=0))


@pytest.mark.parametrize("quantity", [fv.energy, fv.pt, fv.phi, fv.eta, fv.rapidity, fv.mass, fv.mass2])
def test_gradient_is_finite_on_padding_and_right_elsewhere(p4, quantity):
    x = torch.tensor(np.concatenate([p4[:3], np.zeros((1, 4))]), requires_grad=True)
    quantity(x).sum().backward()
    assert torch.isfinite(x.grad).all()
    real = torch.tensor(p4[:3], requires_grad=True)
    assert torch.autograd.gradcheck(quantity, real)
