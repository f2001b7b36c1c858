from __future__ import annotations

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.evaluation.discriminants import d_b, d_c, d_hbb, discriminant
from jetkit.evaluation.scores import probabilities

CLASSES = ("b", "c", "u", "tau")
LOGITS = np.random.default_rng(0).normal(size=(40, 4)) * 3
P = probabilities(LOGITS)


@pytest.mark.parametrize("f_c", [0.0, 0.018, 0.2, 1.0])
def test_equal_backgrounds_give_ln_8_for_every_fraction(f_c: float) -> None:
    assert d_b(np.log([[0.8, 0.1, 0.1]]), ["b", "c", "u"], f_c=f_c).item() == pytest.approx(np.log(8))


def test_without_charm_only_light_jets_count() -> None:
    assert d_b(LOGITS, CLASSES, f_c=0.0) == pytest.approx(np.log(P[:, 0] / P[:, 2]))


def test_formulas_are_those_of_probabilities() -> None:
    b, c, u, tau = P.T
    assert d_b(LOGITS, CLASSES, f_c=0.1) == pytest.approx(np.log(b / (0.1 * c + 0.9 * u)))
    assert d_b(LOGITS, CLASSES, f_c=0.1, f_tau=0.05) == pytest.approx(np.log(b / (0.1 * c + 0.05 * tau + 0.85 * u)))
    assert d_c(LOGITS, CLASSES, f_b=0.2, f_tau=0.05) == pytest.approx(np.log(c / (0.2 * b + 0.05 * tau + 0.75 * u)))
    hbb = d_hbb(LOGITS, ["Hbb", "Hcc", "QCD", "top"])
    assert hbb == pytest.approx(np.log(P[:, 0] / (0.02 * P[:, 1] + 0.25 * P[:, 3] + 0.73 * P[:, 2])))


def test_a_group_of_classes_shares_its_fraction() -> None:
    classes = ["Hbb", "Hcc", "QCD", "Tbqq", "Tbl"]
    logits = np.random.default_rng(1).normal(size=(20, 5))
    p = np.exp(logits)
    expected = np.log(p[:, 0] / (0.02 * p[:, 1] + 0.25 * (p[:, 3] + p[:, 4]) + 0.73 * p[:, 2]))
    assert d_hbb(logits, classes, top="Tbqq+Tbl") == pytest.approx(expected)


def test_the_discriminant_does_not_saturate() -> None:
    logits = np.array([[100.0, 0.0, 0.0], [900.0, 0.0, 0.0]])
    assert d_b(logits, ["b", "c", "u"]).tolist() == pytest.approx([100.0, 900.0])


def test_the_discriminant_rises_with_the_signal() -> None:
    logits = np.zeros((30, 4))
    logits[:, 0] = np.linspace(-5, 5, 30)
    assert (np.diff(d_b(logits, CLASSES)) > 0).all()


@pytest.mark.parametrize(
    ("background", "message"),
    [
        ({"c": 0.5, "u": 0.6}, "sum to 1"),
        ({"c": -0.5, "u": 1.5}, "sum to 1"),
        ({}, "sum to 1"),
        ({"c": 0.5, "uds": 0.5}, "unknown class 'uds'"),
        ({"c": 0.5, "b": 0.5}, "twice"),
        ({"c": 0.5, "c+u": 0.5}, "twice"),
    ],
)
def test_backgrounds_that_make_no_sense_are_refused(background: dict[str, float], message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        discriminant(LOGITS, CLASSES, signal="b", background=background)
