"""``jetkit reproduce NAME``: a published number, checked."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from jetkit.cli.console import options_table, plain, recipes_table, step_bar
from jetkit.cli.grammar import Words, refuse_option, verb
from jetkit.config import parse


def _tables() -> list[Table]:
    from jetkit.studies.reproduce import ReproduceOptions

    return [options_table(ReproduceOptions), recipes_table("cards")]


@verb("reproduce", _tables)
def reproduce_(
    name: Annotated[str, typer.Argument(help="a card, or a .yaml file", metavar="NAME")], words: Words = None
) -> None:
    """Train as published and say whether the number is on track."""
    refuse_option(name, "reproduce", "NAME")
    from jetkit.studies.reproduce import ReproduceOptions, reproduce

    options = parse(ReproduceOptions, words or [], f"jetkit reproduce {name}")
    with step_bar() as report:
        result = reproduce(name, options, report)
    title = f"{result.card.description}: {result.epochs} of {result.card.epochs} epochs"
    table = Table(
        "quantity", "published", "found", "verdict", title=plain(title), title_justify="left", box=SIMPLE_HEAD
    )
    for line in result.lines:
        table.add_row(line.quantity, f"{line.published:g}", str(line.found), line.verdict)
    Console().print(table)
    typer.echo(f"source: {result.card.source}\nopen {result.page} in a browser")
