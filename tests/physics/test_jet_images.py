from __future__ import annotations

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.physics import four_vectors as fv
from jetkit.physics.jet_images import jet_images


def particles(pt, eta, phi):
    return fv.from_ptetaphim(*np.broadcast_arrays(np.array(pt, dtype=float), eta, phi, 0.0))


def test_all_momentum_of_a_narrow_jet_is_in_the_image(jets):
    images = jet_images(*jets, half_width=4.0)
    assert images.shape == (60, 40, 40)
    np.testing.assert_allclose(images.sum(axis=(1, 2)), 1.0, rtol=1e-12)


def test_momentum_outside_is_dropped_but_counted():
    p4 = particles([3.0, 1.0], [0.0, 2.0], [0.0, 0.0])
    image = jet_images(p4, np.array([0, 2]), pixels=5, half_width=0.6, align=False)[0]
    assert image.sum() == pytest.approx(0.75)


def test_pixels_are_those_of_a_histogram_around_the_centroid(jets):
    images = jet_images(*jets, pixels=16, half_width=0.8, align=False)
    for j in range(3, 10):
        jet = jets[0][jets[1][j] : jets[1][j + 1]]
        z, eta, phi = fv.pt(jet) / fv.pt(jet).sum(), fv.eta(jet), fv.phi(jet) % (2 * np.pi)
        edges = np.linspace(-0.8, 0.8, 17)
        plane = eta - (z * eta).sum(), phi - (z * phi).sum()
        np.testing.assert_allclose(images[j], np.histogram2d(*plane, bins=(edges, edges), weights=z)[0], atol=1e-12)


@pytest.mark.parametrize("angle", [0.4, 1.3, 2.2, -2.9])
@pytest.mark.parametrize("mirror", [1, -1])
def test_aligned_image_does_not_know_how_the_jet_was_turned(angle, mirror):
    pt = np.array([50.0, 30.0, 10.0, 7.0, 3.0])
    eta, phi = mirror * np.array([0.02, 0.31, -0.22, 0.13, -0.41]), np.array([0.03, 0.12, 0.05, -0.33, -0.17])
    turned = np.cos(angle) * eta - np.sin(angle) * phi, 3.1 + np.sin(angle) * eta + np.cos(angle) * phi
    plain = jet_images(particles(pt, np.abs(mirror) * mirror * eta, phi), np.array([0, 5]))
    np.testing.assert_allclose(jet_images(particles(pt, *turned), np.array([0, 5])), plain, atol=1e-12)
    assert np.any(jet_images(particles(pt, *turned), np.array([0, 5]), align=False) != plain)


def test_aligned_jet_is_longest_in_azimuth_and_fullest_in_the_positive_quadrant(jets):
    images = jet_images(*jets, pixels=80, half_width=2.0)[3:]
    centre = np.linspace(-2, 2, 161)[1::2]
    variance = [(images.sum(axis=other) * centre**2).sum(axis=1) for other in (2, 1)]
    assert (variance[1] > variance[0]).mean() > 0.95
    quadrants = images.reshape(-1, 2, 40, 2, 40).sum(axis=(2, 4)).reshape(-1, 4)
    assert (quadrants.argmax(axis=1) == 3).all()


def test_image_of_nothing_is_empty():
    assert not jet_images(np.zeros((1, 4)), np.array([0, 1, 1])).any()


def test_wrong_sizes_are_refused(two_prongs):
    with pytest.raises(JetkitError, match="pixels and half_width should be positive"):
        jet_images(*two_prongs, pixels=0)
