"""``jetkit adapt MODEL``: a tagger from a pretrained backbone."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.table import Table

from jetkit.cli.console import options_table, step_bar
from jetkit.cli.grammar import Words, refuse_option, remembered, verb


def _tables() -> list[Table]:
    from jetkit.store.options import FlatOptions

    return [options_table(FlatOptions)]


@verb("adapt", _tables)
def adapt_(
    model: Annotated[str, typer.Argument(help="model file or run folder of a pretrained model", metavar="MODEL")],
    words: Words = None,
) -> None:
    """Train a pretrained backbone for a task, from few labels (short for train start=MODEL); resumes if stopped."""
    refuse_option(model, "adapt", "MODEL")
    from jetkit.training.recipes import train_options
    from jetkit.training.run import train

    options = train_options(words=words or [], start=model, **remembered())
    with step_bar() as report:
        train(options, report)
    if os.environ.get("RANK", "0") == "0":
        typer.echo(f"the model is in {options.folder}; judge it with: jetkit report {options.folder}")
