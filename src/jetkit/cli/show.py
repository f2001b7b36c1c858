"""``jetkit show PATH``: what a file or folder holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import Field
from pydantic.dataclasses import dataclass

from jetkit.cli.console import options_table
from jetkit.cli.dataset_view import show_dataset, verify_dataset
from jetkit.cli.grammar import Words, refuse_option, verb
from jetkit.cli.model_view import show_model
from jetkit.config import parse


@dataclass(frozen=True)
class ShowOptions:
    """What to do with a dataset that is shown."""

    verify: Annotated[bool, Field(description="compare every file with the checksum in the card")] = False
    out: Annotated[str, Field(description="folder to write; default: DIR/show, or FILE-show beside a file")] = ""


@verb("show", lambda: [options_table(ShowOptions)])
def show(
    path: Annotated[
        str, typer.Argument(help="folder of a dataset, Parquet files, or a model file", metavar="DIR|FILE")
    ],
    words: Words = None,
) -> None:
    """Print what a model file says; or a dataset's card and classes, and write its pictures and one page."""
    refuse_option(path, "show", "DIR")
    options = parse(ShowOptions, words or [], "jetkit show")
    if path.endswith(".safetensors"):
        show_model(path)
        return
    if options.verify:
        verify_dataset(Path(path))
    for file in show_dataset(path, options.out):
        typer.echo(str(file))
