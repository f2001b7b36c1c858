"""``jetkit scaling RECIPE``: how the loss of a tagger falls with its size and its training jets."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from jetkit.cli.console import options_table, recipes_table, step_bar
from jetkit.cli.grammar import Words, refuse_option, verb


def _tables() -> list[Table]:
    from jetkit.studies.scaling import ScalingOptions

    return [options_table(ScalingOptions), recipes_table("runs")]


@verb("scaling", _tables)
def scaling_(
    recipe: Annotated[str, typer.Argument(help="recipe or name of a tagger, or a .yaml file", metavar="RECIPE")],
    words: Words = None,
) -> None:
    """Train a tagger in several widths on several numbers of jets and fit L = E + A/N^α + B/D^β to its test losses.

    jetkit scaling part data=data/top widths=16,32,64,128 sizes=1000,3000,10000 model.heads=4 train.epochs=5

    jetkit scaling pfn data=data/top hyperparameter=phi,f widths=16,32,64 sizes=1000,3000,10000

    N counts parameters, D different jets, and a compute is C = 6 N D epochs. The page has the law with errors and,
    where both exponents are above zero, the best N and D at a compute. The same command goes on where it stopped.
    """
    refuse_option(recipe, "scaling", "RECIPE")
    from jetkit.studies.scaling import scaling, scaling_options

    options = scaling_options(words or [], "jetkit scaling")
    with step_bar() as report:
        page = scaling(recipe, options, report)
    typer.echo(f"open {page} in a browser")
