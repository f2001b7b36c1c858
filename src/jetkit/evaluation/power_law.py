"""How the loss falls with parameters and jets: a fitted power law, and what to train with a given compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from operator import attrgetter

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize
from scipy.special import huber

from jetkit.errors import JetkitError

HUBER = 1e-3
"""Deviation of ln L beyond which a run counts linearly."""
OPERATIONS = 6
"""Floating-point operations of a training for each parameter and jet seen: two forward, four backward."""
RUNS, VALUES = 6, 3
"""Fewest runs, and fewest different numbers of parameters and of jets, of a fit."""
FREE = 5
"""Numbers that are fitted."""
FLOORS, EXPONENTS = (0.05, 0.5, 0.9), (0.15, 0.5, 1.2)
"""Where a fit starts: E in units of the smallest loss, and α and β."""
DRAWN = 1
"""Starts of the fit of a replica, drawn from all, beside where the fit to the runs ended."""
TOLERANCE = {"maxiter": 1000, "maxfun": 2000, "maxcor": 20, "ftol": 1e-12, "gtol": 1e-9}
"""Of L-BFGS-B, for an objective in units of δ²."""
REACH, STEEPEST = 25.0, 5.0
"""How far the logarithm of a term may be from that of the loss, and the largest exponent."""
SPREAD = (15.865525, 84.134475)
"""Percentiles at one standard deviation."""

Values = Float[np.ndarray, " runs"]


@dataclass(frozen=True)
class PowerLaw:
    """L(N, D) = E + A N^−α + B D^−β for N parameters and D jets.

    Source: Training Compute-Optimal Large Language Models, 2022, arXiv:2203.15556, equation 2.

    Example:
        >>> law = PowerLaw(E=1.0, A=2.0, B=3.0, alpha=0.5, beta=1.0)
        >>> law.loss(4.0, 3.0), round(law.parameter_exponent, 3), round(law.jet_exponent, 3)
        (3.0, 0.667, 0.333)
        >>> n, d = law.optimum(6e6)
        >>> round(6 * n * d)
        6000000
    """

    E: float
    A: float
    B: float
    alpha: float
    beta: float

    def loss(self, parameters: float, jets: float) -> float:
        """L(N, D)."""
        return float(self.E + self.A * parameters**-self.alpha + self.B * jets**-self.beta)

    @property
    def parameter_exponent(self) -> float:
        """a = β/(α + β) of N* ∝ C^a."""
        return self.beta / (self.alpha + self.beta)

    @property
    def jet_exponent(self) -> float:
        """b = α/(α + β) of D* ∝ C^b."""
        return self.alpha / (self.alpha + self.beta)

    def optimum(self, compute: float, epochs: float = 1) -> tuple[float, float]:
        """The N* and D* of least loss where a training costs C = 6 N D epochs operations.

        N* = G K^a and D* = K^b/G with K = C/(6 epochs) and G = (αA/(βB))^{1/(α+β)}; NaN unless α > 0 and β > 0.
        """
        if min(self.alpha, self.beta) <= 0:
            return float("nan"), float("nan")
        product_nd = compute / (OPERATIONS * epochs)
        ratio = (self.alpha * self.A / (self.beta * self.B)) ** (1 / (self.alpha + self.beta))
        return ratio * product_nd**self.parameter_exponent, product_nd**self.jet_exponent / ratio


@dataclass(frozen=True)
class Estimate:
    """A fitted number with the central 68 % of its replicas."""

    value: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """Half the interval."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class PowerLawFit:
    """A fitted power law.

    Attributes:
        replicas: fits to resampled runs.
        scatter: root mean square of ln L − ln L(N, D) over the runs.
        repeated: whether each (N, D) had several runs, of which the replicas are drawn.
    """

    law: PowerLaw
    replicas: tuple[PowerLaw, ...]
    scatter: float
    repeated: bool

    def estimate(self, quantity: Callable[[PowerLaw], float]) -> Estimate:
        """A number that follows from the law, with its error; replicas in which it is not finite do not count.

        Example:
            >>> laws = [PowerLaw(1.0, 2.0, 3.0, alpha, 0.5) for alpha in (0.2, 0.3, 0.4)]
            >>> found = PowerLawFit(laws[1], tuple(laws), 0.0, False).estimate(lambda law: law.alpha)
            >>> found.value, round(found.error, 3)
            (0.3, 0.068)
        """
        values = np.array([quantity(law) for law in self.replicas])
        low, high = np.percentile(values[np.isfinite(values)], SPREAD).tolist()
        return Estimate(quantity(self.law), low, high)

    @property
    def undetermined(self) -> tuple[str, ...]:
        """Which of alpha and beta are not above zero by more than their error, or are at the edge of the fit."""
        found = {name: self.estimate(attrgetter(name)) for name in ("alpha", "beta")}
        return tuple(
            name
            for name, one in found.items()
            if min(one.low, one.value - one.error) <= 0 or one.value > 0.99 * STEEPEST
        )


