"""``jetkit import FILE``: a model file from a published checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import Field
from pydantic.dataclasses import dataclass

from jetkit.cli.console import options_table
from jetkit.cli.grammar import Words, refuse_option, verb
from jetkit.config import parse


@dataclass(frozen=True)
class ImportOptions:
    """What kind of file it is."""

    format: Annotated[
        Literal["weaver", "lorentznet"], Field(description="weaver: ParticleNet, ParT, PFN of weaver-core")
    ]
    out: Annotated[str, Field(description="model file to write; default: FILE with the ending .safetensors")] = ""
    classes: Annotated[
        tuple[str, ...],
        Field(description="names of the outputs in the file's order; default of ten: JetClass's; of two: top, QCD"),
    ] = ()
    order: Annotated[
        tuple[str, ...], Field(description="the same names in the order of your data, such as [QCD, top]")
    ] = ()
    features: Annotated[
        tuple[str, ...], Field(description="names of the inputs, where they are not kin, kinpid or full")
    ] = ()
    k: Annotated[int | None, Field(description="neighbours of ParticleNet, which the file does not tell", ge=1)] = None
    c: Annotated[float | None, Field(description="step of LorentzNet, which the file does not tell", gt=0)] = None


@verb("import", lambda: [options_table(ImportOptions)])
def import_(
    file: Annotated[str, typer.Argument(help="a PyTorch checkpoint; no code in it is run", metavar="FILE")],
    words: Words = None,
) -> None:
    """Turn a published PyTorch checkpoint into a model file."""
    refuse_option(file, "import", "FILE")
    options = parse(ImportOptions, words or [], "jetkit import")
    from jetkit.train.foreign import import_model
    from jetkit.train.model_file import save_model

    values = {name: getattr(options, name) for name in ("k", "c") if getattr(options, name) is not None}
    names = {"classes": options.classes, "order": options.order, "features": options.features}
    model, card = import_model(file, options.format, **names, values=values)
    out = Path(options.out) if options.out else Path(file).with_suffix(".safetensors")
    save_model(out, model, card)
    typer.echo(f"{card.model} is in {out}; look at it with: jetkit show {out}")
