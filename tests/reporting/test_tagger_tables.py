"""Tables of taggers: order, errors of jets and of trainings, published rows, and tests in words."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from jetkit.config import names
from jetkit.evaluation.number import SeedSummary, over_seeds
from jetkit.reporting.paired_verdicts import judge, neighbours
from jetkit.reporting.published import benchmark, published_numbers
from jetkit.reporting.tagger_result import TaggerResult, Training, common_comparisons, ranked
from jetkit.reporting.tagger_tables import (
    all_rejections,
    calibration_table,
    confusion_table,
    duration,
    ranking_table,
    rejection_table,
    training_table,
)


def test_taggers_stand_by_falling_auc(three: list[TaggerResult]) -> None:
    order = ranked(three)
    assert [result.name for result in order] == ["ParticleNet", "PFN", "<b>bdt</b> & $cuts$"]
    ours = [row.head.text for row in ranking_table(order).rows if not row.published]
    assert ours == [result.name for result in order]


def test_spread_of_trainings_and_error_of_jets_are_told_apart(three: list[TaggerResult]) -> None:
    result = three[1]
    summary = over_seeds([training.evaluation.accuracy for training in result.trainings])
    shown = ranking_table([result]).rows[0].cells[0]
    assert shown.text == f"{summary}".partition(" (spread")[0]
    assert shown.small.startswith("jets ± 0.00")
    assert ranking_table([three[2]]).rows[0].cells[0].small == ""


def test_a_limit_among_trainings_gives_the_median_training(invent: SimpleNamespace) -> None:
    trainings = [invent.training(("QCD", "top"), 2.3, seed=seed, jets=400) for seed in range(3)]
    row = ranking_table([invent.tagger("few", "efn", trainings)]).rows[0]
    assert row.cells[2].text.startswith(">")
    assert row.cells[2].small == "95\xa0%\xa0CL, one of 3 trainings"


def test_typical_training_has_the_median_auc(three: list[TaggerResult]) -> None:
    aucs = [training.evaluation.auc.value for training in three[1].trainings]
    assert three[1].typical.evaluation.auc.value == np.median(aucs)
    assert isinstance(three[1].summary(lambda evaluation: evaluation.auc), SeedSummary)


def test_published_rows_follow_their_tagger_with_their_training_jets(three: list[TaggerResult]) -> None:
    table = ranking_table([three[1]])
    assert [cell.text for cell in table.header] == [
        "tagger",
        "accuracy",
        "AUC",
        "1/ε_B at 30\xa0%",
        "1/ε_B at 50\xa0%",
        "parameters",
        "training jets",
        "training time",
        "jets/s",
    ]
    published = table.rows[2]
    assert published.published
    assert published.head.text == "arXiv:1902.08570"
    assert [cell.text for cell in published.cells] == [
        "0.940",
        "0.9858",
        "1615 ± 93",
        "397 ± 7",
        "–",
        "1.2 M",
        "–",
        "–",
    ]
    assert all(len(row.cells) + 1 == len(table.header) for row in table.rows)


def test_own_jets_have_no_published_rows(three: list[TaggerResult]) -> None:
    mine = replace(three[1], dataset={**three[1].dataset, "name": "my-jets"})
    assert not any(row.published for row in ranking_table([mine]).rows)


def test_ten_classes_have_the_columns_of_the_paper(ten: list[TaggerResult]) -> None:
    table = rejection_table(ranked(ten))
    assert table is not None
    assert [(cell.text, cell.small) for cell in table.header[1:]][3:6] == [
        ("H4q vs QCD", "at 50\xa0%"),
        ("Hqql vs QCD", "at 99\xa0%"),
        ("Zqq vs QCD", "at 50\xa0%"),
    ]
    assert table.header[-1].small == "at 99.5\xa0%"
    assert not any("1/" in cell.text for cell in ranking_table(ten).header)
    every = all_rejections(ten)
    assert every is not None
    assert len(every.rows) == 7 * 2 + 2
    assert rejection_table(ten[:1]) is not None
    assert len(common_comparisons(ten)) == 9


def test_two_classes_need_no_second_table(three: list[TaggerResult]) -> None:
    assert rejection_table(three) is None
    assert all_rejections(three) is None


def test_rows_of_the_confusion_sum_to_100(ten: list[TaggerResult]) -> None:
    for row in confusion_table(ten[0]).rows:
        assert sum(float(cell.text.partition(" ±")[0]) for cell in row.cells) == pytest.approx(100, abs=1)


def test_calibration_and_trainings_have_a_row_each(three: list[TaggerResult]) -> None:
    assert [row.cells[2].text.count("±") for row in calibration_table(three).rows] == [1, 1, 1]
    rows = training_table(three).rows
    assert [row.head.small for row in rows] == ["seed 7", "seed 0", "seed 1", "seed 2", "seed 5"]
    assert rows[0].cells[0].text == "12"
    assert re.fullmatch(r"in epoch \d+", rows[0].cells[1].small)
    assert [cell.text for cell in rows[0].cells[2:]] == ["12 s", "50 min"]


def test_clear_difference_is_better_and_equal_taggers_are_not(three: list[TaggerResult]) -> None:
    order = ranked(three)
    pairs = neighbours(order)
    assert [(pair.upper, pair.lower) for pair in pairs] == [
        ("ParticleNet", "PFN"),
        ("PFN", "<b>bdt</b> & $cuts$"),
    ]
    assert [verdict.words for verdict in pairs[1].verdicts] == ["better, p < 0.000001"] * 2
    assert [verdict.words for verdict in judge(order[1], order[1]).verdicts] == ["no difference seen, p = 1"] * 2


def test_worse_tagger_is_called_worse(three: list[TaggerResult]) -> None:
    upper, lower = ranked(three)[2], ranked(three)[0]
    assert all(verdict.words.startswith("worse") for verdict in judge(upper, lower).verdicts)


def test_other_jets_give_a_reason_and_no_verdict(invent: SimpleNamespace, three: list[TaggerResult]) -> None:
    others = invent.tagger("other", "pfn", [invent.training(("QCD", "top"), 1.0, jets=500)])
    shuffled = invent.tagger("other", "pfn", [invent.training(("QCD", "top"), 1.0, sample=9)])
    for other, words in ((others, "got 500 and 20000"), (shuffled, "labels differ")):
        pair = judge(three[2], other)
        assert pair.verdicts == ()
        assert words in pair.reason


def test_trainings_of_both_are_compared_by_their_means(three: list[TaggerResult]) -> None:
    better, worse = three[1], replace(three[1], trainings=_worsened(three[1].trainings))
    words = judge(better, worse).trainings
    assert "over 3 and 3 trainings" in words
    assert float(re.findall(r"differs by ([\d.]+)", words)[0]) == pytest.approx(0.1, abs=1e-3)
    assert judge(three[1], three[2]).trainings == ""


def _worsened(trainings: tuple[Training, ...]) -> tuple[Training, ...]:
    """The same trainings with an AUC that is lower by 0.1."""
    made = []
    for training in trainings:
        auc = training.evaluation.auc
        evaluation = replace(training.evaluation, auc=replace(auc, value=auc.value - 0.1))
        made.append(replace(training, evaluation=evaluation))
    return tuple(made)


@pytest.mark.parametrize(("seconds", "text"), [(0.31, "0.31 s"), (99.9, "100 s"), (3000, "50 min"), (86_400, "24 h")])
def test_durations_have_natural_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize("dataset", names("published"))
def test_published_files_are_sound(dataset: str) -> None:
    found = benchmark(dataset)
    assert found is not None
    for entry in found.entries:
        assert re.fullmatch(r".+, \d{4}, arXiv:\d{4}\.\d{5}", entry.source)
        assert entry.training_jets >= 1_000_000
        assert entry.accuracy or entry.auc
        assert entry in published_numbers(dataset, entry.model)


def test_published_rejection_is_found_by_comparison_and_efficiency() -> None:
    entry = published_numbers("top-landscape", "lorentz-net")[0]
    found = entry.rejection("top vs QCD", 0.3)
    assert found is not None
    assert found.text() == "2195 ± 173"
    assert entry.rejection("top vs QCD", 0.7) is None
