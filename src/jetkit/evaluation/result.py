"""Predictions, and a result: the numbers, curves and tables that an evaluation gives, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from jetkit.errors import JetkitError
from jetkit.evaluation.number import Number

EVALUATION = "evaluation"
"""Kind of a registered evaluation: ``evaluate(predictions, *, options) -> Result``."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """The predictions of a task for R rows, beside what is needed to judge them.

    Attributes:
        values: name → prediction for each row.
        targets: name → true value of each row.
        weight: of each row, of either sign.
        row: place of each row in the part of the dataset that was predicted.
        weighted: whether the data have weights; else all are 1.
        columns: name → further quantity of each row, such as ``jet_pt``.
        classes: name of a target → its classes.
        card: model, hashes of weights and data, selections made of the data, seconds.
    """

    values: Mapping[str, Shaped[np.ndarray, "R ..."]]
    targets: Mapping[str, Shaped[np.ndarray, "R ..."]]
    weight: Float[np.ndarray, " R"]
    row: Int[np.ndarray, " R"]
    weighted: bool = False
    columns: Mapping[str, Shaped[np.ndarray, " R"]] = field(default_factory=dict)
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.row)

    def select(self, rows: Shaped[np.ndarray, " rows"]) -> Predicted:
        """Return some of the rows."""
        values, targets, columns = (
            {name: array[rows] for name, array in group.items()} for group in (self.values, self.targets, self.columns)
        )
        chosen = {"weight": self.weight[rows], "row": self.row[rows]}
        return replace(self, values=values, targets=targets, columns=columns, **chosen)

    @property
    def class_target(self) -> str:
        """The name of the target that holds a class.

        Raises:
            JetkitError: there is none, or more than one.
        """
        if len(self.classes) != 1:
            raise JetkitError(f"a classification has one class per row, here are {', '.join(self.classes) or 'none'}")
        return next(iter(self.classes))

    @property
    def logits(self) -> Float[np.ndarray, "R C"]:
        """The logits of a classifier."""
        return self.values["logits"]

    @property
    def label(self) -> Int[np.ndarray, " R"]:
        """The true class of each row."""
        return self.targets[self.class_target]

    @property
    def weight_or_none(self) -> Float[np.ndarray, " R"] | None:
        """The weights in double precision; None where the data have none."""
        return self.weight.astype(np.float64) if self.weighted else None


@dataclass(frozen=True, eq=False)
class Result:
    """The outcome of an evaluation.

    Attributes:
        kind: the name of the evaluation, such as ``regression``.
        numbers: name → number with its error and the rows behind it.
        curves: name → columns of the curve, such as x, y, low and high.
        tables: name → columns of a table.
        details: the full record of an evaluation that has one, as plain values.
        provenance: hashes of model and data, selections, seconds.

    Example:
        >>> print(Result("regression", {"bias": Number(0.1, 0.02, 400)}))
        regression
          bias: 0.100 ± 0.020
    """

    kind: str
    numbers: Mapping[str, Number]
    curves: Mapping[str, Mapping[str, list[float]]] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, list[Any]]] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return "\n".join([self.kind, *(f"  {name}: {number}" for name, number in self.numbers.items())])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "kind": self.kind,
            "numbers": {name: number.to_dict() for name, number in self.numbers.items()},
            "curves": {name: dict(curve) for name, curve in self.curves.items()},
            "tables": {name: dict(table) for name, table in self.tables.items()},
            "details": dict(self.details),
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Result:
        """Return the result that ``to_dict`` described."""
        numbers = {name: Number.from_dict(value) for name, value in content["numbers"].items()}
        rest = {name: content.get(name, {}) for name in ("curves", "tables", "details", "provenance")}
        return cls(content["kind"], numbers, **rest)
