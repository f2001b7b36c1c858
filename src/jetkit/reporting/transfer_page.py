"""What pretraining brings, against the number of labels, on one page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from pathlib import Path

from jetkit.errors import JetkitError
from jetkit.evaluation.label_efficiency import label_efficiency
from jetkit.evaluation.number import Number, SeedSummary
from jetkit.evaluation.summary import Evaluation
from jetkit.reporting import page
from jetkit.reporting.page import Picture
from jetkit.reporting.tagger_result import TaggerResult, common_rejections, rejection_at
from jetkit.reporting.tagger_tables import NONE, Cell, Row, TaggerTable, cell, percent
from jetkit.reporting.transfer_pictures import curves_against_labels

USUAL = 0.5
"""Signal efficiency of the rejection that is shown, or the nearest."""
CAPTION = "Mean over the seeds; bars and bands join the error of the mean and that from the number of test jets."
Pick = Callable[[Evaluation], Number]


@dataclass(frozen=True, eq=False)
class Curve:
    """One pretrained model, or none, adapted in one mode to growing numbers of labels.

    Attributes:
        name: such as ``p-jepa finetune``, or ``scratch``.
        mode: finetune, freeze, scratch or random-freeze.
        results: labels → trainings, one a seed.
        chosen: labels → the learning rate and the steps that were chosen there.
    """

    name: str
    mode: str
    results: Mapping[int, TaggerResult]
    chosen: Mapping[int, tuple[float, int]]

    def number(self, labels: int, pick: Pick) -> Number:
        """Mean over the seeds; the error joins that of the mean and that from the number of jets."""
        summary = self.results[labels].summary(pick)
        if isinstance(summary, SeedSummary):
            jets = pick(self.results[labels].typical.evaluation).jets
            return Number(summary.mean, hypot(summary.error_of_mean, summary.jet_error), jets=jets)
        return summary


def write_page(curves: Sequence[Curve], out: Path, *, command: str, protocol: Sequence[str]) -> Path:
    """Write the pictures and ``index.html``, which holds them and needs no other file; returns its path.

    `protocol` says in sentences how the trainings were made.

    Raises:
        JetkitError: there is no curve, or the folder cannot be written.
    """
    if not curves:
        raise JetkitError("there is nothing to compare: name a pretrained model and a mode")
    quantities = _quantities(curves)
    drawn = [
        Picture(name, "curves", title, CAPTION, curves_against_labels(_series(curves, pick), title))
        for name, (title, pick) in quantities.items()
    ]
    first = next(iter(curves[0].results.values()))
    return page.write_page(
        "transfer.html.j2",
        out,
        drawn,
        title=f"What pretraining brings on {first.dataset.get('name', 'jets')}",
        protocol=protocol,
        tables=[(title, _table(curves, pick)) for title, pick in quantities.values()],
        efficiency=efficiency_table(curves),
        chosen=_choices(curves),
        command=command,
        curves=curves,
    )


def _quantities(curves: Sequence[Curve]) -> dict[str, tuple[str, Pick]]:
    """Name → what it is called and how it is had: accuracy, AUC, and a rejection that all have."""
    found: dict[str, tuple[str, Pick]] = {
        "accuracy": ("accuracy", lambda evaluation: evaluation.accuracy),
        "auc": ("AUC", lambda evaluation: evaluation.auc),
    }
    rejections = common_rejections([result for curve in curves for result in curve.results.values()])
    if rejections:
        comparison, efficiency = min(rejections, key=lambda one: abs(one[1] - USUAL))
        title = f"1/ε_B at {percent(efficiency)}, {comparison}"
        found["rejection"] = (title, rejection_at(comparison, efficiency))
    return found


def _series(curves: Sequence[Curve], pick: Pick) -> list[tuple[str, list[tuple[int, Number]]]]:
    return [(curve.name, [(labels, curve.number(labels, pick)) for labels in curve.results]) for curve in curves]


def _sizes(curves: Sequence[Curve]) -> list[int]:
    return sorted({labels for curve in curves for labels in curve.results})


def _table(curves: Sequence[Curve], pick: Pick) -> TaggerTable:
    """A curve a row, a number of labels a column."""
    sizes = _sizes(curves)
    rows = [
        Row(
            Cell(curve.name),
            tuple(
                cell(curve.results[size].summary(pick), len(curve.results[size].trainings))
                if size in curve.results
                else Cell(NONE)
                for size in sizes
            ),
        )
        for curve in curves
    ]
    return TaggerTable((Cell("labels"), *(Cell(f"{size:,}") for size in sizes)), tuple(rows))


def efficiency_table(curves: Sequence[Curve]) -> TaggerTable | None:
    """N_scratch/N of each pretrained model; None where nothing was trained from scratch at two sizes or more."""
    scratch = next((curve for curve in curves if curve.mode == "scratch" and len(curve.results) > 1), None)
    pretrained = [curve for curve in curves if curve.mode in ("finetune", "freeze")]
    if scratch is None or not pretrained:
        return None
    sizes = _sizes(curves)
    rows = [Row(Cell(curve.name), tuple(_factor(scratch, curve, size) for size in sizes)) for curve in pretrained]
    return TaggerTable((Cell("labels"), *(Cell(f"{size:,}") for size in sizes)), tuple(rows))


def _factor(scratch: Curve, curve: Curve, size: int) -> Cell:
    if size not in curve.results:
        return Cell(NONE)
    accuracies = [scratch.number(labels, _accuracy) for labels in scratch.results]
    found = label_efficiency(list(scratch.results), accuracies, curve.number(size, _accuracy), size)
    return cell(found, 1)


def _accuracy(evaluation: Evaluation) -> Number:
    return evaluation.accuracy


def _choices(curves: Sequence[Curve]) -> TaggerTable:
    """Learning rate and steps that were chosen."""
    sizes = _sizes(curves)
    rows = []
    for curve in curves:
        cells = []
        for size in sizes:
            rate, steps = curve.chosen.get(size, (0.0, 0))
            cells.append(Cell(f"{rate:g}", f"{steps:,} steps") if steps else Cell(NONE))
        rows.append(Row(Cell(curve.name), tuple(cells)))
    return TaggerTable((Cell("labels"), *(Cell(f"{size:,}") for size in sizes)), tuple(rows))
