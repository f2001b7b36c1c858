from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetkit.errors import JetkitError
from jetkit.evaluation.number import Number, over_seeds, value_with_error


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1298.4, 46.2, "1298 ± 46"),
        (0.93213, 0.00082, "0.93213 ± 0.00082"),
        (2247.0, 176.0, "2250 ± 180"),
        (0.5, 0.0996, "0.50 ± 0.10"),
        (-12.345, 1.0, "-12.3 ± 1.0"),
        (0.75, 0.0, "0.75 ± 0"),
    ],
)
def test_values_are_rounded_where_the_error_has_two_digits(value: float, error: float, text: str) -> None:
    assert str(Number(value, error, jets=1)) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1599.0, "> 1500"), (1500.0, "> 1500"), (99.9, "> 99"), (3.39, "> 3.3"), (12345.0, "> 12000")]
)
def test_a_lower_limit_is_rounded_down(value: float, text: str) -> None:
    assert str(Number(value, None, jets=2, limit="lower")) == f"{text} (95 % CL)"


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_the_text_is_within_the_rounding_of_the_number(value: float, error: float) -> None:
    shown, shown_error = (float(part) for part in value_with_error(value, error).split(" ± "))
    assert abs(shown - value) <= 0.0501 * error
    assert abs(shown_error - error) <= 0.0501 * error


@pytest.mark.parametrize(
    "number",
    [Number(0.9, 0.1, jets=9), Number(1500.0, None, jets=3, limit="lower"), Number(0.9, 0.1, jets=9, n_eff=4.5)],
)
def test_numbers_survive_json(number: Number) -> None:
    assert Number.from_dict(json.loads(json.dumps(number.to_dict()))) == number


def test_numbers_without_weights_are_stored_as_ever() -> None:
    stored = {"value": 0.9, "error": 0.1, "jets": 9, "limit": None}
    assert Number(0.9, 0.1, jets=9).to_dict() == stored
    assert Number.from_dict(stored) == Number(0.9, 0.1, jets=9)
    assert Number(0.9, 0.1, jets=9, n_eff=4.5).to_dict() == stored | {"n_eff": 4.5}


@pytest.mark.parametrize(
    ("n_eff", "text"), [(1234.5, "n_eff = 1234"), (10.0, "n_eff = 10"), (3.64, "n_eff = 3.6"), (0.0, "n_eff = 0.0")]
)
def test_the_effective_number_stands_behind_the_text(n_eff: float, text: str) -> None:
    number = Number(0.5, 0.1, jets=2000, n_eff=n_eff)
    assert str(number) == f"0.50 ± 0.10 ({text})"
    assert number.text() == "0.50 ± 0.10"  # a cell of a table


def test_a_number_without_error_that_is_no_limit_is_refused() -> None:
    with pytest.raises(JetkitError, match="an error or be a limit"):
        Number(1.0, None, jets=3)


def test_a_record_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(JetkitError, match="unknown option 'jetz'"):
        Number.from_dict({"value": 1.0, "error": 0.1, "jetz": 3})


def test_seeds_have_a_mean_a_spread_and_the_errors_of_their_jets() -> None:
    summary = over_seeds([Number(10.0, 3.0, jets=5), Number(14.0, 4.0, jets=5)])
    assert summary.mean == 12.0
    assert summary.spread == pytest.approx(8**0.5)
    assert summary.error_of_mean == pytest.approx(2.0)
    assert summary.jet_error == pytest.approx(12.5**0.5)
    assert str(summary) == "12.0 ± 2.8 (spread of 2 trainings), 3.5 (jets)"


def test_one_training_or_a_limit_has_no_spread() -> None:
    with pytest.raises(JetkitError, match="two trainings"):
        over_seeds([Number(1.0, 0.1, jets=3)])
    with pytest.raises(JetkitError, match="only a limit"):
        over_seeds([Number(1.0, 0.1, jets=3), Number(1.0, None, jets=3, limit="lower")])
