from math import atan2, cos, hypot, sin

import numpy as np
import pytest

from jetkit.simulation.propagation import CURVATURE, propagate

from .conftest import momentum

B, R, L = 3.8, 1290.0, 3000.0


def random_particles(count, seed):
    rng = np.random.default_rng(seed)
    p4 = momentum(10 ** rng.uniform(-0.5, 1.5, count), rng.uniform(-2, 2, count), rng.uniform(-np.pi, np.pi, count))
    return p4, rng.choice([-1, 0, 1, 2], count), rng.normal(0, 50, (count, 3))


def walk(p4, charge, vertex, step=0.2):
    """Slow twin: short straight steps, each turned by the field."""
    (x, y, z), (_, px, py, pz) = vertex, p4
    pt, angle = hypot(px, py), atan2(py, px)
    while hypot(x, y) < R and abs(z) < L:
        turn = -CURVATURE * charge * B * step / pt
        x, y, z = x + step * cos(angle + turn / 2), y + step * sin(angle + turn / 2), z + step * pz / pt
        angle += turn
    return np.arcsinh(z / hypot(x, y)), atan2(y, x)


def test_helices_agree_with_small_steps() -> None:
    p4, charge, vertex = random_particles(40, seed=1)
    exits, reached = propagate(p4, charge, vertex, B, R, L)
    assert reached.all()
    slow = np.array([walk(*one) for one in zip(p4, charge, vertex, strict=True)])
    assert np.abs(exits[:, 0] - slow[:, 0]).max() < 2e-3
    assert np.abs((exits[:, 1] - slow[:, 1] + np.pi) % (2 * np.pi) - np.pi).max() < 2e-3


def test_a_neutral_from_the_origin_keeps_its_direction() -> None:
    p4 = momentum([5.0, 0.3], [-1.7, 0.2], [3.0, -2.0])
    exits, _ = propagate(p4, np.zeros(2, np.int64), np.zeros((2, 3)), B, R, L)
    np.testing.assert_allclose(exits, [[-1.7, 3.0], [0.2, -2.0]], atol=1e-12)


def test_opposite_charges_bend_to_opposite_sides() -> None:
    p4 = momentum([1.0, 1.0])
    exits, _ = propagate(p4, np.array([1, -1]), np.zeros((2, 3)), B, R, L)
    assert exits[0, 1] == pytest.approx(-exits[1, 1])
    assert exits[0, 1] < 0.0


def test_the_bend_is_that_of_the_text_book() -> None:
    radius = 2.0 / (CURVATURE * B)
    exits, _ = propagate(momentum([2.0]), np.array([-1]), np.zeros((1, 3)), B, R, L)
    assert exits[0, 1] == pytest.approx(np.arcsin(R / (2 * radius)))


def test_a_slow_track_curls_up_and_leaves_through_the_cap() -> None:
    exits, reached = propagate(momentum([0.2], [1.0]), np.array([1]), np.zeros((1, 3)), B, R, L)
    assert reached[0]
    assert exits[0, 0] > np.arcsinh(L / R)


def test_particles_born_outside_or_along_the_beam_do_not_count() -> None:
    p4 = np.array([[5.0, 3.0, 0.0, 4.0], [5.0, 3.0, 0.0, 4.0], [5.0, 0.0, 0.0, 5.0]])
    vertex = np.array([[1500.0, 0, 0], [0, 0, -3500.0], [0, 0, 0]])
    assert not propagate(p4, np.zeros(3, np.int64), vertex, B, R, L)[1].any()
