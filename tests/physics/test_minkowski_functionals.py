"""Known shapes, and a count of the cells one by one."""

from __future__ import annotations

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.physics.minkowski_functionals import minkowski_functionals


@pytest.fixture(scope="module")
def images():
    """Filled to shares from nothing to everything."""
    random = np.random.default_rng(3)
    share = np.linspace(0, 1, 40)[:, None, None]
    return random.random((40, 9, 13)) < share


def cells(filled, k):
    """Pixels, edges and vertices of the dilated image as sets, in units of half a pixel."""
    reach = range(-k, k + 1)
    faces = {(2 * (i + a), 2 * (j + b)) for i, j in np.argwhere(filled) for a in reach for b in reach}
    edges = {(i + a, j + b) for i, j in faces for a, b in [(1, 0), (-1, 0), (0, 1), (0, -1)]}
    vertices = {(i + a, j + b) for i, j in faces for a in (-1, 1) for b in (-1, 1)}
    return faces, edges, vertices


def test_isolated_pixels_are_counted():
    filled = np.zeros((7, 9), dtype=bool)
    filled[::2, ::2] = True
    assert minkowski_functionals(filled).tolist() == [[20, 80, 20]]


@pytest.mark.parametrize(("a", "b"), [(1, 1), (2, 5), (7, 3)])
def test_a_rectangle_grows_as_a_rectangle(a, b):
    known = [[(a + 2 * k) * (b + 2 * k), 2 * (a + b + 4 * k), 1] for k in range(4)]
    assert minkowski_functionals(np.ones((a, b), dtype=bool), dilations=3).tolist() == known


def test_a_ring_has_a_hole_until_it_is_filled():
    ring = np.ones((3, 3), dtype=bool)
    ring[1, 1] = False
    assert minkowski_functionals(ring, dilations=1).tolist() == [[8, 16, 0], [25, 20, 1]]


def test_pixels_that_touch_at_a_corner_are_connected():
    assert minkowski_functionals(np.eye(2, dtype=bool)).tolist() == [[2, 8, 1]]


def test_functionals_are_additive(images):
    """Of two parts with a column in common; without one, they would share edges and corners but no pixels."""
    x, y = images[..., :7], images[..., 6:]
    both = minkowski_functionals(images) + minkowski_functionals(images[..., 6:7])
    np.testing.assert_array_equal(both, minkowski_functionals(x) + minkowski_functionals(y))


def test_functionals_follow_from_the_cells_of_the_dilated_image(images):
    table = minkowski_functionals(images, dilations=3)
    for filled, of_image in zip(images[::4], table[::4], strict=True):
        for k, functionals in enumerate(of_image):
            faces, edges, vertices = map(len, cells(filled, k))
            assert functionals.tolist() == [faces, 2 * edges - 4 * faces, vertices - edges + faces]


def test_boundary_and_euler_characteristic_are_those_of_the_pixels_around(images):
    from scipy import ndimage

    for filled, (area, length, euler) in zip(images, minkowski_functionals(images)[:, 0], strict=True):
        padded = np.pad(filled, 1)
        parts, holes = ndimage.label(padded, np.ones((3, 3)))[1], ndimage.label(~padded)[1] - 1
        borders = np.diff(padded, axis=0).sum() + np.diff(padded, axis=1).sum()
        assert (area, length, euler) == (filled.sum(), borders, parts - holes)


def test_dilation_in_steps_is_dilation_at_once(images):
    from scipy import ndimage

    table = minkowski_functionals(images, dilations=4)
    grown = np.stack([ndimage.binary_dilation(np.pad(image, 3), np.ones((7, 7))) for image in images])
    np.testing.assert_array_equal(minkowski_functionals(grown, dilations=1), table[:, 3:])


def test_axes_before_the_image_are_kept(images):
    stacked = images.reshape(4, 10, 9, 13)
    assert minkowski_functionals(stacked, dilations=2).shape == (4, 10, 3, 3)
    np.testing.assert_array_equal(
        minkowski_functionals(stacked, dilations=2).reshape(40, 3, 3), minkowski_functionals(images, dilations=2)
    )


@pytest.mark.parametrize(("shape", "dilations"), [((5,), 0), ((5, 5), -1)])
def test_what_is_no_image_or_no_dilation_is_refused(shape, dilations):
    with pytest.raises(JetkitError, match="rows and columns"):
        minkowski_functionals(np.zeros(shape, dtype=bool), dilations=dilations)
