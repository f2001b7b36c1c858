from __future__ import annotations

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.evaluation.kernel_distance import kernel_physics_distance, squared_discrepancy


def slow_discrepancy(x: np.ndarray, y: np.ndarray) -> float:
    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / len(a) + 1) ** 4)

    own = [np.mean([kernel(a, b) for i, a in enumerate(t) for j, b in enumerate(t) if i != j]) for t in (x, y)]
    return float(sum(own) - 2 * np.mean([kernel(a, b) for a in x for b in y]))


def test_the_discrepancy_has_its_definition() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(70, 3)), rng.normal(size=(90, 3)) + 0.3
    assert squared_discrepancy(x, y) == pytest.approx(slow_discrepancy(x, y), rel=1e-10)


@pytest.mark.parametrize(("value", "distance"), [(2.0, 624.0), (1.0, 15.0)])
def test_zeros_are_this_far_from_constants(value: float, distance: float) -> None:
    number = kernel_physics_distance(np.full((1000, 2), value), np.zeros((1000, 2)))
    assert number.value == pytest.approx(distance, rel=1e-12)
    assert number.error == pytest.approx(0.0, abs=1e-9)


def test_samples_of_one_distribution_have_no_discrepancy_on_average() -> None:
    rng = np.random.default_rng(1)
    found = np.array([squared_discrepancy(*rng.normal(size=(2, 50, 2))) for _ in range(2000)])
    assert abs(found.mean()) < 5 * found.std() / 2000**0.5
    assert found.min() < 0


def test_a_shifted_gaussian_is_as_far_as_the_moments_say() -> None:
    """One feature: ⟨(xy + 1)⁴⟩ = Σ_k C(4, k) ⟨x^k⟩⟨y^k⟩, so that MMD² = Σ_k C(4, k) (⟨x^k⟩ − ⟨y^k⟩)²."""
    x, y = np.random.default_rng(2).normal(size=(2, 20_000, 1))
    shift = 0.5  # moments of a Gaussian of mean s: s, 1 + s², 3s + s³, 3 + 6s² + s⁴
    truth = 4 * shift**2 + 6 * shift**4 + 4 * (3 * shift + shift**3) ** 2 + (6 * shift**2 + shift**4) ** 2
    number = kernel_physics_distance(x, y + shift)
    assert number.error is not None
    assert abs(number.value - truth) < 3 * number.error
    assert number.error < 0.3 * truth


def test_equal_gaussians_are_closer_than_scaled_ones() -> None:
    rng = np.random.default_rng(3)
    x, same, wider = rng.normal(size=(3, 10_000, 5)) * np.array([1.0, 1.0, 1.1])[:, None, None]
    close, far = kernel_physics_distance(x, same), kernel_physics_distance(x, wider)
    assert abs(close.value) < 0.02
    assert far.value > 0.05


def test_batches_are_a_tenth_of_the_smaller_table() -> None:
    x = np.random.default_rng(4).normal(size=(500, 2))
    assert kernel_physics_distance(x, x[:305]).jets == 300
    assert kernel_physics_distance(x, x[:305], jets=200).jets == 200


def test_the_same_seed_gives_the_same_number() -> None:
    x, y = np.random.default_rng(5).normal(size=(2, 200, 3))
    first, again, other = (kernel_physics_distance(x, y, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize(("x", "y"), [((9, 2), (9, 3)), ((1, 2), (9, 2)), ((9,), (9,))])
def test_other_tables_are_refused(x: tuple[int, ...], y: tuple[int, ...]) -> None:
    with pytest.raises(JetkitError, match="two tables of the same columns"):
        squared_discrepancy(np.zeros(x), np.zeros(y))


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(JetkitError, match="needs 20 rows or more"):
        kernel_physics_distance(np.zeros((19, 2)), np.zeros((90, 2)))
