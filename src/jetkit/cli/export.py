"""``jetkit export RUN``: a tagger as an ONNX graph."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import Field
from pydantic.dataclasses import dataclass
from rich.console import Console

from jetkit.cli.console import options_table
from jetkit.cli.grammar import Words, refuse_option, verb
from jetkit.config import parse


@dataclass(frozen=True)
class ExportOptions:
    """Where the graph is written."""

    out: Annotated[str, Field(description="file to write; default: that of the model with the ending .onnx")] = ""


@verb("export", lambda: [options_table(ExportOptions)])
def export_(
    model: Annotated[str, typer.Argument(help="model file or run folder", metavar="MODEL")], words: Words = None
) -> None:
    """Write a tagger, or another trained task, as an ONNX graph: for programs without Python, and for single jets."""
    refuse_option(model, "export", "MODEL")
    options = parse(ExportOptions, words or [], "jetkit export")
    from jetkit.interchange.onnx import export
    from jetkit.store.model_file import model_path, read_card

    with Console(stderr=True).status("exporting, and comparing with the model"):
        out = export(model, Path(options.out) if options.out else model_path(model).with_suffix(".onnx"))
    if read_card(model_path(model)).task == "classify":
        typer.echo(f"{out} gives the probabilities of the classes from features and momenta; its metadata name them")
    else:
        typer.echo(f"{out} gives the answers of the model; its metadata name inputs and units")
