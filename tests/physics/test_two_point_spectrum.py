from __future__ import annotations

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.physics import four_vectors as fv
from jetkit.physics.two_point_spectrum import two_point_spectrum


def test_spectrum_is_the_histogram_of_all_ordered_pairs(jets):
    spectra = two_point_spectrum(*jets, bins=12, width=0.1)
    for j, spectrum in enumerate(spectra):
        jet = jets[0][jets[1][j] : jets[1][j + 1]]
        z, r = fv.pt(jet) / fv.pt(jet).sum(), fv.delta_r(jet[:, None], jet)
        expected = np.histogram(r, bins=np.arange(13) * 0.1, weights=np.outer(z, z))[0]
        np.testing.assert_allclose(spectrum, expected, atol=1e-12)


def test_all_pairs_of_a_jet_that_fits_add_up_to_one(jets):
    np.testing.assert_allclose(two_point_spectrum(*jets, bins=5, width=2.0).sum(1), 1, rtol=1e-12)


def test_two_prongs_have_one_angle(two_prongs):
    spectrum = two_point_spectrum(*two_prongs, bins=3, width=0.1)[0]
    assert spectrum.tolist() == pytest.approx([0.58, 0.42, 0])


def test_a_collinear_splitting_and_a_soft_particle_change_nothing(jets):
    p4, offsets = jets
    split = np.repeat(p4, 2, axis=0) * np.tile([0.3, 0.7], len(p4))[:, None]
    before = two_point_spectrum(p4, offsets, bins=12, width=0.1)
    np.testing.assert_allclose(two_point_spectrum(split, 2 * offsets, bins=12, width=0.1), before, atol=1e-12)
    soft = np.insert(p4, offsets[1:], 1e-12 * p4[0], axis=0)
    more = offsets + np.arange(len(offsets))
    np.testing.assert_allclose(two_point_spectrum(soft, more, bins=12, width=0.1), before, atol=1e-10)


def test_spectrum_of_nothing_is_zero():
    assert not two_point_spectrum(np.zeros((1, 4)), np.array([0, 1, 1]), bins=3, width=0.1).any()


@pytest.mark.parametrize(("bins", "width"), [(0, 0.1), (3, 0.0)])
def test_bins_that_are_none_are_refused(two_prongs, bins, width):
    with pytest.raises(JetkitError, match="should be positive"):
        two_point_spectrum(*two_prongs, bins=bins, width=width)
