"""``jetkit predict RUN``: predictions with event numbers as a Parquet or ROOT file."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from jetkit.cli.console import options_table, step_bar
from jetkit.cli.grammar import Words, refuse_option, verb
from jetkit.config import parse


def _tables() -> list[Table]:
    from jetkit.verbs.prediction import PredictOptions

    return [options_table(PredictOptions)]


@verb("predict", _tables)
def predict_(
    run: Annotated[str, typer.Argument(help="run folder, or a model file", metavar="RUN")], words: Words = None
) -> None:
    """Write the predictions of a model for each jet, with event numbers and columns of the data.

    jetkit predict runs/pfn out=scores.root columns=[jet_pt,jet_sdmass]
    """
    refuse_option(run, "predict", "RUN")
    from jetkit.verbs.prediction import PredictOptions, predict_file

    options = parse(PredictOptions, words or [], f"jetkit predict {run}")
    with step_bar() as report:
        out = predict_file(run, options, report)
    typer.echo(f"the predictions are in {out}")
