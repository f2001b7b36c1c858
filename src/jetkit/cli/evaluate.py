"""``jetkit evaluate RUN``: numbers with errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from jetkit.cli.console import options_table, plain, step_bar
from jetkit.cli.grammar import Words, refuse_option, verb
from jetkit.config import parse

if TYPE_CHECKING:
    from pathlib import Path

    from jetkit.evaluation.result import Result


def _tables() -> list[Table]:
    from jetkit.verbs.evaluation import EvaluateOptions

    return [options_table(EvaluateOptions)]


@verb("evaluate", _tables)
def evaluate_(
    run: Annotated[str, typer.Argument(help="folder that jetkit train wrote, or a model file", metavar="RUN")],
    words: Words = None,
) -> None:
    """Score jets that a model has not seen, and print numbers with their errors."""
    refuse_option(run, "evaluate", "RUN")
    from jetkit.evaluation.classification import CLASSIFICATION
    from jetkit.store.run_folder import run_folders
    from jetkit.verbs.evaluation import RESULT, EvaluateOptions, evaluate_run

    options = parse(EvaluateOptions, words or [], "jetkit evaluate")
    folders = run_folders(run)
    with step_bar() as report:
        found = [evaluate_run(folder, options, report) for folder in folders]
    for one in found:
        Console().print(result_table(one.run, one.result))
        typer.echo(f"all of it is in {one.out / RESULT}")
    if found[0].result.kind == CLASSIFICATION:
        typer.echo(f"next: jetkit report {run}")


def result_table(run: Path, result: Result) -> Table:
    """Return the numbers of a result."""
    rows = max((number.jets for number in result.numbers.values()), default=0)
    table = Table("quantity", "value", box=SIMPLE_HEAD, title=plain(f"{run}: {rows:,} rows"), title_justify="left")
    for name, number in result.numbers.items():
        table.add_row(plain(name), str(number))
    return table
