"""``jetkit train MODEL``: train a tagger."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.table import Table

from jetkit.cli.console import options_table, recipes_table, step_bar, two_columns
from jetkit.cli.grammar import Words, refuse_option, verb


def _tables() -> list[Table]:
    import jetkit.models  # noqa: F401 - registers the models
    from jetkit.config import describe
    from jetkit.registry import entries, schema
    from jetkit.train.options import TrainOptions

    tables = [options_table(TrainOptions), recipes_table("runs")]
    for entry in entries():
        rows = ((f"model.{option.name}", f"{option.help} ({option.default})") for option in describe(schema(entry.cls)))
        tables.append(two_columns(f"{entry.name}: {entry.paper}", rows))
    return tables


@verb("train", _tables)
def train_(
    model: Annotated[str, typer.Argument(help="a model, a recipe of a run, or a .yaml file", metavar="MODEL")],
    words: Words = None,
) -> None:
    """Train a tagger on a dataset; goes on where it stopped."""
    refuse_option(model, "train", "MODEL")
    from jetkit.train.options import train_options
    from jetkit.train.run import train

    options = train_options(model, words or [])
    with step_bar() as report:
        train(options, report)
    if os.environ.get("RANK", "0") == "0":
        typer.echo(f"the model is in {options.folder}; judge it with: jetkit report {options.folder}")