def fit_power_law(parameters: Values, jets: Values, loss: Values, *, replicas: int = 200, seed: int = 0) -> PowerLawFit:
    """Fit L(N, D) = E + A N^−α + B D^−β to runs.

    Minimises Σ Huber(ln L(N, D) − ln L) with δ = 1e-3 over ln E, ln A, ln B, α, β by L-BFGS, from 27 starts. Errors
    are those of a bootstrap: of the runs, or, where each (N, D) has several, of the runs of each (N, D), one fewer than
    there are, which makes the variance unbiased (J. N. K. Rao and C. F. J. Wu, "Resampling inference with complex
    survey data", 1988, doi:10.1080/01621459.1988.10478591).

    Source: Training Compute-Optimal Large Language Models, 2022, arXiv:2203.15556, appendix D.3.

    Args:
        parameters: N of each run
        jets: D of each run, as many different ones as it was trained on
        loss: L of each run, in any unit

    Raises:
        JetkitError: too few runs or too few different N or D, a number that is not positive and finite, arrays of
            different lengths, or fewer than two replicas.

    Example:
        >>> n, d = (x.ravel() for x in np.meshgrid(np.geomspace(1e3, 1e6, 4), np.geomspace(1e3, 1e6, 4)))
        >>> fit = fit_power_law(n, d, 0.2 + 3 * n**-0.4 + 5 * d**-0.5, replicas=2)
        >>> round(fit.law.alpha, 4), round(fit.law.beta, 4)
        (0.4, 0.5)
    """
    points = _checked(parameters, jets, loss)
    if replicas < 2:
        raise JetkitError(f"an error from the bootstrap needs two replicas or more, got {replicas}")
    starts, random = _starts(points), np.random.default_rng(seed)
    best = _fitted(points, np.ones(points.shape[1]), starts)
    cells = np.unique(points[:2], axis=1, return_inverse=True)[1].ravel()
    found = []
    for _ in range(replicas):
        counts = _resampled(points, cells, random)
        found.append(_fitted(points, counts, np.stack([best, *random.choice(starts, DRAWN, replace=False)])))
    deviation = _log_loss(best, _from_middle(points))[0] - np.log(points[2])
    return PowerLawFit(
        _law(best, points),
        tuple(_law(x, points) for x in found),
        scatter=float(np.sqrt(np.mean(np.square(deviation)))),
        repeated=bool(np.bincount(cells).min() > 1),
    )


def _checked(parameters: Values, jets: Values, loss: Values) -> Float[np.ndarray, "3 runs"]:
    given = [np.asarray(values, dtype=np.float64) for values in (parameters, jets, loss)]
    if any(values.shape != (len(given[0]),) for values in given):
        raise JetkitError(f"a power law needs one N, D and loss a run, got shapes {[v.shape for v in given]}")
    points = np.stack(given)
    if not (np.isfinite(points) & (points > 0)).all():
        raise JetkitError("parameters, jets and losses of a power law should be positive and finite")
    sizes, amounts = (len(np.unique(row)) for row in points[:2])
    if points.shape[1] < RUNS or min(sizes, amounts) < VALUES:
        raise JetkitError(
            f"a power law needs {RUNS} runs with {VALUES} different numbers of parameters and {VALUES} of jets, got "
            f"{points.shape[1]} with {sizes} and {amounts}: add {_lacking(sizes, amounts)}"
        )
    return points


