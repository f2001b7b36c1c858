from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.evaluation.calibration import calibration, reliability
from jetkit.evaluation.scores import probabilities
from jetkit.evaluation.temperature import apply_temperature, fit_temperature

Toy = Callable[..., tuple[np.ndarray, np.ndarray]]
TWO = ("QCD", "top")


def drawn(jets: int, seed: int, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated logits: each label is drawn with the probabilities that the logits say."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.normal(size=(jets, classes))
    return logits, (probabilities(logits).cumsum(axis=1) < rng.random((jets, 1))).sum(axis=1)


def test_bins_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    p, w = rng.random(500), rng.uniform(0.5, 2, size=500)
    true = rng.random(500) < p**2
    result = reliability(p, true, bins=4, weight=w)
    expected = 0.0
    for k in range(4):
        chosen = (p >= k / 4) & (p < (k + 1) / 4)
        assert result.observed[k] == pytest.approx(np.average(true[chosen], weights=w[chosen]))
        assert result.predicted[k] == pytest.approx(np.average(p[chosen], weights=w[chosen]))
        expected += w[chosen].sum() / w.sum() * abs(result.observed[k] - result.predicted[k])
    assert result.expected_error.value == pytest.approx(expected)


def test_a_calibrated_tagger_has_the_error_of_chance() -> None:
    classes = ["a", "b", "c"]
    result = [calibration(*drawn(2000, seed), classes) for seed in range(100)]
    assert np.mean([r.expected_error.value for r in result]) == pytest.approx(
        np.mean([r.chance for r in result]), rel=0.15
    )


def test_an_overconfident_tagger_is_found_and_mended() -> None:
    logits, label = drawn(20_000, seed=0)
    classes = ["a", "b", "c"]
    before = calibration(3 * logits, label, classes)
    temperature = fit_temperature(3 * logits, label, classes)
    after = calibration(apply_temperature(3 * logits, temperature), label, classes)
    assert before.expected_error.value > 20 * before.chance
    assert after.expected_error.value < 3 * after.chance


def test_the_calibration_of_one_class_sees_its_probability(gaussian: Toy) -> None:
    logits, label = gaussian(5000, 5000, 1.0, seed=0)
    result = calibration(logits, label, TWO, of="top", bins=5)
    assert result.predicted[0] < 0.2
    assert result.expected_error.value < 5 * result.chance


def test_the_error_is_as_wide_as_toys() -> None:
    toys = [reliability(np.full(400, 0.5), np.random.default_rng(s).random(400) < 0.7) for s in range(200)]
    spread = np.std([toy.expected_error.value for toy in toys])
    assert toys[0].expected_error.error == pytest.approx(spread, rel=0.3)


@pytest.mark.parametrize("truth", [0.5, 1.0, 3.0])
def test_the_temperature_is_found_within_its_error(truth: float) -> None:
    logits, label = drawn(20_000, seed=1)
    number = fit_temperature(truth * logits, label, ["a", "b", "c"])
    assert number.error is not None
    assert abs(number.value - truth) < 5 * number.error
    assert 0.002 < number.error / truth < 0.03


def test_errors_of_temperatures_are_as_wide_as_toys() -> None:
    toys = [fit_temperature(*drawn(500, seed), ["a", "b", "c"]) for seed in range(150)]
    pulls = np.array([(toy.value - 1) / (toy.error or np.nan) for toy in toys])
    assert 0.7 < pulls.std() < 1.35


def test_no_other_temperature_is_more_likely() -> None:
    logits, label = drawn(300, seed=2)
    logits = 40 * logits
    for weight in (np.ones(300), np.random.default_rng(0).uniform(size=300)):
        best = fit_temperature(logits, label, ["a", "b", "c"], weight).value
        loss = [
            -np.sum(weight * np.log(probabilities(logits / t)[np.arange(300), label]))
            for t in (0.99 * best, best, 1.01 * best)
        ]
        assert loss[1] < min(loss[0], loss[2])


def test_perfect_and_useless_taggers_have_no_temperature() -> None:
    label = np.array([0, 1] * 10)
    with pytest.raises(JetkitError, match="every jet is classified rightly"):
        fit_temperature(np.eye(2)[label], label, TWO)
    with pytest.raises(JetkitError, match="no better than a guess"):
        fit_temperature(np.eye(2)[1 - label], label, TWO)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_is_positive(temperature: float) -> None:
    with pytest.raises(JetkitError, match="positive"):
        apply_temperature(np.zeros((1, 2)), temperature)


def test_wrong_questions_are_refused() -> None:
    with pytest.raises(JetkitError, match="unknown class 'tops'"):
        calibration(np.zeros((2, 2)), np.array([0, 1]), TWO, of="tops")
    with pytest.raises(JetkitError, match="one bin"):
        reliability(np.array([0.5]), np.array([True]), bins=0)
    with pytest.raises(JetkitError, match="between 0 and 1"):
        reliability(np.array([1.5]), np.array([True]))
