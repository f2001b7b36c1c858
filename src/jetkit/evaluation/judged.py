"""A trained model with the results of its trainings, as pages compare it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jetkit.evaluation.number import Number, SeedSummary, over_seeds
from jetkit.evaluation.result import Result


@dataclass(frozen=True, eq=False)
class Judged:
    """A model that was trained once, or several times with other seeds, and judged by the same evaluation.

    Attributes:
        name: as the page shows it.
        model: registered name of the model.
        task: registered name of the task.
        paper: title, year, arXiv number; empty where there is none.
        parameters: number of trained parameters.
        results: one for each training.
        logs: one for each training: a mapping an epoch.
        dataset: name, SHA-256 and numbers of rows of the training data.
        command: that trains the model again; empty for a model file alone.
    """

    name: str
    model: str
    task: str
    paper: str
    parameters: int
    results: tuple[Result, ...]
    logs: tuple[Sequence[Mapping[str, Any]], ...]
    dataset: Mapping[str, Any]
    command: str

    def number(self, name: str) -> Number | SeedSummary | None:
        """Return a number by its name: mean and spread over several trainings, or the single one; None if absent."""
        found = [result.numbers[name] for result in self.results if name in result.numbers]
        if len(found) > 1 and all(number.error is not None for number in found):
            return over_seeds(found)
        return found[0] if found else None
