from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.evaluation.efficiency import EfficiencyCurves, efficiency_curves

Toy = Callable[..., tuple[np.ndarray, np.ndarray]]
TWO = ("QCD", "top")


def curves(gaussian: Toy, **options: object) -> tuple[EfficiencyCurves, np.ndarray, np.ndarray, np.ndarray]:
    logits, label = gaussian(3000, 3000, 1.5, seed=0)
    pt = np.random.default_rng(0).uniform(450, 700, size=6000)
    result = efficiency_curves(logits, label, TWO, pt, [500, 550, 600, 650], comparison="top vs QCD", **options)
    return result, logits, label, pt


def test_efficiencies_are_those_of_a_loop(gaussian: Toy) -> None:
    weight = np.random.default_rng(1).uniform(0.5, 2, size=6000)
    result, logits, label, pt = curves(gaussian, signal=0.5, weight=weight)
    for c in range(2):
        for k, low in enumerate((500, 550, 600)):
            chosen = (label == c) & (pt >= low) & (pt < low + 50)
            passed = (logits[:, 1] - logits[:, 0] >= result.threshold)[chosen]
            assert result.efficiency[c][k] == pytest.approx(np.average(passed, weights=weight[chosen]))
            assert result.jets[c][k] == chosen.sum()


def test_the_working_point_keeps_the_wanted_signal(gaussian: Toy) -> None:
    result, logits, label, _ = curves(gaussian, signal=0.3)
    assert np.mean(logits[label == 1, 1] >= result.threshold) == 0.3


def test_the_working_point_keeps_the_wanted_background(gaussian: Toy) -> None:
    result, logits, label, _ = curves(gaussian, background=0.01)
    assert np.mean(logits[label == 0, 1] >= result.threshold) == 0.01


def test_an_empty_bin_has_no_efficiency() -> None:
    logits, label = np.eye(2)[[0, 0, 1, 1]], np.array([0, 0, 1, 1])
    result = efficiency_curves(logits, label, TWO, np.full(4, 1.0), [0, 1, 2, 3], comparison="top vs QCD", signal=0.5)
    assert result.efficiency == ((None, 0.0, None), (None, 1.0, None))
    assert result.low[1][1] is not None
    assert 0 < result.low[1][1] < 1
    assert EfficiencyCurves.from_dict(result.to_dict()) == result


def test_the_last_edge_belongs_to_the_last_bin_and_jets_outside_to_none() -> None:
    logits, label = np.eye(2)[[0, 0, 1, 1]], np.array([0, 0, 1, 1])
    variable = np.array([-1.0, 2.0, np.nan, 2.1])
    result = efficiency_curves(logits, label, TWO, variable, [0, 1, 2], comparison="top vs QCD", signal=0.5)
    assert result.jets == ((0, 1), (0, 0))


def test_classes_outside_the_comparison_have_their_curve(
    four_classes: tuple[np.ndarray, np.ndarray, tuple[str, ...]],
) -> None:
    logits, label, classes = four_classes
    result = efficiency_curves(
        logits, label, classes, np.zeros(3000), [-1, 1], comparison="Tbqq vs QCD", background=0.1
    )
    shares = [row[0] or 0.0 for row in result.efficiency]
    assert shares[0] == pytest.approx(0.1, abs=0.002)
    assert shares[0] < shares[1] < shares[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give one of the two"),
        ({"signal": 0.5, "background": 0.1}, "give one of the two"),
        ({"background": 1e-9}, "no threshold passes so little"),
        ({"signal": 2.0}, "above 0 and at most 1"),
    ],
)
def test_a_working_point_that_cannot_be_had_is_refused(options: dict[str, float], message: str) -> None:
    logits, label = np.zeros((4, 2)), np.array([0, 0, 1, 1])
    with pytest.raises(JetkitError, match=message):
        efficiency_curves(logits, label, TWO, np.zeros(4), [-1, 1], comparison="top vs QCD", **options)


@pytest.mark.parametrize("edges", [[1.0], [1.0, 1.0], [2.0, 1.0]])
def test_edges_rise(edges: list[float]) -> None:
    logits, label = np.zeros((4, 2)), np.array([0, 0, 1, 1])
    with pytest.raises(JetkitError, match="rising"):
        efficiency_curves(logits, label, TWO, np.zeros(4), edges, comparison="top vs QCD", signal=0.5)


def test_one_value_of_the_variable_a_jet() -> None:
    with pytest.raises(JetkitError, match="for each of 4 jets"):
        efficiency_curves(
            np.zeros((4, 2)), np.array([0, 0, 1, 1]), TWO, np.zeros(3), [0, 1], comparison="top vs QCD", signal=0.5
        )
