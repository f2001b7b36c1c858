from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from jetkit.errors import JetkitError
from jetkit.evaluation.wasserstein import drawn_counts, wasserstein_distances

ROWS = np.arange(3)


def test_replicas_of_single_values_are_those_of_scipy() -> None:
    rng = np.random.default_rng(5)
    x, y, counts = rng.normal(size=300), rng.integers(3, size=200).astype(float), drawn_counts(300, 300, 4, rng)
    found = wasserstein_distances(x, y, np.arange(300), np.arange(200), counts, np.ones((4, 200), dtype=int))
    expected = [wasserstein_distance(x, y, u_weights=replica) for replica in counts]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_replica_is_the_distance_of_its_repeated_jets() -> None:
    rng = np.random.default_rng(4)
    x, y, x_jet, y_jet = rng.normal(size=40), rng.normal(size=30), rng.integers(8, size=40), rng.integers(5, size=30)
    counts = drawn_counts(8, 6, 3, rng), drawn_counts(5, 9, 3, rng)
    expected = [
        wasserstein_distance(np.repeat(x, first[x_jet]), np.repeat(y, second[y_jet]))
        for first, second in zip(*counts, strict=True)
    ]
    np.testing.assert_allclose(wasserstein_distances(x, y, x_jet, y_jet, *counts), expected, rtol=1e-12)


@pytest.mark.parametrize("shift", [-2.5, 0.0, 1e-3])
def test_a_shifted_sample_is_as_far_as_the_shift(shift: float) -> None:
    x, rows, once = np.random.default_rng(2).normal(size=1000), np.arange(1000), np.ones((1, 1000), dtype=int)
    found = wasserstein_distances(x, x + shift, rows, rows, once, once)
    assert found[0] == pytest.approx(abs(shift), rel=1e-9, abs=1e-15)


def test_every_replica_has_the_asked_draws() -> None:
    counts = drawn_counts(10, 25, 4, np.random.default_rng(6))
    assert counts.sum(axis=1).tolist() == [25] * 4
    assert len(np.unique(counts, axis=0)) == 4


def test_an_empty_sample_is_refused() -> None:
    with pytest.raises(JetkitError, match="a value or more on both sides"):
        wasserstein_distances(np.zeros(3), np.zeros(3), ROWS, ROWS, np.ones((1, 3), int), np.zeros((1, 3), int))
