"""``jetkit generate RUN``: jets from a model that has learned their distribution."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from jetkit.cli.console import options_table, step_bar
from jetkit.cli.grammar import Words, refuse_option, verb
from jetkit.config import parse

NAMES = {
    "w1_mass": "W1 of mass/pT (W1M)",
    "w1_pt": "W1 of particle pT/pT_jet",
    "w1_eta": "W1 of particle Δη",
    "w1_phi": "W1 of particle Δφ",
    "w1_particles": "mean of the three (W1P)",
    "w1_efp": "W1 of energy flow polynomials (W1EFP)",
    "fpd": "Fréchet physics distance (FPD)",
    "kpd": "kernel physics distance (KPD)",
    "classifier_auc": "AUC of trees that tell them apart",
}


def _tables() -> list[Table]:
    from jetkit.verbs.generation import GenerateOptions

    return [options_table(GenerateOptions)]


@verb("generate", _tables)
def generate_(
    run: Annotated[str, typer.Argument(help="run folder of a model such as jet-gpt", metavar="RUN")],
    words: Words = None,
) -> None:
    """Draw jets from a model, write them as a dataset, and say how far they are from real ones."""
    refuse_option(run, "generate", "RUN")
    from jetkit.verbs.generation import GenerateOptions, generate

    options = parse(GenerateOptions, words or [], f"jetkit generate {run}")
    with step_bar() as report:
        made = generate(run, options, report)
    if made.distances:
        table = Table("distance from real jets", "generated", "other real jets", caption=f"{made.jets:,} jets each")
        for name, one in made.distances.items():
            table.add_row(NAMES[name], str(one.generated), str(one.real))
        Console().print(table)
    typer.echo(f"the jets are in {made.folder}; look at them with: jetkit show {made.folder}")
