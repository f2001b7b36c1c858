"""Intervals of counts, weighted or not, and the p value of a Gaussian."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from scipy.special import pdtri

from jetkit.errors import JetkitError

LEAST_EFFECTIVE = 2 - 1e-9
"""Smallest effective number of weighted jets with which the error of a mean is estimated; two, but for rounding."""


def wilson_interval(
    rate: Float[np.ndarray, "*shape"],
    jets: Float[np.ndarray, "*shape"],
    sigmas: float = 1.0,
    variance: Float[np.ndarray, "*shape"] | None = None,
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """Ends of the interval of a binomial rate p̂ = k/n that holds the truth at so many standard deviations.

    (p̂ + z²/2n ± z√(p̂(1−p̂)/n + z²/4n²))/(1 + z²/n): inside [0, 1] and of non-zero width for k = 0 and k = n as well.
    Of a weighted rate, n is the effective number (Σw)²/Σw² and `share_variance` takes the place of p̂(1−p̂)/n; negative
    weights can carry such a rate out of [0, 1], and the interval then reaches out to it. NaN where n = 0.

    Source: E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927,
    doi:10.1080/01621459.1927.10502953.

    Example:
        >>> low, high = wilson_interval(np.array([0.0, 0.5]), np.array([9.0, 100.0]))
        >>> low.round(3).tolist(), high.round(3).tolist()
        ([0.0, 0.45], [0.1, 0.55])
    """
    rate, jets = np.asarray(rate, dtype=np.float64), np.asarray(jets, dtype=np.float64)
    n = np.where(jets > 0, jets, np.nan)
    p = np.clip(rate, 0.0, 1.0) if variance is None else rate
    middle = (p + sigmas**2 / (2 * n)) / (1 + sigmas**2 / n)
    half = _half_width(p, n, sigmas, variance)
    low, high = np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)
    return (low, high) if variance is None else (np.minimum(low, p), np.maximum(high, p))


def binomial_error(
    rate: Float[np.ndarray, "*shape"],
    jets: Float[np.ndarray, "*shape"],
    variance: Float[np.ndarray, "*shape"] | None = None,
) -> Float[np.ndarray, "*shape"]:
    """Half the width of the Wilson interval: √(p(1−p)/n) for many jets, and not zero at p = 0 or 1.

    Of a weighted rate, n and the variance are those of `wilson_interval`, whose ends at 0 and 1 do not shorten it.

    Example:
        >>> binomial_error(np.array([0.5, 1.0]), np.array([10_000.0, 9.0])).round(4).tolist()
        [0.005, 0.05]
    """
    if variance is None:
        low, high = wilson_interval(rate, jets)
        return np.asarray((high - low) / 2)
    jets = np.asarray(jets, dtype=np.float64)
    return np.asarray(_half_width(np.asarray(rate), np.where(jets > 0, jets, np.nan), 1.0, variance))


def _half_width(
    p: Float[np.ndarray, "*shape"],
    n: Float[np.ndarray, "*shape"],
    sigmas: float,
    variance: Float[np.ndarray, "*shape"] | None,
) -> Float[np.ndarray, "*shape"]:
    spread = p * (1 - p) / n if variance is None else variance
    return np.asarray(sigmas * np.sqrt(spread + sigmas**2 / (4 * n**2)) / (1 + sigmas**2 / n))


def share_variance(
    share: Float[np.ndarray, "*shape"],
    total: Float[np.ndarray, "*shape"],
    squares: Float[np.ndarray, "*shape"],
    passing_squares: Float[np.ndarray, "*shape"],
) -> Float[np.ndarray, "*shape"]:
    """Variance of a weighted share ε = Σ_pass w/Σw: [(1−ε)² Σ_pass w² + ε² Σ_fail w²]/(Σw)².

    It is ε(1−ε)/n for n equal weights, and holds for weights of either sign. ``total`` is Σw, ``squares`` Σw² and
    ``passing_squares`` Σ_pass w².

    Source: R. Brun, F. Rademakers, ROOT: An object oriented data analysis framework, 1997,
    doi:10.1016/S0168-9002(97)00048-X, whose TH1::Divide has it as option B.

    Example:
        >>> share_variance(np.array(0.5), np.array(100.0), np.array(100.0), np.array(50.0)).item()
        0.0025
    """
    failing_squares = np.maximum(squares - passing_squares, 0.0)
    return np.asarray(((1 - share) ** 2 * passing_squares + share**2 * failing_squares) / total**2)


def effective_count(weight: Float[np.ndarray, " B"]) -> float:
    """Number of equally weighted jets that measure as precisely: (Σw)²/Σw²; zero unless Σw is above zero.

    Source: G. Bohm, G. Zech, Statistics of weighted Poisson events and its applications, 2014, arXiv:1309.1287.

    Example:
        >>> effective_count(np.array([2.0, 2.0])), effective_count(np.array([3.0, 1.0]))
        (2.0, 1.6)
        >>> effective_count(np.array([1.0, 1.0, 1.0, -1.0])), effective_count(np.array([1.0, -1.0]))
        (1.0, 0.0)
    """
    total = weight.sum()
    return float(total**2 / np.square(weight).sum()) if total > 0 else 0.0


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
    return float(pdtri(count, 1 - confidence))


def two_sided_p(difference: float, error: float) -> float:
    """Probability that a Gaussian of mean zero lies as far from zero: erfc(|x|/√2σ).

    Example:
        >>> round(two_sided_p(1.96, 1.0), 3), two_sided_p(0.0, 0.0)
        (0.05, 1.0)
    """
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    return math.erfc(abs(difference) / error / math.sqrt(2))
