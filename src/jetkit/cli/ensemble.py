"""``jetkit ensemble RUN RUN…``: trained models combined into one."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from jetkit.cli.console import options_table, step_bar
from jetkit.cli.grammar import runs_and_options, verb
from jetkit.config import parse


def _tables() -> list[Table]:
    from jetkit.studies.ensemble import EnsembleOptions

    return [options_table(EnsembleOptions)]


@verb("ensemble", _tables)
def ensemble_(
    words: Annotated[
        list[str] | None, typer.Argument(help="run folders, then options", metavar="RUN RUN... [key=value]...")
    ] = None,
) -> None:
    """Combine trained models into one: mean, median, or a stack trained on the validation jets."""
    from jetkit.studies.ensemble import EnsembleOptions, ensemble

    runs, rest = runs_and_options(words)
    options = parse(EnsembleOptions, rest, "jetkit ensemble")
    with step_bar() as report:
        out = ensemble(runs, options, report)
    typer.echo(f"the model is in {out}; judge it with: jetkit report {out}")
