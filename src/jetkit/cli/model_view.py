"""A model file on the terminal: its header, and what a jet costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from jetkit.cli.console import step_bar

if TYPE_CHECKING:
    from jetkit.reporting.tagger_tables import TaggerTable
    from jetkit.verbs.cost_options import CostOptions


def show_model(path: str) -> None:
    """Print what a model file says of itself.

    Raises:
        JetkitError: it is no model file, or a damaged one.
    """
    from jetkit.data.batch import LABEL, PARTICLES
    from jetkit.models.model import MODELS
    from jetkit.registry import entry
    from jetkit.store.model_file import read_model

    model, card = read_model(path)
    spec = card.spec_of
    console = Console(highlight=False, markup=False)
    classes = f", {len(spec.classes)} classes" if spec.classes else ""
    console.print(f"{card.model}: {model.size:,} parameters{classes}")
    paper = entry(card.model, MODELS).paper
    if paper:
        console.print(f"  paper: {paper}")
    if card.task:
        console.print(f"  task: {card.task}")
    sections: dict[str, dict[Any, Any]] = {
        "hyperparameters": card.hyperparameters,
        "options of the task": card.task_options,
        "preprocessing": card.preprocessing,
        "data": card.data,
        "metrics": {name: _number(value) for name, value in card.metrics.items()},
        "training": card.training,
        "parents": dict(enumerate(card.parents, start=1)),
        "plug-ins": {one["source"]: one["sha256"] for one in card.plugins},
    }
    if spec.classes:
        console.print(f"  classes: {', '.join(spec.classes)}")
    for name, one in spec.sets.items():
        console.print(f"  features of {name}:" if name != PARTICLES else "  features:")
        for feature in one.features:
            console.print(f"    {feature}: {spec.units.get(feature, '')}")
    if spec.row and not spec.sets:
        console.print("  features of the row:")
        for feature in spec.row:
            console.print(f"    {feature}: {spec.units.get(feature, '')}")
    for name, shape in spec.arrays.items():
        console.print(f"  array {name}: {' × '.join(map(str, shape))}")
    others = {name: one for name, one in spec.targets.items() if name != LABEL}
    for name, target in others.items():
        console.print(f"  target {name}: {target.kind}{f' of {target.of}' if target.of else ''}")
    for title, content in sections.items():
        if content:
            console.print(f"  {title}:")
        for name, value in content.items():
            console.print(f"    {name}: {_text(value)}", soft_wrap=True)
    console.print(f"  written by jetkit {card.jetkit}, format {card.version}")


def show_cost(path: str, options: CostOptions, out: str = "") -> Path:
    """Measure and print what a jet costs a model, and write a page of it; gives the page.

    Raises:
        JetkitError: it is no model file, or a damaged one, or the folder cannot be written.
    """
    from jetkit.reporting.cost_page import cost_table, growth_table, summary, write_page
    from jetkit.reporting.model_cost import omissions
    from jetkit.reporting.pictures import make_folder
    from jetkit.verbs.cost import cost_of_file

    folder = Path(out) if out else Path(path).with_name(f"{Path(path).stem}-cost")
    with step_bar() as report:
        found = cost_of_file(path, options, report)
    make_folder(folder)
    console = Console(highlight=False, markup=False)
    console.print(summary(found), soft_wrap=True)
    console.print(f"Of a jet, on {found.machine}:")
    for table in (cost_table(found.costs), growth_table(found.costs)):
        if table is not None:
            _print_table(table)
    for sentence in omissions(found.costs):
        console.print(sentence, soft_wrap=True)
    return write_page(found, folder)


def _print_table(table: TaggerTable) -> None:
    printed = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for number, cell in enumerate(table.header):
        printed.add_column(cell.text, justify="right" if number else "left")
    for row in table.rows:
        printed.add_row(*(cell.text for cell in (row.head, *row.cells)))
    Console().print(printed)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={_text(part)}" for name, part in value.items())
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _number(value: Any) -> Any:
    from jetkit.evaluation.number import Number

    return str(Number.from_dict(value)) if isinstance(value, dict) and "error" in value else value
