"""``jetkit leaderboard RECIPE``: many taggers under one budget, on one page."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from jetkit.cli.console import options_table, recipes_table, step_bar
from jetkit.cli.grammar import Words, refuse_option, verb


def _tables() -> list[Table]:
    from jetkit.studies.leaderboard import LeaderboardOptions

    return [options_table(LeaderboardOptions), recipes_table("datasets")]


@verb("leaderboard", _tables)
def leaderboard_(
    recipe: Annotated[str, typer.Argument(help="recipe of a dataset, or a .yaml file", metavar="RECIPE")],
    words: Words = None,
) -> None:
    """Train taggers under one budget on the same jets and rank them; goes on where it stopped."""
    refuse_option(recipe, "leaderboard", "RECIPE")
    from jetkit.studies.leaderboard import leaderboard, leaderboard_options

    options = leaderboard_options(words or [], "jetkit leaderboard")
    with step_bar() as report:
        page = leaderboard(recipe, options, report)
    typer.echo(f"open {page} in a browser")
