from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetkit.errors import JetkitError
from jetkit.evaluation.ranking import rank

Jets = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=20).filter(
    lambda jets: len({signal for _, signal in jets}) == 2
)


def unpacked(jets: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([float(score) for score, _ in jets]), np.array([signal for _, signal in jets])


@given(Jets, st.floats(0.01, 1.0))
def test_the_threshold_is_the_tightest_that_keeps_the_signal(jets: list[tuple[int, bool]], efficiency: float) -> None:
    score, signal = unpacked(jets)
    kept = [t for t in set(score) if np.mean(score[signal] >= t) >= efficiency - 1e-12]
    assert rank(score, signal).threshold(efficiency) == max(kept)


@given(Jets, st.floats(0.01, 1.0))
def test_the_background_threshold_is_the_loosest_that_stays_below(
    jets: list[tuple[int, bool]], efficiency: float
) -> None:
    score, signal = unpacked(jets)
    kept = [t for t in set(score) if np.mean(score[~signal] >= t) <= efficiency + 1e-12]
    assert rank(score, signal).background_threshold(efficiency) == min(kept, default=np.inf)


def test_an_efficiency_that_is_no_binary_number_keeps_no_jet_too_many() -> None:
    score, signal = np.append(np.arange(100.0), -1.0), np.arange(101) < 100
    for k in range(1, 101):  # 0.07 · 100 is above 7
        assert rank(score, signal).threshold(k / 100) == 100 - k


@pytest.mark.parametrize(
    ("score", "signal", "message"),
    [
        ([0.1, np.nan], [True, False], "scores of 1 jets are NaN"),
        ([0.1, 0.2], [True, True], "no background jets"),
        ([0.1, 0.2], [False, False], "no signal jets"),
        ([], [], "no signal jets"),
        ([0.1, 0.2], [True], "one a jet"),
    ],
)
def test_jets_that_cannot_be_ranked_are_refused(score: list[float], signal: list[bool], message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        rank(np.array(score), np.array(signal, dtype=bool))


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1.0], "weight should be one number for each of 2 jets"),
        ([1.0, -1.0], "weights of the background jets sum to -1, not above zero"),
        ([1.0, np.nan], "weights of 1 jets are NaN"),
    ],
)
def test_bad_weights_are_refused(weight: list[float], message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        rank(np.array([0.0, 1.0]), np.array([True, False]), np.array(weight))


@pytest.mark.parametrize("efficiency", [0.0, -0.1, 1.1, float("nan")])
def test_an_efficiency_is_a_share(efficiency: float) -> None:
    with pytest.raises(JetkitError, match="above 0 and at most 1"):
        rank(np.array([0.0, 1.0]), np.array([True, False])).threshold(efficiency)
