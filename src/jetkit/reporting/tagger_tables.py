"""The taggers in numbers: rows by falling AUC, and under each tagger what is published for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jetkit.evaluation.number import Number, SeedSummary, value_with_error
from jetkit.reporting.published import Published, published_numbers
from jetkit.reporting.tagger_result import (
    TaggerResult,
    Training,
    common_comparisons,
    common_rejections,
    rejection_at,
    written,
)

NONE, SPACE = "–", "\xa0"
"""What stands for no number, and a space at which no line ends."""


@dataclass(frozen=True)
class Cell:
    """A number, and what is said below it in small letters."""

    text: str
    small: str = ""


@dataclass(frozen=True)
class Row:
    """A line of a table; `published` where the numbers are not ours."""

    head: Cell
    cells: tuple[Cell, ...]
    published: bool = False


@dataclass(frozen=True)
class TaggerTable:
    """Cells in rows and columns; the first of the header stands above the heads of the rows."""

    header: tuple[Cell, ...]
    rows: tuple[Row, ...]


def ranking_table(results: Sequence[TaggerResult]) -> TaggerTable:
    """Accuracy, AUC, the rejections where there is one comparison, size, training and speed."""
    rejections = common_rejections(results) if len(common_comparisons(results)) == 1 else []
    header = ("tagger", "accuracy", "AUC", *(f"1/ε_B at {percent(e)}" for _, e in rejections))
    more = ("parameters", "training jets", "training time", "jets/s")
    rows = []
    for result in results:
        cells = (
            cell(result.summary(lambda evaluation: evaluation.accuracy), len(result.trainings)),
            cell(result.summary(lambda evaluation: evaluation.auc), len(result.trainings)),
            *_rejections(result, rejections),
            Cell(f"{result.parameters:,}"),
            Cell(amount(training_jets(result))),
            Cell(duration(mean_seconds(result)), "each" if len(result.trainings) > 1 else ""),
            Cell(NONE if result.jets_per_second is None else f"{result.jets_per_second:,.0f}"),
        )
        rows += [Row(_head(result), cells), *_published_rows(result, rejections, with_quality=True)]
    return TaggerTable(tuple(Cell(name) for name in header + more), tuple(rows))


def rejection_table(results: Sequence[TaggerResult]) -> TaggerTable | None:
    """The rejection of each comparison at its largest efficiency; None where one comparison is all.

    For JetClass these are the columns of Table 1 of Particle Transformer for Jet Tagging, 2022, arXiv:2202.03772.
    """
    if len(common_comparisons(results)) < 2:
        return None
    largest: dict[str, float] = {}
    for comparison, efficiency in common_rejections(results):
        largest[comparison] = max(efficiency, largest.get(comparison, 0.0))
    shown = list(largest.items())
    rows = []
    for result in results:
        rows += [Row(_head(result), _rejections(result, shown)), *_published_rows(result, shown)]
    return TaggerTable((Cell("tagger"), *(Cell(name, f"at {percent(e)}") for name, e in shown)), tuple(rows))


def all_rejections(results: Sequence[TaggerResult]) -> TaggerTable | None:
    """Every rejection in a row, every tagger in a column; None where another table has them all."""
    rejections = common_rejections(results)
    if len({comparison for comparison, _ in rejections}) in (1, len(rejections)):
        return None
    columns = [_rejections(result, rejections) for result in results]
    rows = tuple(
        Row(Cell(f"{comparison} at {percent(efficiency)}"), line)
        for (comparison, efficiency), line in zip(rejections, zip(*columns, strict=True), strict=True)
    )
    return TaggerTable((Cell("1/ε_B"), *(Cell(result.name) for result in results)), rows)


def confusion_table(result: TaggerResult) -> TaggerTable:
    """The confusion matrix of the typical training in percent, with errors."""
    matrix = result.typical.evaluation.confusion
    rows = tuple(
        Row(
            Cell(name, f"{jets:,} jets"),
            tuple(Cell(value_with_error(100 * r, 100 * e)) for r, e in zip(rates, errors, strict=True)),
        )
        for name, jets, rates, errors in zip(matrix.classes, matrix.jets, matrix.rate, matrix.error, strict=True)
    )
    return TaggerTable((Cell("true class"), *(Cell(name) for name in matrix.classes)), rows)


def calibration_table(results: Sequence[TaggerResult]) -> TaggerTable:
    """Expected calibration error, what chance alone would give, and the temperature that mends it."""
    rows = []
    for result in results:
        evaluation = result.typical.evaluation
        numbers = (
            Cell(evaluation.calibration.expected_error.text()),
            Cell(f"{evaluation.calibration.chance:.2g}"),
            Cell(NONE if evaluation.temperature is None else evaluation.temperature.text()),
        )
        rows.append(Row(_head(result), numbers))
    header = ("tagger", "expected calibration error", "by chance alone", "temperature")
    return TaggerTable(tuple(Cell(name) for name in header), tuple(rows))


def training_table(results: Sequence[TaggerResult]) -> TaggerTable:
    """One row a training: its seed, epochs, lowest validation loss and times."""
    header = ("tagger", "epochs", "lowest validation loss", "time per epoch", "training time")
    rows = [
        Row(Cell(result.name, f"seed {training.seed}"), _history(training))
        for result in results
        for training in result.trainings
    ]
    return TaggerTable(tuple(Cell(name) for name in header), tuple(rows))


def cell(summary: Number | SeedSummary, trainings: int) -> Cell:
    """``value ± error`` of one training, or ``mean ± spread`` and below it the error from the number of jets; a limit.

    Example:
        >>> cell(Number(0.9321, 0.0008, jets=404_000), 1)
        Cell(text='0.93210 ± 0.00080', small='')
        >>> cell(SeedSummary(0.9321, 0.0021, 0.0012, 0.0008, 3), 3)
        Cell(text='0.9321 ± 0.0021', small='jets ± 0.00080')
        >>> cell(Number(1534.2, None, jets=3, limit="lower"), 1)
        Cell(text='> 1500', small='95\xa0%\xa0CL')
    """
    if isinstance(summary, SeedSummary):
        jets = value_with_error(summary.mean, summary.jet_error).partition(" ± ")[2]
        return Cell(value_with_error(summary.mean, summary.spread), f"jets ± {jets}")
    shown, _, confidence = written(summary).partition(" (")
    notes = (confidence.rstrip(")").replace(" ", SPACE), f"one of {trainings} trainings" if trainings > 1 else "")
    return Cell(shown, ", ".join(note for note in notes if note))


def duration(seconds: float) -> str:
    """A time in its natural unit.

    Example:
        >>> duration(4.21), duration(200), duration(5400), duration(200_000)
        ('4.2 s', '3.3 min', '90 min', '2.3 d')
    """
    for unit, size, most in (("s", 1, 100), ("min", 60, 6000), ("h", 3600, 172_800)):
        if seconds < most:
            return f"{seconds / size:.2g} {unit}" if seconds / size < 10 else f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.1f} d"


def amount(jets: int | None) -> str:
    """A number of jets.

    Example:
        >>> amount(30_000), amount(1_200_000), amount(None)
        ('30,000', '1.2 M', '–')
    """
    if jets is None:
        return NONE
    return f"{jets:,}" if jets < 1_000_000 else f"{jets / 1e6:.3g} M"


def percent(share: float) -> str:
    """A share in percent.

    Example:
        >>> percent(0.5), percent(0.995)
        ('50\xa0%', '99.5\xa0%')
    """
    return f"{100 * share:.4g}{SPACE}%"


def mean_seconds(result: TaggerResult) -> float:
    """Mean time of a training."""
    return sum(training.seconds for training in result.trainings) / len(result.trainings)


def training_jets(result: TaggerResult) -> int | None:
    """How many jets the tagger was trained on, where the dataset tells it."""
    found = result.dataset.get("jets", {}).get("train")
    return None if found is None else int(found)


def _head(result: TaggerResult) -> Cell:
    count = len(result.trainings)
    return Cell(result.name, f"{count} trainings" if count > 1 else "")


def _rejections(result: TaggerResult, wanted: Sequence[tuple[str, float]]) -> tuple[Cell, ...]:
    return tuple(cell(result.summary(rejection_at(*one)), len(result.trainings)) for one in wanted)


def _published_rows(
    result: TaggerResult, rejections: Sequence[tuple[str, float]], *, with_quality: bool = False
) -> list[Row]:
    """Rows for what is published: the rejections and, in the first table, accuracy, AUC and the training jets."""
    rows = []
    for entry in published_numbers(str(result.dataset.get("name", "")), result.model):
        found = [entry.rejection(*one) for one in rejections]
        cells = tuple(Cell(NONE if one is None else one.text()) for one in found)
        if with_quality:
            quality = (Cell(_plain(entry.accuracy)), Cell(_plain(entry.auc)))
            cells = (*quality, *cells, Cell(NONE), Cell(amount(entry.training_jets)), Cell(NONE), Cell(NONE))
            words = f"published, {entry.note}".rstrip(", ")
        elif any(found):
            words = f"published, {amount(entry.training_jets)} jets"
        else:
            continue
        rows.append(Row(Cell(arxiv_number(entry), words), cells, True))
    return rows


def arxiv_number(entry: Published) -> str:
    """The arXiv number of the source."""
    return next((word for word in entry.source.split() if word.startswith("arXiv:")), entry.source)


def _plain(value: float | None) -> str:
    return NONE if value is None else f"{value:g}".ljust(5, "0")


def _history(training: Training) -> tuple[Cell, ...]:
    losses = [(loss, line) for line in training.log if (loss := validation(line, "loss")) is not None]
    best = min(losses, key=lambda pair: pair[0], default=None)
    each = [float(line["seconds"]) / int(line["epoch"]) for line in training.log if line.get("seconds") is not None]
    return (
        Cell(str(len(training.log)) if training.log else NONE),
        Cell(NONE) if best is None else Cell(f"{best[0]:.4f}", f"in epoch {best[1].get('epoch', NONE)}"),
        Cell(duration(each[-1]) if each else NONE),
        Cell(duration(training.seconds)),
    )


def validation(line: Mapping[str, Any], quantity: str) -> float | None:
    """A quantity of the validation in a line of the log, where the line has it."""
    found = (line.get("validation") or {}).get(quantity)
    return None if found is None else float(found)
