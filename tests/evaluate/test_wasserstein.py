from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from jetkit.errors import JetkitError
from jetkit.evaluate.wasserstein import drawn_counts, wasserstein_distance, wasserstein_distances


def test_equal_samples_differ_by_their_sorted_values() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 500))
    assert wasserstein_distance(x, y) == pytest.approx(np.abs(np.sort(x) - np.sort(y)).mean(), rel=1e-12)


def test_samples_of_other_sizes_differ_by_their_repeated_sorted_values() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=6), rng.integers(3, size=4).astype(float)
    repeated = np.abs(np.repeat(np.sort(x), 2) - np.repeat(np.sort(y), 3)).mean()
    assert wasserstein_distance(x, y) == pytest.approx(repeated, rel=1e-12)


@pytest.mark.parametrize("shift", [-2.5, 0.0, 1e-3])
def test_a_shifted_sample_is_as_far_as_the_shift(shift: float) -> None:
    x = np.random.default_rng(2).normal(size=1000)
    assert wasserstein_distance(x, x + shift) == pytest.approx(abs(shift), rel=1e-9, abs=1e-15)


def test_the_distance_has_two_equal_sides() -> None:
    x, y = np.random.default_rng(3).normal(size=(2, 100))
    assert wasserstein_distance(x, y[:70]) == pytest.approx(wasserstein_distance(y[:70], x), rel=1e-12)


def test_a_replica_is_the_distance_of_its_repeated_jets() -> None:
    rng = np.random.default_rng(4)
    x, y, x_jet, y_jet = rng.normal(size=40), rng.normal(size=30), rng.integers(8, size=40), rng.integers(5, size=30)
    counts = drawn_counts(8, 6, 3, rng), drawn_counts(5, 9, 3, rng)
    expected = [
        wasserstein_distance(np.repeat(x, first[x_jet]), np.repeat(y, second[y_jet]))
        for first, second in zip(*counts, strict=True)
    ]
    np.testing.assert_allclose(wasserstein_distances(x, y, x_jet, y_jet, *counts), expected, rtol=1e-12)


def test_the_distance_is_that_of_scipy() -> None:
    rng = np.random.default_rng(5)
    x, y, counts = rng.normal(size=300), rng.exponential(size=200), drawn_counts(300, 300, 1, rng)
    found = wasserstein_distances(x, y, np.arange(300), np.arange(200), counts, np.ones((1, 200), dtype=int))
    assert found[0] == pytest.approx(stats.wasserstein_distance(x, y, u_weights=counts[0]), rel=1e-12)


def test_every_replica_has_the_asked_draws() -> None:
    counts = drawn_counts(10, 25, 4, np.random.default_rng(6))
    assert counts.sum(axis=1).tolist() == [25] * 4
    assert len(np.unique(counts, axis=0)) == 4


def test_an_empty_sample_is_refused() -> None:
    with pytest.raises(JetkitError, match="a value or more on both sides"):
        wasserstein_distance(np.zeros(3), np.zeros(0))
