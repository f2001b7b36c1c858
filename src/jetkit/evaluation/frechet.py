"""The Fréchet distance of two tables of features, without the bias that finite samples give it."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from jetkit.errors import JetkitError
from jetkit.evaluation.number import Number

SMALLEST = 0.4
"""Smallest sample over the largest: 20,000 of 50,000 in the source."""
SIZES = 10
"""Sizes of samples, linear in 1/N."""
REPLICAS = 20
"""Samples of each size."""


def frechet_distance(x: Float[np.ndarray, "n D"], y: Float[np.ndarray, "m D"]) -> float:
    """‖μ₁ − μ₂‖² + Tr(Σ₁ + Σ₂ − 2√(Σ₁Σ₂)): the squared W2 distance of Gaussians with the samples' moments.

    Tr √(Σ₁Σ₂) is the sum of the singular values of √Σ₁ √Σ₂, so that singular covariances need no special care.

    Source: D. C. Dowson, B. V. Landau, The Fréchet Distance between Multivariate Normal Distributions, 1982,
    doi:10.1016/0047-259X(82)90077-X.

    Raises:
        JetkitError: the tables do not have the same features, or fewer than two rows.

    Example:
        >>> frechet_distance(np.zeros((10, 2)), np.full((10, 2), 2.0))
        8.0
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise JetkitError(f"features should be two tables of the same columns, got shapes {x.shape} and {y.shape}")
    shift = x.mean(axis=0) - y.mean(axis=0)
    first, second = (np.cov(table, rowvar=False).reshape(x.shape[1], -1) for table in (x, y))
    overlap = np.linalg.svd(_root(first) @ _root(second), compute_uv=False).sum()
    return max(float(shift @ shift + np.trace(first) + np.trace(second) - 2 * overlap), 0.0)


def frechet_physics_distance(
    real: Float[np.ndarray, "n D"], generated: Float[np.ndarray, "m D"], *, jets: int = 50_000, seed: int = 0
) -> Number:
    """Fréchet physics distance (FPD): the Fréchet distance of infinite samples, extrapolated from finite ones.

    For ten sizes N from 0.4 to 1 times ``jets`` (or the smaller table), linear in 1/N, the mean of 20 bootstrap
    samples is fitted by a + b/N with a, b ≥ 0; the result is a, its error that of the fit. What is drawn from the
    tables cannot know more than they do: a is close to the Fréchet distance of the whole tables, which is positive
    for finite ones of one distribution, about 2 Tr Σ/n from the means alone, and fluctuates more than the error says.
    So it means something only beside that of two real samples of the same size.

    Source: On the Evaluation of Generative Models in High Energy Physics, 2022, arXiv:2211.10295.

    Raises:
        JetkitError: the tables do not have the same features, or are too short.

    Example:
        >>> print(frechet_physics_distance(np.full((100, 2), 2.0), np.zeros((100, 2))))
        8 ± 0
    """
    largest = min(jets, len(real), len(generated))
    if SMALLEST * largest < 2:
        raise JetkitError(f"a Fréchet physics distance needs five rows or more, got {largest}")
    rng = np.random.default_rng(seed)
    excess = np.linspace(1 / SMALLEST, 1.0, SIZES)
    distances = [
        np.mean([frechet_distance(_drawn(real, size, rng), _drawn(generated, size, rng)) for _ in range(REPLICAS)])
        for size in (largest / excess).astype(int)
    ]
    value, error = non_negative_line(excess, np.array(distances))
    return Number(value, error, largest)


def non_negative_line(x: Float[np.ndarray, " k"], y: Float[np.ndarray, " k"]) -> tuple[float, float]:
    """Intercept a of the line a + b x of least squares with a, b ≥ 0, and its error from the scatter about the line.

    Example:
        >>> a, error = non_negative_line(np.array([1.0, 2.0, 3.0]), np.array([3.0, 5.0, 7.0]))
        >>> round(a, 9), error < 1e-9
        (1.0, True)
    """
    design = np.stack([np.ones_like(x), x], axis=1)
    a, b = np.linalg.lstsq(design, y, rcond=None)[0]
    if min(a, b) < 0:
        edges = [(max(float(y.mean()), 0.0), 0.0), (0.0, max(float(x @ y / (x @ x)), 0.0))]
        a, b = min(edges, key=lambda edge: float(np.square(y - edge[0] - edge[1] * x).sum()))
    scatter = np.square(y - a - b * x).sum() / (len(x) - 2)
    return float(a), math.sqrt(scatter * np.linalg.inv(design.T @ design)[0, 0])


def _root(covariance: Float[np.ndarray, "D D"]) -> Float[np.ndarray, "D D"]:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(values.clip(min=0.0))) @ vectors.T)


def _drawn(table: Float[np.ndarray, "n D"], size: int, rng: np.random.Generator) -> Float[np.ndarray, "size D"]:
    return table[rng.integers(len(table), size=size)]
