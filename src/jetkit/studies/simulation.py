"""Jets for a study that was given none."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from jetkit.progress import Report
from jetkit.simulation import simulate
from jetkit.simulation.options import Options


class Machine(Protocol):
    """Options that say how to simulate."""

    @property
    def seed(self) -> int:
        """Of the simulation."""

    @property
    def workers(self) -> int:
        """Processes that simulate."""


def simulated(recipe: str, jets: int, machine: Machine, out: Path, report: Report) -> Path:
    """The folder with so many jets of a recipe, simulated where that was not done before."""
    wanted = Options(jets=jets, out=str(out), seed=machine.seed, workers=machine.workers)
    return simulate(recipe, wanted, lambda done, total: report(done, total, "simulate"))
