"""``jetkit embed MODEL``: vectors of jets as a Parquet file."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from jetkit.cli.console import options_table, step_bar
from jetkit.cli.grammar import Words, refuse_option, verb
from jetkit.config import parse


def _tables() -> list[Table]:
    from jetkit.verbs.embedding import EmbedOptions

    return [options_table(EmbedOptions)]


@verb("embed", _tables)
def embed_(
    model: Annotated[str, typer.Argument(help="model file or run folder", metavar="MODEL")], words: Words = None
) -> None:
    """Write what a model makes of jets, before it names their class, as a table for anything else."""
    refuse_option(model, "embed", "MODEL")
    from jetkit.verbs.embedding import EmbedOptions, embed_file

    options = parse(EmbedOptions, words or [], f"jetkit embed {model}")
    with step_bar() as report:
        out = embed_file(model, options, report)
    typer.echo(f"{out} has a column embedding, a list of numbers for each jet")
