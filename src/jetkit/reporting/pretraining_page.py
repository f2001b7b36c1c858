"""The health of pretrainings on one page: what their embeddings are like, and each part of their losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jetkit.evaluation.interval import binomial_error
from jetkit.evaluation.number import Number
from jetkit.reporting import page
from jetkit.reporting.page import Picture
from jetkit.reporting.tagger_tables import NONE, Cell, Row, TaggerTable, duration
from jetkit.reporting.training_pictures import Log, health_panels, loss_panels, parts_of

HEALTH = {
    "embedding_std": "spread",
    "effective_rank": "effective rank",
    "uniformity": "uniformity",
    "probe": "probe accuracy",
    "used_codes": "codes in use",
    "perplexity": "perplexity of codes",
}
"""Numbers of the log → what they are called."""


@dataclass(frozen=True, eq=False)
class Pretraining:
    """A run of a method.

    Attributes:
        paper: of the method: title, year, arXiv number.
        model: the backbone; `parameters` are its own.
        jets: of the training and of the validation.
        probed: validation jets that the probe is tested on.
        log: a line an epoch, from the untrained backbone on.
        command: that makes it again.
    """

    name: str
    method: str
    paper: str
    model: str
    parameters: int
    dataset: str
    jets: tuple[int, int]
    probed: int
    log: Log
    seconds: float
    command: str


def write_page(runs: Sequence[Pretraining], out: Path) -> Path:
    """Write the pictures and ``index.html``, which holds them and needs no other file; returns its path.

    Raises:
        JetkitError: the folder cannot be written, or matplotlib, mplhep or jinja2 is absent.
    """
    datasets = ", ".join(dict.fromkeys(run.dataset for run in runs))
    subject = runs[0].name if len(runs) == 1 else f"{len(runs)} pretrainings"
    return page.write_page(
        "pretraining.html.j2",
        out,
        pictures(runs),
        title=f"{subject} on {datasets}",
        health=health_table(runs),
        losses=[(run.name, loss_table(run)) for run in runs],
        trainings=training_table(runs),
        runs=runs,
    )


def shown(runs: Sequence[Pretraining]) -> dict[str, str]:
    """The numbers of health that a run has."""
    return {name: words for name, words in HEALTH.items() if any(name in run.log[0]["validation"] for run in runs)}


def health_table(runs: Sequence[Pretraining]) -> TaggerTable:
    """A row a run: each number after the last epoch and, below it, that of the untrained backbone."""
    numbers = shown(runs)
    rows = [Row(Cell(run.name, run.method), tuple(_then_and_now(run, name) for name in numbers)) for run in runs]
    return TaggerTable((Cell("pretraining"), *(Cell(words) for words in numbers.values())), tuple(rows))


def _then_and_now(run: Pretraining, name: str) -> Cell:
    first, last = (line["validation"].get(name) for line in (run.log[0], run.log[-1]))
    if first is None or last is None:
        return Cell(NONE)
    if name == "probe":
        return Cell(_share(last, run.probed), f"untrained {_share(first, run.probed)}")
    return Cell(*(text.replace("-", "−") for text in (f"{last:.3g}", f"untrained {first:.3g}")))


def _share(value: float, jets: int) -> str:
    """A share of jets with its error."""
    return Number(value, float(binomial_error(np.array(value), np.array(jets))), jets=jets).text()


def loss_table(run: Pretraining) -> TaggerTable:
    """Each part of the loss of the validation jets: untrained, best and last."""
    rows = []
    for name in ("loss", *(f"loss {part}" for part in parts_of(run.log))):
        values = [line["validation"][name] for line in run.log]
        best = min(range(len(values)), key=values.__getitem__)
        cells = (
            Cell(f"{values[0]:.4g}"),
            Cell(f"{values[best]:.4g}", f"epoch {run.log[best]['epoch']}"),
            Cell(f"{values[-1]:.4g}"),
        )
        rows.append(Row(Cell("all" if name == "loss" else name.removeprefix("loss ")), cells))
    return TaggerTable(tuple(Cell(name) for name in ("loss", "untrained", "least", "last")), tuple(rows))


def training_table(runs: Sequence[Pretraining]) -> TaggerTable:
    """What was trained, on how much, for how long."""
    rows = []
    for run in runs:
        cells = (
            Cell(run.model, f"{run.parameters:,} parameters"),
            Cell(f"{run.jets[0]:,}", f"{run.jets[1]:,} for validation"),
            Cell(f"{run.log[-1]['epoch']}", f"{run.log[-1]['step']:,} steps"),
            Cell(duration(run.seconds)),
        )
        rows.append(Row(Cell(run.name, run.method), cells))
    return TaggerTable(tuple(Cell(name) for name in ("pretraining", "backbone", "jets", "epochs", "time")), tuple(rows))


def pictures(runs: Sequence[Pretraining]) -> list[Picture]:
    """Health of all runs, and the losses of each."""
    told = "Of the validation jets, from the untrained backbone (epoch 0) on."
    health = health_panels([(run.name, run.log) for run in runs], shown(runs))
    drawn = [Picture("health", "health", "Health of the embeddings", told, health)]
    for number, run in enumerate(runs):
        name = "losses" if len(runs) == 1 else f"losses-{number + 1}"
        drawn.append(Picture(name, "losses", f"Losses of {run.name}", "A panel for each part.", loss_panels(run.log)))
    return drawn
