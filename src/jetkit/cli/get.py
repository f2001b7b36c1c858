"""``jetkit get NAME``: fetch a public dataset."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import Field
from pydantic.dataclasses import dataclass
from rich.console import Console
from rich.table import Table

from jetkit.cli.console import options_table, plain
from jetkit.cli.grammar import Words, refuse_option, verb
from jetkit.config import names, parse
from jetkit.errors import JetkitError

if TYPE_CHECKING:
    from jetkit.data.fetch import Progress
    from jetkit.data.public import PublicDataset


MANY = 100
"""Files from which on nobody can want all without saying so."""


@dataclass(frozen=True)
class GetOptions:
    """Options of a download: where to, and which files."""

    out: Annotated[str, Field(description="folder to write; default: downloads/NAME")] = ""
    files: Annotated[str, Field(description="which files, as in a shell: train*.h5; default: all, if not many")] = ""


def _sets() -> Table:
    """The public datasets with size and licence."""
    from jetkit.data.public import public_dataset

    table = Table(title="Public datasets", title_justify="left")
    for title in ("name", "files", "size", "licence", "what it is"):
        table.add_column(title, no_wrap=title != "what it is")
    for name in names("public"):
        dataset = public_dataset(name)
        count = str(len(dataset.all_files))
        cells = (name, count, _size(dataset), dataset.licence or "see homepage", dataset.description)
        table.add_row(*(plain(cell) for cell in cells))
    return table


def _tables() -> list[Table]:
    return [options_table(GetOptions), _sets()]


@verb("get", _tables)
def get_(
    name: Annotated[
        str | None,
        typer.Argument(help="a name of the list below, or a .yaml file; without it: the list", metavar="NAME"),
    ] = None,
    words: Words = None,
) -> None:
    """Fetch a public dataset; goes on where it stopped, and checks every byte."""
    if name is None:
        Console().print(_sets())
        return
    refuse_option(name, "get", "NAME")
    options = parse(GetOptions, words or [], f"jetkit get {name}")
    from jetkit.data.fetch import fetch
    from jetkit.data.public import public_dataset

    dataset = public_dataset(name)
    if not options.files and len(dataset.all_files) > MANY:
        first = dataset.all_files[0].name
        raise JetkitError(
            f"{dataset.name} has {len(dataset.all_files):,} files: name some, as in files={first}, or files='*'"
        )
    folder = Path(options.out or f"downloads/{dataset.name}")
    with _byte_bar() as progress:
        paths = fetch(dataset, folder, options.files or "*", progress, typer.echo)
    typer.echo("\n".join(_how_to_go_on(dataset, folder, paths)))


def _how_to_go_on(dataset: PublicDataset, folder: Path, paths: list[Path]) -> list[str]:
    """Where the files are, and the next command."""
    place, archives = shlex.quote(str(folder)), any(path.suffix == ".tar" for path in paths)
    unpack = [f"unpack them with: for file in {place}/*.tar; do tar -xf $file -C {place}; done"] if archives else []
    command = f"jetkit convert {dataset.reader} {place} out=data/{dataset.name}"
    return [f"the files are in {folder}", *unpack, f"make a dataset of them with: {command}"]


def _size(dataset: PublicDataset) -> str:
    """Bytes in all, as far as they are known."""
    from rich.filesize import decimal

    sizes = [file.bytes for file in dataset.all_files]
    known = [size for size in sizes if size is not None]
    if not known:
        return "unknown"
    return decimal(sum(known)) if len(known) == len(sizes) else f"above {decimal(sum(known))}"


@contextmanager
def _byte_bar() -> Iterator[Progress]:
    """A bar in bytes with rate and time left on a terminal, nothing elsewhere."""
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bar(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal) as bar:

        def report(what: str, done: int, total: int | None) -> None:
            now = bar.tasks[-1] if bar.tasks else None
            if now is None or now.description != what:
                for task in bar.task_ids:
                    bar.remove_task(task)
                bar.add_task(what, total=total, completed=done)
            else:
                bar.update(now.id, total=total, completed=done)

        yield report
