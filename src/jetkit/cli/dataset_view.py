"""A dataset on the terminal: its card, its classes, its checksums, and the pictures that are drawn of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from jetkit.cli.console import plain, progress_bar

if TYPE_CHECKING:
    from jetkit.data.card import Card
    from jetkit.reporting.class_table import Table as Numbers


def show_dataset(path: str, out: str = "") -> Sequence[Path]:
    """Print card and classes, write pictures and page; the files written, the page last.

    Raises:
        JetkitError: the path holds no dataset, or the folder cannot be written.
    """
    from jetkit.data.columns import P4_COLUMNS
    from jetkit.data.dataset import open_dataset
    from jetkit.reporting.column_contents import column_contents
    from jetkit.reporting.dataset_page import of_classes, write_page
    from jetkit.reporting.jet_sample import sample_jets
    from jetkit.reporting.picture_set import picture_set
    from jetkit.reporting.pictures import make_folder

    dataset = open_dataset(path)
    place = Path(path)
    folder = Path(out) if out else place / "show" if place.is_dir() else place.with_name(f"{place.stem}-show")
    make_folder(folder)
    _print_card(dataset.card)
    with Console(stderr=True).status("drawing"):
        if set(P4_COLUMNS) <= set(dataset.columns):
            jets = sample_jets(dataset)
            contents, figures = of_classes(dataset.card, jets), picture_set(jets)
        else:
            contents, figures = column_contents(dataset)
        _print_table(contents.table)
        return write_page(dataset.card, contents, figures, folder, path)


def verify_dataset(folder: Path) -> None:
    """Check all files; name each broken one and leave with exit code 1.

    Raises:
        JetkitError: the folder is not a dataset made by jetkit.
    """
    from jetkit.data.card import verify

    with progress_bar("bytes") as progress:
        problems = verify(folder, progress)
    for problem in problems:
        typer.echo(f"jetkit: {problem}", err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo("every file agrees with its checksum")


def _print_card(card: Card) -> None:
    from jetkit.reporting.dataset_page import command, facts

    console = Console(highlight=False, markup=False)
    shards = f"{len(card.shards)} shards" if card.shards else "no card"
    rows = f"jets, {len(card.classes)} classes" if card.classes else "rows"
    console.print(f"{card.name}: {card.rows:,} {rows}, {shards}")
    if not card.complete:
        console.print("not complete: run the command below again, it goes on where it stopped")
    for name, text in facts(card):
        console.print(f"  {name}: {text}")
    for title, lines in {"cuts": card.cuts, "known differences": card.differences, "cite": card.citation}.items():
        if lines:
            console.print(f"  {title}:")
        for line in lines:
            console.print(Padding(Text(line), (0, 0, 0, 4)))
    if command(card):
        console.print(f"  made by: {command(card)}", soft_wrap=True)


def _print_table(numbers: Numbers) -> None:
    table = Table(*numbers.header, box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for row in numbers.rows:
        table.add_row(*(plain(cell) for cell in row))
    Console().print(table)
