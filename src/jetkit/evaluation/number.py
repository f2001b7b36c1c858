"""A value, its error and the jets behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from jetkit.errors import JetkitError
from jetkit.evaluation.record import Record


@dataclass(frozen=True)
class Number(Record):
    """A measured value with its error of one standard deviation, or a limit at 95 % confidence.

    Attributes:
        error: None for a limit.
        jets: how many jets stand behind the value; for a rejection, the background jets that pass.
        limit: ``"lower"`` where there are too few jets for a value, or no end of it is known; ``"upper"`` likewise.
        n_eff: of weighted jets, how many of equal weight would measure as precisely; None, and not stored, without
            weights.

    Example:
        >>> print(Number(0.93213, 0.00082, jets=404_000))
        0.93213 ± 0.00082
        >>> print(Number(1534.2, None, jets=3, limit="lower"))
        > 1500 (95 % CL)
        >>> print(Number(1534.2, None, jets=3, limit="upper"))
        < 1600 (95 % CL)
        >>> print(Number(0.932, 0.012, jets=900, n_eff=412.4), "|", Number(1534.2, None, 9, "lower", n_eff=3.64))
        0.932 ± 0.012 (n_eff = 412) | > 1500 (95 % CL) (n_eff = 3.6)
    """

    value: float
    error: float | None
    jets: int
    limit: Literal["lower", "upper"] | None = None
    n_eff: Annotated[float | None, Field(exclude_if=lambda n_eff: n_eff is None)] = None

    def __post_init__(self) -> None:
        if (self.error is None) != (self.limit is not None):
            raise JetkitError("a number should have an error or be a limit")

    def __str__(self) -> str:
        if self.n_eff is None:
            return self.text()
        return f"{self.text()} (n_eff = {self.n_eff:.{0 if self.n_eff >= 10 else 1}f})"

    def text(self, digits: int = 2) -> str:
        """The value rounded where its error has so many significant digits; a limit is rounded to its safe side.

        The effective number of jets is left out.

        Example:
            >>> Number(1298.4, 46.2, jets=155).text(), Number(2247.0, 174.6, jets=90).text()
            ('1298 ± 46', '2250 ± 170')
            >>> Number(0.93213, 0.00082, jets=404_000).text(digits=1)
            '0.9321 ± 0.0008'
        """
        if self.error is None:
            decimals = digits - 1 - _exponent(self.value)
            sign, rounded, hair = (">", math.floor, 1e-12) if self.limit == "lower" else ("<", math.ceil, -1e-12)
            safe = rounded(self.value * 10.0**decimals * (1 + hair)) / 10.0**decimals
            return f"{sign} {safe:.{max(decimals, 0)}f} (95 % CL)"
        return value_with_error(self.value, self.error, digits)


@dataclass(frozen=True)
class SeedSummary(Record):
    """One quantity of several trainings that differ by their seed, measured on the same jets.

    Attributes:
        mean: mean of the trainings.
        spread: standard deviation of the trainings (n − 1 in the denominator): how much one training differs.
        error_of_mean: spread/√n; what more trainings reduce.
        jet_error: root mean square of the trainings' own errors. The trainings share their jets, so more of them do
            not reduce it; more jets do.
        trainings: how many.
    """

    mean: float
    spread: float
    error_of_mean: float
    jet_error: float
    trainings: int

    def __str__(self) -> str:
        spread = value_with_error(self.mean, self.spread)
        return f"{spread} (spread of {self.trainings} trainings), {_rounded(self.jet_error)} (jets)"


def over_seeds(numbers: Sequence[Number]) -> SeedSummary:
    """Mean and spread of one quantity over trainings.

    Raises:
        JetkitError: fewer than two numbers, or one of them is a limit.

    Example:
        >>> print(over_seeds([Number(1300, 90, jets=155), Number(1240, 88, jets=163), Number(1345, 92, jets=150)]))
        1295 ± 53 (spread of 3 trainings), 90 (jets)
    """
    if len(numbers) < 2:
        raise JetkitError(f"a spread over seeds needs two trainings or more, got {len(numbers)}")
    errors = [number.error for number in numbers if number.error is not None]
    if len(errors) < len(numbers):
        raise JetkitError("a training gave only a limit: a spread over seeds needs more jets")
    values = np.array([number.value for number in numbers])
    spread = float(values.std(ddof=1))
    return SeedSummary(
        mean=float(values.mean()),
        spread=spread,
        error_of_mean=spread / math.sqrt(len(numbers)),
        jet_error=float(np.sqrt(np.mean(np.square(errors)))),
        trainings=len(numbers),
    )


def value_with_error(value: float, error: float, digits: int = 2) -> str:
    """``value ± error``, both rounded where the error has so many significant digits.

    Example:
        >>> value_with_error(0.5, 0.0996)
        '0.50 ± 0.10'
    """
    if not (math.isfinite(error) and error > 0 and math.isfinite(value)):
        return f"{value:g} ± {error:g}"
    decimals = digits - 1 - _exponent(error)
    decimals = digits - 1 - _exponent(round(error, decimals))  # 0.0996 becomes 0.10, not 0.100
    shown = max(decimals, 0)
    return f"{round(value, decimals):.{shown}f} ± {round(error, decimals):.{shown}f}"


def _rounded(error: float) -> str:
    return value_with_error(0.0, error).partition(" ± ")[2]


def _exponent(x: float) -> int:
    return math.floor(math.log10(abs(x))) if x else 0
