from __future__ import annotations

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.evaluation.comparison import parse_comparison
from jetkit.evaluation.scores import log_odds, log_probabilities, probabilities

CLASSES = ("QCD", "Hbb", "Tbqq", "Tbl")


def test_groups_are_read_in_the_order_written() -> None:
    comparison = parse_comparison(" Tbl +Tbqq  vs  QCD+Hbb ", CLASSES)
    assert (comparison.signal, comparison.background) == ((3, 2), (0, 1))
    assert comparison.text == "Tbl+Tbqq vs QCD+Hbb"


@pytest.mark.parametrize("word", ["all", "rest"])
def test_the_rest_is_every_class_that_is_not_signal(word: str) -> None:
    assert parse_comparison(f"Tbqq+Tbl vs {word}", CLASSES).background == (0, 1)


def test_a_class_may_be_called_rest() -> None:
    assert parse_comparison("a vs rest", ["rest", "a", "b"]).background == (0,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Hbbb vs QCD", "unknown class 'Hbbb' in 'Hbbb vs QCD'; did you mean Hbb?"),
        ("zzz vs QCD", "unknown class 'zzz'.*known: QCD, Hbb"),
        ("Hbb", "write it as in"),
        ("Hbb vs QCD vs Tbl", "write it as in"),
        ("Hbb+Hbb vs QCD", "twice"),
        ("Hbb vs QCD+Hbb", "both signal and background"),
        ("QCD+Hbb+Tbqq+Tbl vs rest", "no class is left"),
    ],
)
def test_a_comparison_that_makes_no_sense_is_refused(text: str, message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        parse_comparison(text, CLASSES)


def test_the_score_is_the_logit_of_the_share_of_signal_probability() -> None:
    logits = np.random.default_rng(0).normal(size=(50, 4))
    p = probabilities(logits)
    s = (p[:, 2] + p[:, 3]) / (p[:, 2] + p[:, 3] + p[:, 0])
    score = parse_comparison("Tbqq+Tbl vs QCD", CLASSES).score(logits)
    assert score == pytest.approx(np.log(s / (1 - s)), abs=1e-12)


def test_scores_keep_their_order_where_probabilities_are_one() -> None:
    logits = np.array([[0.0, 50.0, 0.0, 0.0], [0.0, 60.0, 0.0, 0.0], [0.0, 900.0, 0.0, 0.0]])
    assert (probabilities(logits)[:, 1] == 1).all()
    assert (np.diff(parse_comparison("Hbb vs rest", CLASSES).score(logits)) > 5).all()
    assert (np.diff(log_odds(logits)[:, 1]) > 5).all()


def test_log_odds_of_each_class_are_its_score_against_the_rest() -> None:
    logits = 20 * np.random.default_rng(1).normal(size=(200, 4))
    for index, name in enumerate(CLASSES):
        score = parse_comparison(f"{name} vs rest", CLASSES).score(logits)
        assert log_odds(logits)[:, index] == pytest.approx(score, rel=1e-10)


def test_jets_of_other_classes_stay_out() -> None:
    label = np.array([0, 1, 2, 3, 0, 1])
    logits = np.random.default_rng(0).normal(size=(6, 4))
    ranking = parse_comparison("Hbb vs QCD", CLASSES).rank(logits, label)
    assert sorted(ranking.jet.tolist()) == [0, 1, 4, 5]
    assert (ranking.signal == (label[ranking.jet] == 1)).all()


def test_a_class_without_jets_is_named() -> None:
    with pytest.raises(JetkitError, match="Hbb vs QCD: there are no signal jets"):
        parse_comparison("Hbb vs QCD", CLASSES).rank(np.zeros((2, 4)), np.array([0, 0]))


def test_a_probability_of_zero_has_a_finite_logit() -> None:
    assert np.isfinite(log_probabilities(np.array([[0.0, 1.0]]))).all()
