"""``jetkit examine MODEL``: which changes of a jet a model notices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from jetkit.cli.console import options_table, plain
from jetkit.cli.grammar import Words, refuse_option, verb
from jetkit.config import parse

if TYPE_CHECKING:
    from jetkit.verbs.examination import Finding


def _tables() -> list[Table]:
    from jetkit.verbs.examination import ExamineOptions

    return [options_table(ExamineOptions)]


@verb("examine", _tables)
def examine_(
    model: Annotated[str, typer.Argument(help="a model file or a run folder", metavar="MODEL")],
    words: Words = None,
) -> None:
    """Change jets in ways that should not matter, and show which a model notices; fails if it claims not to."""
    refuse_option(model, "examine", "MODEL")
    from jetkit.verbs.examination import ExamineOptions, examine_file

    options = parse(ExamineOptions, words or [], "jetkit examine")
    card, findings = examine_file(model, options)
    Console().print(_table(f"{card.model}, {options.jets} jets, float64", findings))
    wrong = [finding.change for finding in findings if finding.claimed and not finding.passed]
    if wrong:
        typer.echo(f"{card.model} claims not to notice {', '.join(wrong)}, but does", err=True)
        raise typer.Exit(1)


def _table(title: str, findings: list[Finding]) -> Table:
    table = Table("change of the jets", "largest change of a logit", "", "claimed", box=SIMPLE_HEAD, title=plain(title))
    for finding in findings:
        verdict = "pass" if finding.passed else "fail"
        table.add_row(finding.change, f"{finding.size:.1e}", verdict, "yes" if finding.claimed else "no")
    return table
