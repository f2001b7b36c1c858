from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from jetkit.errors import JetkitError
from jetkit.evaluation.jet_sets import FOUR_OF_FOUR, JetSet
from jetkit.evaluation.set_metrics import SetMetrics, set_metrics, w1_efp, w1_mass, w1_particles

METRICS = ("w1_mass", "w1_pt", "w1_eta", "w1_phi", "w1_particles", "w1_efp", "fpd", "kpd")


@cache
def toy(jets: int, seed: int, alpha: float = 1.0) -> JetSet:
    """Jets of three to eight particles, which share the pT by Dirichlet's distribution, on a Gaussian disc."""
    rng = np.random.default_rng(seed)
    mask = np.arange(8) < rng.integers(3, 9, size=jets)[:, None]
    pt = rng.gamma(alpha, size=(jets, 8)) * mask
    pt /= pt.sum(axis=1, keepdims=True)
    place = rng.normal(scale=0.1, size=(jets, 8, 2))
    return JetSet(np.concatenate([pt[..., None], place], axis=2), mask)


def moved(jets: JetSet, pt: float = 1.0, deta: float = 0.0, wider: float = 1.0) -> JetSet:
    return JetSet(jets.particles * [pt, wider, wider] + [0.0, deta, 0.0], jets.mask)


@cache
def judged() -> SetMetrics:
    return set_metrics(toy(1500, 0), toy(1500, 1), toy(1500, 2))


@cache
def too_wide() -> SetMetrics:
    return set_metrics(toy(1500, 0), moved(toy(1500, 1, alpha=0.5), wider=1.3), toy(1500, 2))


@pytest.mark.parametrize("metric", METRICS)
def test_a_perfect_generator_is_as_close_as_other_real_jets(metric: str) -> None:
    distance = getattr(judged(), metric)
    width = np.hypot(distance.generated.error, distance.real.error) + abs(distance.real.value)
    assert abs(distance.generated.value - distance.real.value) < 8 * width


@pytest.mark.parametrize("metric", METRICS)
def test_wider_jets_are_farther_than_real_ones(metric: str) -> None:
    distance = getattr(too_wide(), metric)
    assert distance.generated.value > 3 * abs(distance.real.value)


def test_one_moved_feature_is_seen_alone() -> None:
    metrics = set_metrics(toy(1500, 0), moved(toy(1500, 1), deta=0.05), toy(1500, 2))
    found = metrics.w1_eta.generated
    assert found.error is not None
    assert abs(found.value - 0.05) < 6 * found.error + 2 * metrics.w1_eta.real.value
    for metric in ("w1_pt", "w1_phi"):
        assert getattr(metrics, metric) == getattr(judged(), metric)


@pytest.mark.parametrize("metric", METRICS)
def test_the_other_real_jets_are_judged_without_the_generated_ones(metric: str) -> None:
    assert getattr(too_wide(), metric).real == getattr(judged(), metric).real


def test_w1p_is_the_mean_of_its_features() -> None:
    three = [getattr(judged(), name).generated.value for name in ("w1_pt", "w1_eta", "w1_phi")]
    assert judged().w1_particles.generated.value == pytest.approx(np.mean(three), rel=1e-12)


def test_identical_sets_differ_by_their_draws_alone() -> None:
    jets = toy(1500, 0)
    for number in (w1_mass(jets, jets), w1_efp(jets, jets), w1_particles(jets, jets).mean):
        assert number.value < 0.01


def test_shifted_particles_are_as_far_as_the_shift() -> None:
    jets = toy(1500, 0)
    w1 = w1_particles(jets, moved(jets, deta=1.0))
    assert w1.eta.value == pytest.approx(1.0, abs=0.02)
    assert w1.mean.value == pytest.approx(1 / 3, abs=0.02)


def test_a_harder_jet_is_heavier_by_its_factor() -> None:
    jets = toy(1500, 0)
    assert w1_mass(jets, moved(jets, pt=2.0)).value == pytest.approx(jets.mass.mean(), rel=0.05)


def test_draws_scatter_about_the_distance_of_the_whole_sets() -> None:
    real, generated = toy(1500, 0), moved(toy(1500, 1), wider=1.5)
    mass = w1_mass(real, generated)
    efp = w1_efp(real, generated)
    assert abs(mass.value - wasserstein_distance(real.mass, generated.mass)) < 8 * (mass.error or 0)
    columns = zip(real.energy_flow.T[list(FOUR_OF_FOUR)], generated.energy_flow.T[list(FOUR_OF_FOUR)], strict=True)
    assert abs(efp.value - np.mean([wasserstein_distance(x, y) for x, y in columns])) < 8 * (efp.error or 0)


def test_without_other_real_jets_the_real_ones_are_halved() -> None:
    assert set_metrics(toy(3001, 3), toy(4000, 4)).jets == 1500


def test_fewer_jets_can_be_asked_for() -> None:
    assert set_metrics(toy(1500, 0), toy(1500, 1), toy(1500, 2), jets=1100).jets == 1100


def test_all_samples_are_as_large_as_the_smallest() -> None:
    metrics = set_metrics(toy(1500, 0), toy(1300, 1), toy(1400, 2))
    numbers = [number for m in METRICS for number in (getattr(metrics, m).generated, getattr(metrics, m).real)]
    assert {metrics.jets, *(number.jets for number in numbers)} == {1300}


def test_the_same_seed_gives_the_same_numbers() -> None:
    assert set_metrics(toy(1500, 0), toy(1500, 1), toy(1500, 2)) == judged()
    assert set_metrics(toy(1500, 0), toy(1500, 1), toy(1500, 2), seed=1) != judged()


def test_metrics_survive_json() -> None:
    assert SetMetrics.from_dict(judged().to_dict()) == judged()


def test_a_distance_is_shown_beside_that_of_real_jets() -> None:
    distance = judged().w1_mass
    assert str(distance) == f"{distance.generated} (real: {distance.real})"


def test_too_few_jets_are_not_compared() -> None:
    with pytest.raises(JetkitError, match="there are 750 real, 750 other real, 1500 generated"):
        set_metrics(toy(1500, 0), toy(1500, 1))


def test_empty_sets_are_refused() -> None:
    empty = toy(1500, 0).take(np.arange(0))
    with pytest.raises(JetkitError, match="a set of jets is empty"):
        w1_mass(empty, toy(1500, 1))
