from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.evaluation.accuracy import accuracy
from jetkit.evaluation.comparison import parse_comparison
from jetkit.evaluation.rejection import rejection
from jetkit.evaluation.summary import Evaluation, evaluate

Toy = Callable[..., tuple[np.ndarray, np.ndarray]]
Classes = tuple[np.ndarray, np.ndarray, tuple[str, ...]]


def test_an_evaluation_survives_json(four_classes: Classes) -> None:
    weight = np.random.default_rng(0).uniform(0.5, 2, size=3000)
    evaluation = evaluate(*four_classes, weight=weight, replicas=20)
    assert evaluation.weighted
    assert Evaluation.from_dict(json.loads(json.dumps(evaluation.to_dict()))) == evaluation


def test_two_classes_are_compared_once(gaussian: Toy) -> None:
    logits, label = gaussian(2000, 3000, 2.0, seed=0)
    evaluation = evaluate(logits, label, ["QCD", "top"], replicas=50)
    assert evaluation.jets == (3000, 2000)
    assert [(r.comparison, r.efficiency) for r in evaluation.rejections] == [("top vs QCD", 0.3), ("top vs QCD", 0.5)]
    assert evaluation.auc.value == pytest.approx(evaluation.discriminations[0].auc.value, abs=1e-12)
    assert evaluation.accuracy == accuracy(logits, label)
    assert evaluation.temperature is not None
    assert abs(evaluation.temperature.value - 1) < 0.15


def test_rejections_are_those_of_the_function(four_classes: Classes) -> None:
    logits, label, classes = four_classes
    evaluation = evaluate(*four_classes, comparisons=["Tbqq+Tbl vs rest"], efficiencies=[0.6], replicas=30, seed=4)
    ranking = parse_comparison("Tbqq+Tbl vs rest", classes).rank(logits, label)
    assert [r.value for r in evaluation.rejections] == [rejection(ranking, 0.6, replicas=30, seed=4)]


def test_leptonic_classes_of_jetclass_have_their_own_efficiency(four_classes: Classes) -> None:
    evaluation = evaluate(*four_classes, replicas=10, efficiencies=(0.5,))
    assert [(r.comparison, r.efficiency) for r in evaluation.rejections] == [
        ("Hbb vs QCD", 0.5),
        ("Tbqq vs QCD", 0.5),
        ("Tbl vs QCD", 0.995),
    ]


def test_a_perfect_tagger_has_no_temperature() -> None:
    label = np.array([0, 1] * 20)
    assert evaluate(np.eye(2)[label], label, ["QCD", "top"], replicas=10).temperature is None


def test_single_precision_is_taken(gaussian: Toy) -> None:
    logits, label = gaussian(200, 300, 2.0, seed=0)
    assert evaluate(logits.astype(np.float32), label.astype(np.int32), ["QCD", "top"], replicas=5).jets == (300, 200)


@pytest.mark.parametrize("label", [[0, 0, 0, 0], [0, 0, 0, 1]])
def test_a_class_with_too_few_jets_is_named(label: list[int]) -> None:
    with pytest.raises(JetkitError, match="two jets or more, there are fewer of top"):
        evaluate(np.zeros((4, 2)), np.array(label), ["QCD", "top"])


def test_numbers_are_the_same_in_any_order_of_the_classes(four_classes: Classes) -> None:
    logits, label, classes = four_classes
    order = np.array([3, 1, 0, 2])
    options = {"comparisons": ["Hbb vs QCD+Tbl"], "replicas": 20}
    first = evaluate(logits, label, classes, **options)
    second = evaluate(logits[:, order], np.argsort(order)[label], [classes[i] for i in order], **options)
    assert second.rejections == first.rejections
    assert second.accuracy == first.accuracy
    assert second.auc.value == pytest.approx(first.auc.value, abs=1e-12)
