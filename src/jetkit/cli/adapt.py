"""``jetkit adapt MODEL``: a tagger from a pretrained backbone."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.table import Table

from jetkit.cli.console import options_table, step_bar
from jetkit.cli.grammar import Words, refuse_option, verb


def _tables() -> list[Table]:
    from jetkit.train.adapting import AdaptOptions

    return [options_table(AdaptOptions)]


@verb("adapt", _tables)
def adapt_(
    model: Annotated[str, typer.Argument(help="model file or run folder of a pretrained model", metavar="MODEL")],
    words: Words = None,
) -> None:
    """Make a tagger of a pretrained backbone, from few labels; goes on where it stopped."""
    refuse_option(model, "adapt", "MODEL")
    from jetkit.train.adapting import adapt_options
    from jetkit.train.run import train

    options = adapt_options(model, words or [])
    with step_bar() as report:
        train(options, report)
    if os.environ.get("RANK", "0") == "0":
        typer.echo(f"the model is in {options.folder}; judge it with: jetkit report {options.folder}")
