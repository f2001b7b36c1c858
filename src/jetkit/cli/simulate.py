"""``jetkit simulate RECIPE``: make a dataset."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from jetkit.cli.console import options_table, progress_bar, recipes_table
from jetkit.cli.grammar import Words, refuse_option, verb
from jetkit.config import parse


def _tables() -> list[Table]:
    from jetkit.simulation.options import Options

    return [options_table(Options), recipes_table("datasets")]


@verb("simulate", _tables)
def simulate_(
    recipe: Annotated[str, typer.Argument(help="name of a recipe, or a .yaml file", metavar="RECIPE")],
    words: Words = None,
) -> None:
    """Make a dataset of jets: generator, detector, jets, labels."""
    from jetkit.simulation.options import Options

    refuse_option(recipe, "simulate", "RECIPE")
    options = parse(Options, words or [], f"jetkit simulate {recipe}")
    from jetkit.simulation import simulate

    with progress_bar("jets") as progress:
        folder = simulate(recipe, options, progress)
    typer.echo(f"the jets are in {folder}; look at them with: jetkit show {folder}")
