"""``jetkit train MODEL``: train a model for a task."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.table import Table

from jetkit.cli.console import options_table, recipes_table, step_bar, two_columns
from jetkit.cli.grammar import Words, refuse_option, remembered, verb


def _tables() -> list[Table]:
    import jetkit.models
    import jetkit.tasks.registered  # noqa: F401 - registers models and tasks
    from jetkit.config import describe
    from jetkit.models.model import MODELS
    from jetkit.registry import entries, schema
    from jetkit.store.options import FlatOptions
    from jetkit.tasks.task import TASK

    tables = [options_table(FlatOptions), recipes_table("runs")]
    for entry in entries(TASK):
        rows = ((f"task.{option.name}", f"{option.help} ({option.default})") for option in describe(schema(entry.cls)))
        tables.append(two_columns(f"task {entry.name}: {entry.summary}", rows))
    for entry in entries(MODELS):
        rows = ((f"model.{option.name}", f"{option.help} ({option.default})") for option in describe(schema(entry.cls)))
        tables.append(two_columns(f"{entry.name}: {entry.paper}", rows))
    return tables


@verb("train", _tables)
def train_(
    model: Annotated[
        str, typer.Argument(help="a model, a recipe of a run, file.py:Class, or a .yaml file", metavar="MODEL")
    ],
    words: Words = None,
) -> None:
    """Train a model for a task (classify, unless told otherwise) on a dataset; goes on where it stopped.

    jetkit train pfn data=data/top epochs=5

    jetkit train part data=data/top task=regress task.targets=[jet_mass]

    jetkit train my_net.py:MyNet data=data/top

    jetkit train start=runs/mpm data=data/top train_jets=1000
    """
    if model.startswith(("task=", "start=")):
        model, words = "", [model, *(words or [])]
    refuse_option(model, "train", "MODEL")
    from jetkit.training.recipes import train_options
    from jetkit.training.run import train

    options = train_options(model, words or [], **remembered())
    with step_bar() as report:
        train(options, report)
    if os.environ.get("RANK", "0") == "0":
        typer.echo(
            f"the model is in {options.folder}; judge it with: jetkit {_next(options.task.name)} {options.folder}"
        )


def _next(task: str) -> str:
    """The verb that judges what was trained."""
    from jetkit.registry import entry
    from jetkit.tasks.task import TASK

    return "report" if entry(task, TASK).cls.result in ("classification", "pretraining") else "evaluate"
