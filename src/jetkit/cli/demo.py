"""``jetkit demo``: simulate a small dataset and show it."""

from __future__ import annotations

import typer
from rich.table import Table

from jetkit.cli.console import options_table, progress_bar
from jetkit.cli.dataset_view import show_dataset
from jetkit.cli.grammar import Words, verb
from jetkit.config import parse

PRESET = ("jets=2000", "out=demo")


def _tables() -> list[Table]:
    from jetkit.simulate.options import Options

    return [options_table(Options)]


@verb("demo", _tables)
def demo(words: Words = None) -> None:
    """Simulate top and QCD jets on this machine, and show them."""
    from jetkit.simulate.options import Options

    given = {word.partition("=")[0] for word in words or []}
    preset = [word for word in PRESET if word.partition("=")[0] not in given]
    options = parse(Options, [*(words or []), *preset], "jetkit demo")
    from jetkit.simulate import simulate

    with progress_bar("jets") as progress:
        folder = simulate("top-landscape", options, progress)
    *_, page = show_dataset(str(folder))
    typer.echo(f"open {page} in a browser\nnext: jetkit list, then jetkit simulate RECIPE jets=20000 out=data/RECIPE")
