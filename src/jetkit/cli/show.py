"""``jetkit show PATH``: what a file or folder holds, and what a model costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import Field
from pydantic.dataclasses import dataclass

from jetkit.cli.console import options_table
from jetkit.cli.dataset_view import show_dataset, verify_dataset
from jetkit.cli.grammar import Words, refuse_option, verb
from jetkit.cli.model_view import show_cost, show_model
from jetkit.config import parse
from jetkit.errors import JetkitError
from jetkit.verbs.cost_options import CostOptions


@dataclass(frozen=True)
class ViewOptions:
    """What to do with what is shown."""

    verify: Annotated[bool, Field(description="compare every file of a dataset with the checksum in the card")] = False
    out: Annotated[
        str,
        Field(description="folder to write; default: DIR/show, or FILE-show beside a file, FILE-cost for a cost"),
    ] = ""
    cost: Annotated[
        bool, Field(description="measure time, memory and operations of a model against multiplicity and batch")
    ] = False


@dataclass(frozen=True)
class ShowOptions(CostOptions, ViewOptions):
    """What to do with what is shown, and how a cost is measured."""

    @property
    def measurement(self) -> CostOptions:
        """Those of the cost alone."""
        return CostOptions(**{name: getattr(self, name) for name in CostOptions.__dataclass_fields__})


@verb("show", lambda: [options_table(ShowOptions)])
def show(
    path: Annotated[
        str, typer.Argument(help="folder of a dataset, Parquet files, or a model file", metavar="DIR|FILE")
    ],
    words: Words = None,
) -> None:
    """Print what a model file says; or a dataset's card and classes, and write its pictures and one page.

    With cost=true also measure what a jet costs the model, and write one page of it.
    """
    refuse_option(path, "show", "DIR")
    options = parse(ShowOptions, words or [], "jetkit show")
    if path.endswith(".safetensors"):
        show_model(path)
        if options.cost:
            typer.echo(str(show_cost(path, options.measurement, options.out)))
        return
    if options.cost:
        raise JetkitError(f"cost=true measures models, {path} is none: give the .safetensors file of a model")
    if options.verify:
        verify_dataset(Path(path))
    for file in show_dataset(path, options.out):
        typer.echo(str(file))
