"""``jetkit pretrain METHOD``: train a backbone without labels."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.table import Table

from jetkit.cli.console import options_table, recipes_table, step_bar, two_columns
from jetkit.cli.grammar import Words, refuse_option, remembered, verb


def _tables() -> list[Table]:
    import jetkit.tasks.registered  # noqa: F401 - registers the tasks
    from jetkit.config import describe
    from jetkit.registry import entries, schema
    from jetkit.store.options import FlatOptions
    from jetkit.tasks.task import TASK

    tables = [options_table(FlatOptions), recipes_table("pretraining")]
    for entry in (one for one in entries(TASK) if one.cls.result == "pretraining"):
        rows = (
            (f"method.{option.name}", f"{option.help} ({option.default})") for option in describe(schema(entry.cls))
        )
        tables.append(two_columns(f"{entry.name}: {entry.paper}", rows))
    return tables


@verb("pretrain", _tables)
def pretrain_(
    method: Annotated[str, typer.Argument(help="a method, a recipe of one, or a .yaml file", metavar="METHOD")],
    words: Words = None,
) -> None:
    """Train a backbone on jets without their labels (short for train task=METHOD); goes on where it stopped."""
    refuse_option(method, "pretrain", "METHOD")
    from jetkit.training.recipes import train_options
    from jetkit.training.run import train

    options = train_options(words=words or [], task=method, **remembered())
    with step_bar() as report:
        train(options, report)
    if os.environ.get("RANK", "0") == "0":
        typer.echo(f"the backbone is in {options.folder}/model.safetensors")
