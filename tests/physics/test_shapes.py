from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.physics import four_vectors as fv
from jetkit.physics.shapes import angularity, jet_charge, momentum_dispersion, multiplicity, pull, width


def test_multiplicity_and_dispersion_are_angularities(jets):
    np.testing.assert_allclose(angularity(*jets, kappa=0.0, beta=0.0), multiplicity(jets[1]))
    np.testing.assert_allclose(angularity(*jets, kappa=2.0, beta=0.0), momentum_dispersion(*jets) ** 2, rtol=1e-12)


@pytest.mark.parametrize(("kappa", "beta"), [(1.0, 0.5), (1.0, 2.0), (2.0, 1.0)])
def test_angularity_is_that_of_the_obvious_loop(jets, kappa, beta):
    found = angularity(*jets, kappa=kappa, beta=beta, R0=0.4, axis="e_scheme")
    for j, (a, b) in enumerate(pairwise(jets[1])):
        jet = jets[0][a:b]
        z, distance = fv.pt(jet) / fv.pt(jet).sum(), fv.delta_r(jet, jet.sum(axis=0))
        assert found[j] == pytest.approx(np.sum(z**kappa * (distance / 0.4) ** beta), rel=1e-7, abs=1e-7)


def test_winner_takes_all_axis_is_the_harder_of_two_prongs(two_prongs):
    tilted = angularity(*two_prongs, kappa=1.0, beta=1.0, R0=1.0)
    assert tilted[0] == pytest.approx(0.3 * 0.1802776, rel=1e-6)
    assert width(*two_prongs)[0] == pytest.approx(2 * 0.3 * 0.7 * 0.1802776, rel=1e-2)


def test_width_is_an_angularity_around_the_summed_momentum(jets):
    np.testing.assert_array_equal(width(*jets), angularity(*jets, kappa=1.0, beta=1.0, R0=1.0, axis="e_scheme"))


def test_charge_of_equal_charges_is_the_sum_of_fractions():
    p4 = np.array([[1.0, 1.0, 0, 0], [4.0, 4.0, 0, 0], [9.0, 9.0, 0, 0]])
    charge = np.array([1.0, 1.0, -1.0])
    np.testing.assert_allclose(jet_charge(p4, np.array([0, 2, 3]), charge, kappa=0.5), [3 / np.sqrt(5), -1])
    np.testing.assert_allclose(jet_charge(p4, np.array([0, 2, 3]), charge, kappa=1.0), [1, -1])


def test_pull_points_to_the_softer_wider_side_and_is_the_obvious_sum(jets):
    found = pull(*jets)
    for j, (a, b) in enumerate(pairwise(jets[1])):
        jet, axis = jets[0][a:b], jets[0][a:b].sum(axis=0)
        r = np.stack([fv.rapidity(jet) - fv.rapidity(axis), fv.delta_phi(fv.phi(jet), fv.phi(axis))], axis=1)
        expected = (fv.pt(jet)[:, None] * np.linalg.norm(r, axis=1)[:, None] * r).sum(axis=0) / fv.pt(axis)
        np.testing.assert_allclose(found[j], expected, atol=1e-9)


def test_pull_turns_with_the_jet(jets):
    mirrored = jets[0] * np.array([1.0, 1.0, 1.0, -1.0])
    np.testing.assert_allclose(pull(mirrored, jets[1]), pull(*jets) * [-1, 1], atol=1e-12)


def test_shapes_of_an_empty_jet_are_zero():
    nothing = np.zeros((0, 4)), np.array([0, 0])
    shapes = [momentum_dispersion(*nothing), width(*nothing), angularity(*nothing, kappa=1.0, beta=1.0), pull(*nothing)]
    assert not any(shape.any() for shape in shapes)


def test_wrong_arguments_are_refused(two_prongs):
    with pytest.raises(JetkitError, match="axis should be one of e_scheme, wta, got 'beam'"):
        angularity(*two_prongs, kappa=1.0, beta=1.0, axis="beam")
    with pytest.raises(JetkitError, match="R0 should be positive"):
        angularity(*two_prongs, kappa=1.0, beta=1.0, R0=0.0)
    with pytest.raises(JetkitError, match="one entry for each of the 2 particles"):
        jet_charge(*two_prongs, np.ones(3))
