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
        Literal["weaver", "lorentznet", "lundnet", "pelican", "treenin"],
        Field(description="weaver: ParticleNet, ParticleNeXt, ParT, PFN of weaver-core; the others: of these authors"),
    ]
    out: Annotated[str, Field(description="model file to write; default: FILE with the ending .safetensors")] = ""
    classes: Annotated[
        tuple[str, ...],
        Field(
            description="names of the outputs in the file's order; default of ten: JetClass's; of two: top, QCD for "
            "weaver, QCD, top for lorentznet, pelican and treenin"
        ),
    ] = ()
    order: Annotated[
        tuple[str, ...], Field(description="the same names in the order of your data, such as [QCD, top]")
    ] = ()
    features: Annotated[
        tuple[str, ...], Field(description="names of the inputs, where they are not those of a feature set")
    ] = ()
    k: Annotated[int | None, Field(description="neighbours of ParticleNet, which the file does not tell", ge=1)] = None
    scales: Annotated[
        tuple[int, ...] | None, Field(description="sizes of the neighbourhoods of ParticleNeXt; default: 32, 16, 8, …")
    ] = None
    c: Annotated[float | None, Field(description="step of LorentzNet, which the file does not tell", gt=0)] = None
    kt_min: Annotated[
        float | None, Field(description="least kT in GeV of a splitting of LundNet; default: 0", ge=0)
    ] = None
    mean_multiplicity: Annotated[float | None, Field(description="nobj_avg of PELICAN; default: 49", gt=0)] = None
    centre: Annotated[
        tuple[float, ...], Field(description="medians of the 7 features of TreeNiN, which its authors keep elsewhere")
    ] = ()
    scale: Annotated[tuple[float, ...], Field(description="interquartile ranges of the 7 features of TreeNiN")] = ()


UNTOLD = ("k", "scales", "c", "kt_min", "mean_multiplicity")
"""Hyperparameters that a file does not tell."""
GIVEN = ("classes", "order", "features", "centre", "scale")
"""What it may lack besides."""


@verb("import", lambda: [options_table(ImportOptions)])
def import_(
    file: Annotated[str, typer.Argument(help="a PyTorch checkpoint; no code in it is run", metavar="FILE")],
    words: Words = None,
) -> None:
    """Turn a published PyTorch checkpoint into a model file."""
    refuse_option(file, "import", "FILE")
    options = parse(ImportOptions, words or [], "jetkit import")
    from jetkit.interchange.foreign import import_model
    from jetkit.store.model_file import save_model

    values = {name: getattr(options, name) for name in UNTOLD if getattr(options, name) is not None}
    given = {name: getattr(options, name) for name in GIVEN}
    model, card = import_model(file, options.format, **given, values=values)
    out = Path(options.out) if options.out else Path(file).with_suffix(".safetensors")
    save_model(out, model, card)
    typer.echo(f"{card.model} is in {out}; look at it with: jetkit show {out}")
