"""Sections for results of any kind: numbers with errors, curves, tables, the trainings, and how to make it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jetkit.evaluation.judged import Judged
from jetkit.reporting.figure import WIDTH, drawing, legend, line_style, new_figure, plain
from jetkit.reporting.page import Picture
from jetkit.reporting.section import Section
from jetkit.reporting.tagger_tables import NONE, Cell, Row, TaggerTable, cell, duration
from jetkit.reporting.training_pictures import watched_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def result_sections(judged: Sequence[Judged], own: Sequence[Section] = ()) -> list[Section]:
    """Return the sections of a page about runs of one kind; ``own`` are those registered for the kind.

    Raises:
        JetkitError: matplotlib or mplhep is absent.
    """
    middle = [one for one in (_curves(judged), _tables(judged), _trainings(judged)) if one is not None]
    return [_numbers(judged), *own, *middle, _origins(judged)]


def _numbers(judged: Sequence[Judged]) -> Section:
    names = list(dict.fromkeys(name for one in judged for result in one.results for name in result.numbers))
    rows = [Row(Cell(one.name, one.model), tuple(_cell(one, name) for name in names)) for one in judged]
    table = TaggerTable((Cell("run"), *(Cell(name) for name in names)), tuple(rows))
    several = any(len(one.results) > 1 for one in judged)
    text = "± is the spread over the trainings, and below it the error from the number of rows." if several else ""
    return Section("Results", [("", table)], text=[text or "± is the error from the number of rows."])


def _cell(one: Judged, name: str) -> Cell:
    number = one.number(name)
    return Cell(NONE) if number is None else cell(number, len(one.results))


def _curves(judged: Sequence[Judged]) -> Section | None:
    names = list(dict.fromkeys(name for one in judged for name in one.results[0].curves))
    pictures = [
        Picture(f"curve-{place}", "curves", name, "", curve_figure(name, judged)) for place, name in enumerate(names, 1)
    ]
    return Section("Curves", pictures=pictures) if pictures else None


def curve_figure(name: str, judged: Sequence[Judged]) -> Figure:
    """Draw a curve of each run that has it: the second column against the first, with a band from low to high.

    Raises:
        JetkitError: matplotlib or mplhep is absent.
    """
    having = [(one.name, one.results[0].curves[name]) for one in judged if name in one.results[0].curves]
    with drawing():
        figure = new_figure(WIDTH, 3.4)
        axes = figure.subplots()
        for place, (label, columns) in enumerate(having):
            x, y = [key for key in columns if key not in ("low", "high")][:2]
            look = line_style(place)
            axes.plot(columns[x], columns[y], label=plain(label), **look)
            if {"low", "high"} <= columns.keys():
                axes.fill_between(columns[x], columns["low"], columns["high"], color=look["color"], alpha=0.2, lw=0)
            axes.set(xlabel=plain(x), ylabel=plain(y))
        legend(figure, [label for label, _ in having])
    return figure


def _tables(judged: Sequence[Judged]) -> Section | None:
    found = [(f"{one.name}: {name}", _table(table)) for one in judged for name, table in one.results[0].tables.items()]
    return Section("Tables", found) if found else None


def _table(columns: Mapping[str, Sequence[Any]]) -> TaggerTable:
    lines = zip(*columns.values(), strict=True)
    rows = [Row(Cell(_written(first)), tuple(Cell(_written(value)) for value in rest)) for first, *rest in lines]
    return TaggerTable(tuple(Cell(name) for name in columns), tuple(rows))


def _written(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _trainings(judged: Sequence[Judged]) -> Section | None:
    logs = [(one.name, log) for one in judged for log in one.logs if log and log[-1].get("validation")]
    if not logs:
        return None
    names = dict.fromkeys(name for _, log in logs for name in log[-1]["validation"])
    common = [name for name in names if all(name in line["validation"] for _, log in logs for line in log)]
    rows = [
        Row(Cell(name), (Cell(str(log[-1]["epoch"])), Cell(duration(float(log[-1]["seconds"]))))) for name, log in logs
    ]
    table = TaggerTable((Cell("run"), Cell("epochs"), Cell("training time")), tuple(rows))
    caption = "Numbers that the task watches, on the validation rows. A line a training."
    drawn = [Picture("training", "training", "Epoch by epoch", caption, watched_panels(logs, common))] if common else []
    return Section("Training", [("", table)], drawn)


def _origins(judged: Sequence[Judged]) -> Section:
    facts = [
        f"{one.name}: task {one.task}, {one.parameters:,} parameters; data {one.dataset.get('name', '')}, SHA-256 "
        f"{one.dataset.get('sha256', '')}; weights {one.results[0].provenance.get('weights_sha256', '')}. {one.paper}"
        for one in judged
    ]
    return Section("Make it again", text=facts, code=[(one.name, one.command) for one in judged if one.command])
