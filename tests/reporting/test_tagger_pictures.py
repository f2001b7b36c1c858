"""Pictures of taggers show the numbers of their evaluation."""

from __future__ import annotations

import numpy as np
import pytest

from jetkit.evaluation.efficiency import efficiency_curves
from jetkit.reporting.figure import plain
from jetkit.reporting.tagger_pictures import (
    calibration_panels,
    confusion_matrix,
    efficiency_panels,
    rejection_curve,
    roc_curves,
    score_panels,
)
from jetkit.reporting.tagger_result import TaggerResult
from jetkit.reporting.training_pictures import training_curves


def test_roc_shows_rejection_with_its_band_and_the_ratio_to_the_first(three: list[TaggerResult]) -> None:
    curves = [(one.name, one.typical.evaluation.discriminations[0].roc) for one in (three[2], three[0])]
    above, below = roc_curves(curves).axes
    first, second = (rejection_curve(roc)[0] for _, roc in curves)
    np.testing.assert_array_equal(above.lines[1].get_ydata(), second)
    np.testing.assert_array_equal(below.lines[1].get_ydata(), second / first)
    assert above.get_yscale() == "log"
    assert len(above.collections) == 2


def test_one_tagger_has_no_ratio(three: list[TaggerResult]) -> None:
    assert len(roc_curves([("PFN", three[2].typical.evaluation.discriminations[0].roc)]).axes) == 1


def test_curve_ends_where_fewer_than_ten_background_jets_pass(three: list[TaggerResult]) -> None:
    roc = three[2].typical.evaluation.discriminations[0].roc
    middle, low, high = rejection_curve(roc)
    passing = np.array(roc.background_efficiency) * roc.jets[1]
    assert np.array_equal(np.isnan(middle), passing < 9.5)
    seen = ~np.isnan(middle)
    assert (low[seen] <= middle[seen] * 1.05).all()
    assert (high[seen] >= middle[seen] * 0.95).all()


def test_cells_of_the_confusion_are_percent_and_small_ones_blank(ten: list[TaggerResult]) -> None:
    matrix = ten[0].typical.evaluation.confusion
    axes = confusion_matrix(matrix).axes[0]
    shown = {tuple(int(x) for x in text.get_position()): text.get_text() for text in axes.texts}
    assert len(shown) == (np.array(matrix.rate) >= 0.005).sum()
    assert shown[0, 0] == f"{100 * matrix.rate[0][0]:.0f}"
    assert shown[2, 1] == f"{100 * matrix.rate[1][2]:.0f}"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == list(matrix.classes)


def test_efficiency_of_each_side_is_drawn_where_jets_are_enough() -> None:
    random = np.random.default_rng(1)
    label = np.arange(4000) % 2
    logits = np.stack([np.zeros(4000), 2 * label - 1 + random.normal(size=4000)], axis=1)
    pt = np.where(label == 0, random.uniform(0, 10, 4000), random.uniform(0, 20, 4000))
    pt[label == 0] = np.where(random.random(2000) < 0.002, 15, pt[label == 0])
    curves = efficiency_curves(logits, label, ("QCD", "top"), pt, [0, 5, 10, 20], comparison="top vs QCD", signal=0.5)
    above, below = efficiency_panels([("PFN", curves)], ("top", "QCD"), "pt").axes
    np.testing.assert_array_equal(above.lines[0].get_ydata(), np.array(curves.efficiency[1]))
    assert curves.jets[0][2] < 10
    np.testing.assert_array_equal(below.lines[0].get_ydata(), [*curves.efficiency[0][:2], np.nan])
    assert below.get_yscale() == "log"


def test_calibration_has_a_second_curve_only_with_a_temperature(three: list[TaggerResult]) -> None:
    calibration = three[2].typical.evaluation.calibration
    figure = calibration_panels([("a", calibration, calibration), ("b", calibration, None)])
    assert [len(axes.containers) for axes in figure.axes] == [2, 1]


def test_scores_share_their_bins(three: list[TaggerResult]) -> None:
    random = np.random.default_rng(1)
    panels = [(name, {"QCD": random.normal(size=500), "top": random.normal(2, 1, 500)}) for name in ("a", "b")]
    edges = [axes.patches[0].get_data().edges for axes in score_panels(panels, "score").axes]
    np.testing.assert_array_equal(edges[0], edges[1])


def test_training_shows_both_losses_of_every_training(three: list[TaggerResult]) -> None:
    logs = [training.log for training in three[1].trainings]
    losses, accuracies = training_curves([("a", logs)]).axes
    assert [line.get_linestyle() for line in losses.lines] == ["--", "-"] * 3
    assert losses.lines[1].get_ydata()[0] == logs[0][0]["validation"]["loss"]
    assert len(accuracies.lines) == 3


@pytest.mark.parametrize("name", ["_hidden", "$x_", "a$b$c", "n" * 80])
def test_odd_names_appear_in_the_legend(three: list[TaggerResult], name: str) -> None:
    figure = roc_curves([(name, three[2].typical.evaluation.discriminations[0].roc)])
    figure.draw_without_rendering()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [plain(name)]
