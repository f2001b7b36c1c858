"""``jetkit map DIR``: copy a dataset into files that are read faster."""

from __future__ import annotations

from typing import Annotated

import typer
from pydantic import Field
from pydantic.dataclasses import dataclass

from jetkit.cli.console import options_table, progress_bar
from jetkit.cli.grammar import Words, refuse_option, verb
from jetkit.config import parse


@dataclass(frozen=True)
class MapOptions:
    """Where the copy is written."""

    out: Annotated[str, Field(description="folder to write; default: DIR-mapped")] = ""


@verb("map", lambda: [options_table(MapOptions)])
def map_(
    path: Annotated[str, typer.Argument(help="folder of a dataset, or Parquet files", metavar="DIR")],
    words: Words = None,
) -> None:
    """Copy a dataset into files that are mapped into memory: read in half the time, a fifth larger, the same jets."""
    refuse_option(path, "map", "DIR")
    options = parse(MapOptions, words or [], "jetkit map")
    from jetkit.data.mapping import map_dataset

    with progress_bar("jets") as progress:
        folder = map_dataset(path, options.out or f"{path.rstrip('/')}-mapped", progress)
    typer.echo(f"the same jets in the same order are in {folder}: give it wherever {path} was given")
