"""``jetkit transfer MODEL... RECIPE``: what pretraining brings, against the number of labels."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from jetkit.cli.console import options_table, recipes_table, step_bar
from jetkit.cli.grammar import runs_and_options, verb
from jetkit.errors import JetkitError


def _tables() -> list[Table]:
    from jetkit.studies.transfer import TransferOptions

    return [options_table(TransferOptions), recipes_table("datasets")]


@verb("transfer", _tables)
def transfer_(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="pretrained models or run folders, a recipe of a dataset, then options",
            metavar="MODEL... RECIPE [key=value]...",
        ),
    ] = None,
) -> None:
    """Adapt pretrained models to growing numbers of labels, beside training from scratch; goes on where it stopped."""
    from jetkit.studies.transfer import transfer, transfer_options

    names, rest = runs_and_options(words)
    if len(names) < 2:
        raise JetkitError(
            "a transfer needs a pretrained model and a recipe of a dataset: jetkit transfer runs/p-jepa jetclass"
        )
    options = transfer_options(rest)
    with step_bar() as report:
        page = transfer(names[:-1], names[-1], options, report)
    typer.echo(f"open {page} in a browser")
