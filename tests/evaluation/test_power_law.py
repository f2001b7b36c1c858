"""The fit of a power law finds the law behind points, tells its errors, and says what it cannot tell."""

from __future__ import annotations

import numpy as np
import pytest
from jaxtyping import Float
from scipy.optimize import least_squares

from jetkit.errors import JetkitError
from jetkit.evaluation.cross_entropy import cross_entropy
from jetkit.evaluation.power_law import PowerLaw, PowerLawFit, fit_power_law

CHINCHILLA = PowerLaw(E=1.7, A=400.0, B=410.0, alpha=0.34, beta=0.28)
NAMES = ("E", "A", "B", "alpha", "beta")


def grid(
    law: PowerLaw, n: Float[np.ndarray, " n"], d: Float[np.ndarray, " d"], noise: float = 0.0, repeats: int = 1
) -> tuple[Float[np.ndarray, " runs"], ...]:
    """Parameters, jets and losses of runs, with noise of ln L."""
    parameters, jets = (x.ravel().repeat(repeats) for x in np.meshgrid(n, d))
    scatter = noise * np.random.default_rng(3).normal(size=len(jets))
    return parameters, jets, np.array([law.loss(a, b) for a, b in zip(parameters, jets, strict=True)]) * np.exp(scatter)


def large(noise: float = 0.0, repeats: int = 1) -> tuple[Float[np.ndarray, " runs"], ...]:
    return grid(CHINCHILLA, np.geomspace(1e6, 1e10, 5), np.geomspace(1e8, 1e11, 4), noise, repeats)


def test_exact_points_give_the_law_back() -> None:
    fit = fit_power_law(*large(), replicas=20)
    for name in NAMES:
        wanted = getattr(CHINCHILLA, name)
        estimate = fit.estimate(lambda law, name=name: getattr(law, name))
        assert estimate.value == pytest.approx(wanted, rel=0.01)
        assert estimate.error < 0.01 * wanted
    assert fit.law.parameter_exponent == pytest.approx(0.28 / 0.62, rel=0.01)
    assert fit.scatter < 1e-6
    assert fit.undetermined == ()


@pytest.mark.parametrize("noise", [0.003, 0.01])
def test_the_law_is_that_of_robust_least_squares(noise: float) -> None:
    n, d, loss = large(noise)

    def deviation(x: Float[np.ndarray, " 5"]) -> Float[np.ndarray, " runs"]:
        """Of ln L, for E, A and B as shares of those of the law without noise, α and β."""
        terms = CHINCHILLA.E * x[0], CHINCHILLA.A * x[1] * n ** -x[3], CHINCHILLA.B * x[2] * d ** -x[4]
        return np.log(sum(terms) / loss)

    start = [1, 1, 1, CHINCHILLA.alpha, CHINCHILLA.beta]
    peer = least_squares(
        deviation, start, loss="huber", f_scale=1e-3, jac="3-point", ftol=1e-15, xtol=1e-15, gtol=1e-15
    )
    law = fit_power_law(n, d, loss, replicas=2).law
    found = [law.E / CHINCHILLA.E, law.A / CHINCHILLA.A, law.B / CHINCHILLA.B, law.alpha, law.beta]
    assert found == pytest.approx(peer.x.tolist(), rel=1e-6)


@pytest.mark.parametrize("repeats", [1, 3])
def test_errors_are_as_large_as_the_noise_makes_them(repeats: int) -> None:
    fit = fit_power_law(*large(noise=0.01, repeats=repeats), replicas=60)
    assert fit.repeated == (repeats > 1)
    for name in ("alpha", "beta"):
        estimate = fit.estimate(lambda law, name=name: getattr(law, name))
        assert 0.0005 < estimate.error < 0.05
        assert abs(estimate.value - getattr(CHINCHILLA, name)) < 6 * estimate.error


def test_one_run_far_off_hardly_moves_the_law() -> None:
    n, d, loss = large()
    loss[7] *= 1.5
    assert fit_power_law(n, d, loss, replicas=2).law.alpha == pytest.approx(0.34, rel=0.01)


def test_optimum_is_where_no_other_share_of_the_compute_has_less_loss() -> None:
    n, d = CHINCHILLA.optimum(1e21, epochs=4)
    assert 6 * n * d * 4 == pytest.approx(1e21)
    for factor in (0.5, 0.9, 1.1, 2.0):
        assert CHINCHILLA.loss(n * factor, d / factor) > CHINCHILLA.loss(n, d)


def test_optimum_moves_with_the_exponents_a_and_b() -> None:
    (n1, d1), (n2, d2) = CHINCHILLA.optimum(1e18), CHINCHILLA.optimum(1e20)
    assert np.log(n2 / n1) / np.log(100) == pytest.approx(CHINCHILLA.parameter_exponent)
    assert np.log(d2 / d1) / np.log(100) == pytest.approx(CHINCHILLA.jet_exponent)


@pytest.mark.parametrize(("A", "alpha"), [(0.0, 1.0), (0.001, -0.5)])
def test_an_exponent_that_is_not_above_zero_is_named(A: float, alpha: float) -> None:
    law = PowerLaw(E=0.2, A=A, B=5.0, alpha=alpha, beta=0.5)
    points = grid(law, np.geomspace(1e3, 1e5, 4), np.geomspace(1e3, 1e5, 4), noise=0.01)
    assert "alpha" in fit_power_law(*points, replicas=60).undetermined


def test_an_exponent_at_the_edge_of_the_fit_is_named() -> None:
    steep = PowerLaw(E=0.2, A=1.0, B=5.0, alpha=0.5, beta=5.0)
    assert PowerLawFit(steep, (steep, steep), 0.0, False).undetermined == ("beta",)


def test_the_same_points_give_the_same_errors() -> None:
    assert fit_power_law(*large(0.01), replicas=5).replicas == fit_power_law(*large(0.01), replicas=5).replicas


@pytest.mark.parametrize(
    ("n", "d", "message"),
    [
        ([1e3, 1e4], [1e3, 1e4, 1e5], "add widths"),
        ([1e3, 1e4, 1e5], [1e3, 1e4], "add numbers of training jets"),
    ],
)
def test_too_few_points_say_what_to_add(n: list[float], d: list[float], message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        fit_power_law(*grid(CHINCHILLA, np.array(n), np.array(d)))


def test_five_runs_are_too_few() -> None:
    with pytest.raises(JetkitError, match="got 5 with 5 and 5: add runs"):
        fit_power_law(*[np.geomspace(1, 2, 5)] * 3)


def test_wrong_numbers_are_refused() -> None:
    n, d, loss = large()
    with pytest.raises(JetkitError, match="positive and finite"):
        fit_power_law(n, d, loss - loss.min())
    with pytest.raises(JetkitError, match="one N, D and loss a run"):
        fit_power_law(n, d[1:], loss)
    with pytest.raises(JetkitError, match="two replicas"):
        fit_power_law(n, d, loss, replicas=1)


def test_cross_entropy_is_the_mean_surprise() -> None:
    random = np.random.default_rng(0)
    logits, label = 5 * random.normal(size=(400, 3)), random.integers(0, 3, 400)
    each = []
    for z, c in zip(logits, label, strict=True):
        each.append(-np.log(np.exp(z[c]) / np.exp(z).sum()))
    found = cross_entropy(logits, label, ["a", "b", "c"])
    assert found.value == pytest.approx(np.mean(each))
    assert found.error == pytest.approx(np.std(each, ddof=1) / 20)
    with pytest.raises(JetkitError, match="two jets"):
        cross_entropy(logits[:1], label[:1], ["a", "b", "c"])
