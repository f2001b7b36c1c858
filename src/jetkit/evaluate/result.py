"""A result: the numbers, curves and arrays that an evaluation gives, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from jetkit.evaluate.number import Number

EVALUATION = "evaluation"
"""Kind of a registered evaluation: ``evaluate(predictions, *, options) -> Result``."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """What a task says of R rows, beside what is needed to judge it.

    Attributes:
        values: name → what was predicted of each row.
        targets: name → true value of each row.
        weight: of each row.
        row: place of each row in the part of the dataset that was predicted.
    """

    values: Mapping[str, Shaped[np.ndarray, "R ..."]]
    targets: Mapping[str, Shaped[np.ndarray, "R ..."]]
    weight: Float[np.ndarray, " R"]
    row: Int[np.ndarray, " R"]

    def __len__(self) -> int:
        return len(self.row)

    def select(self, rows: Shaped[np.ndarray, " rows"]) -> Predicted:
        """Return some of the rows."""
        values = {name: array[rows] for name, array in self.values.items()}
        targets = {name: array[rows] for name, array in self.targets.items()}
        return Predicted(values, targets, self.weight[rows], self.row[rows])


@dataclass(frozen=True, eq=False)
class Result:
    """What an evaluation gives.

    Example:
        >>> print(Result("regression", {"bias": Number(0.1, 0.02, 400)}))
        regression
          bias: 0.100 ± 0.020
    """

    kind: str
    numbers: Mapping[str, Number]
    """Name → number with its error and the rows behind it."""
    curves: Mapping[str, Mapping[str, list[float]]] = field(default_factory=dict)
    """Name → columns of the curve, such as x, y, low and high."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Hashes of model and data, selections, seconds."""

    def __str__(self) -> str:
        return "\n".join([self.kind, *(f"  {name}: {number}" for name, number in self.numbers.items())])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "kind": self.kind,
            "numbers": {name: number.to_dict() for name, number in self.numbers.items()},
            "curves": {name: dict(curve) for name, curve in self.curves.items()},
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Result:
        """Return the result that ``to_dict`` described."""
        numbers = {name: Number.from_dict(value) for name, value in content["numbers"].items()}
        return cls(content["kind"], numbers, content.get("curves", {}), content.get("provenance", {}))
