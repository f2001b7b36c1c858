from __future__ import annotations

import numpy as np

from jetkit.physics import four_vectors as fv
from jetkit.physics.ragged import mass_of, padded_from_ragged, pt_rapidity_phi, ragged_from_padded


def test_padding_and_back_changes_nothing(jets):
    p4, offsets = ragged_from_padded(*padded_from_ragged(*jets))
    np.testing.assert_array_equal(p4, jets[0])
    np.testing.assert_array_equal(offsets, jets[1])


def test_padded_jets_hold_their_particles_first(jets):
    padded, mask = padded_from_ragged(*jets)
    np.testing.assert_array_equal(mask.sum(axis=1), np.diff(jets[1]))
    np.testing.assert_array_equal(padded[1, :2], jets[0][1:3])
    assert not padded[~mask].any()


def test_compiled_coordinates_are_those_of_the_arrays(jets):
    p4, _ = jets
    expected = np.stack([fv.pt(p4), fv.rapidity(p4), fv.phi(p4)], axis=1)
    np.testing.assert_allclose(pt_rapidity_phi(p4), expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose([mass_of(*p) for p in p4], fv.mass(p4), rtol=1e-10)


def test_along_the_beam_the_coordinates_are_finite():
    beam = pt_rapidity_phi(np.array([[5.0, 0.0, 0.0, -5.0], [0.0, 0.0, 0.0, 0.0]]))
    assert beam.tolist() == [[0.0, -1e5, 0.0], [0.0, 1e5, 0.0]]
