"""``jetkit report RUN…``: runs compared on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from jetkit.cli.console import options_table, step_bar
from jetkit.cli.grammar import runs_and_options, verb
from jetkit.config import parse
from jetkit.errors import JetkitError

if TYPE_CHECKING:
    from jetkit.verbs.report import ReportOptions


def _options() -> type[Any]:
    from jetkit.verbs.report import ReportOptions

    return ReportOptions


def _tables() -> list[Table]:
    return [options_table(_options())]


@verb("report", _tables)
def report_(
    words: Annotated[
        list[str] | None, typer.Argument(help="run folders, then options", metavar="RUN... [key=value]...")
    ] = None,
) -> None:
    """Compare runs on one self-contained page: taggers, evaluated where they are not yet, or pretrainings."""
    from jetkit.verbs.report import write_report

    runs, rest = runs_and_options(words)
    if not runs:
        raise JetkitError("jetkit report needs the run folders that jetkit train wrote; see jetkit report --help")
    options: ReportOptions = parse(_options(), rest, "jetkit report")
    with step_bar() as report:
        page = write_report(runs, options, report)
    typer.echo(f"open {page} in a browser")
