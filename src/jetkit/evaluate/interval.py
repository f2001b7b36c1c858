"""Intervals of counts and the p value of a Gaussian."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from jetkit.errors import JetkitError


def wilson_interval(
    rate: Float[np.ndarray, "*shape"], jets: Float[np.ndarray, "*shape"], sigmas: float = 1.0
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """Ends of the interval of a binomial rate p̂ = k/n that holds the truth at so many standard deviations.

    (p̂ + z²/2n ± z√(p̂(1−p̂)/n + z²/4n²))/(1 + z²/n): inside [0, 1] and of non-zero width for k = 0 and k = n as well.
    The rate may be weighted; then n is the effective number (Σw)²/Σw². NaN where n = 0.

    Source: E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927,
    doi:10.1080/01621459.1927.10502953.

    Example:
        >>> low, high = wilson_interval(np.array([0.0, 0.5]), np.array([9.0, 100.0]))
        >>> low.round(3).tolist(), high.round(3).tolist()
        ([0.0, 0.45], [0.1, 0.55])
    """
    rate, jets = np.asarray(rate, dtype=np.float64), np.asarray(jets, dtype=np.float64)
    n = np.where(jets > 0, jets, np.nan)
    p = np.clip(rate, 0.0, 1.0)
    middle = (p + sigmas**2 / (2 * n)) / (1 + sigmas**2 / n)
    half = sigmas * np.sqrt(p * (1 - p) / n + sigmas**2 / (4 * n**2)) / (1 + sigmas**2 / n)
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)


def binomial_error(rate: Float[np.ndarray, "*shape"], jets: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Half the width of the Wilson interval: √(p(1−p)/n) for many jets, and not zero at p = 0 or 1.

    Example:
        >>> binomial_error(np.array([0.5, 1.0]), np.array([10_000.0, 9.0])).round(4).tolist()
        [0.005, 0.05]
    """
    low, high = wilson_interval(rate, jets)
    return np.asarray((high - low) / 2)


def effective_count(weight: Float[np.ndarray, " B"]) -> float:
    """Number of equally weighted jets that measure as precisely: (Σw)²/Σw².

    Example:
        >>> effective_count(np.array([2.0, 2.0])), effective_count(np.array([3.0, 1.0]))
        (2.0, 1.6)
    """
    return float(weight.sum() ** 2 / np.square(weight).sum()) if weight.any() else 0.0


def poisson_upper_limit(count: int, confidence: float = 0.95) -> float:
    """Largest mean μ of a Poisson count that gives so few with a probability of 1 − confidence: Σ_{k≤n} e^{−μ}μ^k/k!.

    Source: F. Garwood, Fiducial Limits for the Poisson Distribution, 1936, doi:10.1093/biomet/28.3-4.437.

    Raises:
        JetkitError: the count is negative.

    Example:
        >>> [round(poisson_upper_limit(count), 3) for count in (0, 1, 3)]
        [2.996, 4.744, 7.754]
    """
    if count < 0:
        raise JetkitError(f"a count should not be negative, got {count}")
    log_factorials = [math.lgamma(k + 1) for k in range(count + 1)]
    low, high = float(count), count + 10 + 5 * math.sqrt(count)
    while high - low > 1e-12 * high:
        mean = (low + high) / 2
        so_few = sum(math.exp(k * math.log(mean) - mean - log_factorials[k]) for k in range(count + 1))
        low, high = (mean, high) if so_few > 1 - confidence else (low, mean)
    return (low + high) / 2


def two_sided_p(difference: float, error: float) -> float:
    """Probability that a Gaussian of mean zero lies as far from zero: erfc(|x|/√2σ).

    Example:
        >>> round(two_sided_p(1.96, 1.0), 3), two_sided_p(0.0, 0.0)
        (0.05, 1.0)
    """
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    return math.erfc(abs(difference) / error / math.sqrt(2))
