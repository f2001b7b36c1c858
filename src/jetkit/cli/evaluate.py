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

    from jetkit.evaluate.result import Result
    from jetkit.verbs.evaluation import RunResult


def _tables() -> list[Table]:
    from jetkit.verbs.evaluation import EvaluateOptions

    return [options_table(EvaluateOptions)]


@verb("evaluate", _tables)
def evaluate_(
    run: Annotated[str, typer.Argument(help="folder that jetkit train wrote", metavar="RUN")],
    words: Words = None,
) -> None:
    """Score jets that a model has not seen, and print numbers with their errors."""
    refuse_option(run, "evaluate", "RUN")
    from jetkit.store.run_folder import run_folders
    from jetkit.verbs.evaluation import EvaluateOptions, evaluate_run, judge_run, result_kind

    options = parse(EvaluateOptions, words or [], "jetkit evaluate")
    folders = run_folders(run)
    with step_bar() as report:
        tables = [
            numbers_table(evaluate_run(folder, options, report))
            if result_kind(folder) == "classification"
            else result_table(folder, judge_run(folder, options, report))
            for folder in folders
        ]
    for table in tables:
        Console().print(table)
    if result_kind(folders[0]) == "classification":
        typer.echo(f"next: jetkit report {run}")


def result_table(folder: Path, result: Result) -> Table:
    """Return the numbers of a result."""
    rows = max((number.jets for number in result.numbers.values()), default=0)
    table = Table("quantity", "value", box=SIMPLE_HEAD, title=plain(f"{folder}: {rows:,} rows"), title_justify="left")
    for name, number in result.numbers.items():
        table.add_row(plain(name), str(number))
    return table


def numbers_table(result: RunResult) -> Table:
    """Accuracy, AUC and rejections of one run."""
    evaluation = result.evaluation
    counts = ", ".join(f"{jets:,} {name}" for name, jets in zip(evaluation.classes, evaluation.jets, strict=True))
    table = Table("quantity", "value", box=SIMPLE_HEAD, title=plain(f"{result.folder}: {counts}"), title_justify="left")
    table.add_row("accuracy", str(evaluation.accuracy))
    table.add_row("AUC", str(evaluation.auc))
    for one in evaluation.rejections:
        table.add_row(plain(f"1/ε_B at ε_S = {one.efficiency:g}, {one.comparison}"), str(one.value))
    if evaluation.temperature is not None:
        table.add_row("temperature", str(evaluation.temperature))
    return table