def _lacking(sizes: int, amounts: int) -> str:
    lacking = [name for name, count in (("widths", sizes), ("numbers of training jets", amounts)) if count < VALUES]
    return " and ".join(lacking) or "runs"


def _resampled(
    points: Float[np.ndarray, "3 runs"], cells: Int[np.ndarray, " runs"], random: np.random.Generator
) -> Float[np.ndarray, " runs"]:
    """How often a replica has each run."""
    members = [np.flatnonzero(cells == cell) for cell in range(cells.max() + 1)]
    if min(map(len, members)) > 1:
        rows = np.concatenate([random.choice(own, len(own) - 1) for own in members])
        return np.bincount(rows, minlength=len(cells)).astype(np.float64)
    while True:
        rows = random.integers(len(cells), size=len(cells))
        sizes, amounts, different = (len(np.unique(row[rows])) for row in (*points[:2], cells))
        if min(sizes, amounts) >= VALUES and different >= FREE:
            return np.bincount(rows, minlength=len(cells)).astype(np.float64)


def _starts(points: Float[np.ndarray, "3 runs"]) -> Float[np.ndarray, "starts 5"]:
    """Coordinates of `_log_loss`: the median loss is shared by E and, half and half, the terms of N and D."""
    smallest, middle = points[2].min(), np.median(points[2])
    found = []
    for floor, alpha, beta in product(FLOORS, EXPONENTS, EXPONENTS):
        half = np.log((middle - floor * smallest) / 2)
        found.append([np.log(floor * smallest), half, half, alpha, beta])
    return np.array(found)


def _fitted(
    points: Float[np.ndarray, "3 runs"], counts: Float[np.ndarray, " runs"], starts: Float[np.ndarray, "starts 5"]
) -> Float[np.ndarray, " 5"]:
    """The coordinates of the least objective to which one of the starts leads, each run counted so often."""
    logs, places = np.log(points[2]), _from_middle(points)
    bounds = [(logs.mean() - REACH, logs.mean() + REACH)] * 3 + [(-STEEPEST, STEEPEST)] * 2

    def objective(x: Float[np.ndarray, " 5"]) -> tuple[float, Float[np.ndarray, " 5"]]:
        value, slope = _log_loss(x, places)
        deviation = (value - logs) / HUBER
        return counts @ huber(1.0, deviation), slope @ (counts * np.clip(deviation, -1, 1)) / HUBER

    ends = [minimize(objective, x, jac=True, method="L-BFGS-B", bounds=bounds, options=TOLERANCE) for x in starts]
    return np.asarray(min(ends, key=lambda end: end.fun).x)


def _law(x: Float[np.ndarray, " 5"], points: Float[np.ndarray, "3 runs"]) -> PowerLaw:
    n, d = np.log(points[:2]).mean(axis=1)
    E, A, B = np.exp([x[0], x[1] + x[3] * n, x[2] + x[4] * d]).tolist()
    return PowerLaw(E, A, B, float(x[3]), float(x[4]))


def _from_middle(points: Float[np.ndarray, "3 runs"]) -> Float[np.ndarray, "2 runs"]:
    """ln N and ln D less their means."""
    logs = np.log(points[:2])
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))


def _log_loss(
    x: Float[np.ndarray, " 5"], places: Float[np.ndarray, "2 runs"]
) -> tuple[Float[np.ndarray, " runs"], Float[np.ndarray, "5 runs"]]:
    """ln L(N, D) and its derivatives by ln E, the logarithms of A N^−α and B D^−β in the middle of the runs, α and β.

    In the middle, amplitudes and exponents hardly depend on each other.
    """
    terms = np.repeat(x[:3, None], places.shape[1], axis=1)
    terms[1:] -= x[3:, None] * places
    value = np.logaddexp.reduce(terms)
    share = np.exp(terms - value)
    return value, np.concatenate([share, -share[1:] * places])
