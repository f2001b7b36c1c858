from __future__ import annotations

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.evaluation.accuracy import accuracy
from jetkit.evaluation.confusion import confusion

Classes = tuple[np.ndarray, np.ndarray, tuple[str, ...]]


def test_accuracy_is_the_share_of_right_jets(four_classes: Classes) -> None:
    logits, label, _ = four_classes
    expected = np.mean([row.argmax() == truth for row, truth in zip(logits, label, strict=True)])
    number = accuracy(logits, label)
    assert number.value == pytest.approx(expected)
    assert number.error == pytest.approx(np.sqrt(expected * (1 - expected) / 3000), rel=1e-3)


def test_weights_count_as_repeated_jets(four_classes: Classes) -> None:
    logits, label, classes = four_classes
    times = np.random.default_rng(0).integers(1, 4, size=3000)
    repeated = np.repeat(np.arange(3000), times)
    weight = times.astype(float)
    assert accuracy(logits, label, weight).value == pytest.approx(accuracy(logits[repeated], label[repeated]).value)
    weighted, plain = confusion(logits, label, classes, weight), confusion(logits[repeated], label[repeated], classes)
    assert np.array(weighted.rate) == pytest.approx(np.array(plain.rate))
    assert (np.array(weighted.error) > np.array(plain.error)).all()  # fewer jets than the repetition pretends


def test_all_right_still_has_an_error() -> None:
    number = accuracy(np.eye(2)[[0, 1] * 8], np.array([0, 1] * 8))
    assert number.value == 1
    assert 0.01 < (number.error or 0) < 0.1


def test_the_confusion_matrix_is_that_of_scikit_learn(four_classes: Classes) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    logits, label, classes = four_classes
    matrix = confusion(logits, label, classes)
    expected = metrics.confusion_matrix(label, logits.argmax(axis=1), normalize="true")
    assert np.array(matrix.rate) == pytest.approx(expected)
    assert matrix.jets == tuple(np.bincount(label).tolist())


def test_a_class_without_jets_has_no_row() -> None:
    with pytest.raises(JetkitError, match="no jets of b"):
        confusion(np.eye(3)[[0, 2]], np.array([0, 2]), ["a", "b", "c"])


@pytest.mark.parametrize(
    ("logits", "label", "message"),
    [
        (np.zeros((0, 2)), np.zeros(0, dtype=int), "no jets to evaluate"),
        (np.zeros((3, 1)), np.zeros(3, dtype=int), "two classes or more"),
        (np.zeros(3), np.zeros(3, dtype=int), "one column for each"),
        (np.array([[0.0, np.nan]]), np.array([0]), "of 1 jets are NaN"),
        (np.array([[0.0, np.inf]]), np.array([0]), "of 1 jets are NaN or infinite"),
        (np.zeros((3, 2)), np.array([0, 1]), "for each of 3 jets"),
        (np.zeros((1, 2)), np.array([0.5]), "one whole number"),
        (np.zeros((1, 2)), np.array([2]), "between 0 and 1"),
        (np.zeros((1, 2)), np.array([-1]), "between 0 and 1"),
    ],
)
def test_arrays_that_cannot_be_evaluated_are_refused(logits: np.ndarray, label: np.ndarray, message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        accuracy(logits, label)
