"""The whole chain on this machine: simulate, train three taggers, compare them on one page."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from jetkit.progress import Report, silent
from jetkit.simulation import simulate
from jetkit.simulation.options import Options as SimulateOptions
from jetkit.training.run import train
from jetkit.verbs.evaluation import report_as
from jetkit.verbs.report import ReportOptions, write_report

TAGGERS: dict[str, dict[str, Any]] = {
    "observables-bdt": {},
    "pfn": {"epochs": 6},
    "part": {
        "epochs": 1, "batch": 64, "lr": 2e-3, "optimiser": "adamw", "schedule": "one-cycle", "length": 64,
        "hyperparameters": {
            "width": 64, "heads": 4, "depth": 2, "class_depth": 1, "pair_widths": [16], "dropout": 0.0,
        },
    },
}  # fmt: skip
"""Model → options that make it fit into a few minutes; the ParT is a small one."""


@dataclass(frozen=True)
class DemoOptions:
    """How large."""

    jets: Annotated[int, Field(ge=200, description="jets to simulate")] = 20_000
    out: Annotated[str, Field(description="folder to write")] = "demo"
    seed: Annotated[int, Field(ge=0, description="of simulation and training")] = 1
    workers: Annotated[int, Field(ge=1, description="processes that simulate; default: one a core")] = (
        os.cpu_count() or 1
    )


def demo(options: DemoOptions, report: Report = silent) -> tuple[Path, Path]:
    """Simulate top and QCD jets, train taggers, compare them; returns the folder of the jets and the page.

    A second call goes on where the first one stopped.

    Raises:
        JetkitError: an optional package is absent, or the folder cannot be written.
    """
    out = Path(options.out)
    wanted = SimulateOptions(
        jets=options.jets, out=str(out / "data"), seed=options.seed, workers=options.workers,
        shard=min(1000, max(100, options.jets // 20)),
    )  # fmt: skip
    data = simulate("top-landscape", wanted, lambda done, total: report(done, total, "simulate"))
    runs = []
    for name, own in TAGGERS.items():
        fixed: dict[str, Any] = {"data": str(data), "out": str(out / name), "seed": options.seed, "features": "kin"}
        train(name, partial(report_as, name, report), fractions=(0.7, 0.1, 0.2), **fixed, **own)
        runs.append(out / name)
    return data, write_report(runs, ReportOptions(out=str(out / "report")), report)
