"""``jetkit demo``: from nothing to a page of numbers."""

from __future__ import annotations

import typer
from rich.table import Table

from jetkit.cli.console import options_table, step_bar
from jetkit.cli.grammar import Words, verb
from jetkit.config import parse


def _tables() -> list[Table]:
    from jetkit.studies.demo import DemoOptions

    return [options_table(DemoOptions)]


@verb("demo", _tables)
def demo_(words: Words = None) -> None:
    """Simulate top and QCD jets, train three taggers, compare them on one page."""
    from jetkit.studies.demo import DemoOptions, demo

    options = parse(DemoOptions, words or [], "jetkit demo")
    with step_bar() as report:
        data, page = demo(options, report)
    typer.echo(
        f"open {page} in a browser: three taggers with errors\n"
        f"look at the jets:    jetkit show {data}\n"
        f"train another:       jetkit train lorentz-net data={data} epochs=3\n"
        f"more jets, classes:  jetkit simulate jetclass jets=20000; jetkit list shows all recipes and models"
    )
