"""The command line: ``jetkit VERB [NAME | FILE.yaml] [key=value ...]``; parse, call the library, print."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer
from pydantic import Field
from pydantic.dataclasses import dataclass
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand

from jetkit import __version__
from jetkit.config import describe, load, names, parse
from jetkit.errors import EXTRAS, JetkitError

if TYPE_CHECKING:
    from rich.progress import Task

    from jetkit.data.card import Card

P = ParamSpec("P")
REQUIRED = (
    "array-api-compat",
    "jaxtyping",
    "numba",
    "numpy",
    "pyarrow",
    "pydantic",
    "pyyaml",
    "rich",
    "safetensors",
    "torch",
    "typer",
)
TWINS = {
    "none": "each event once",
    "reshower": "same hard process, another parton shower and all that follows",
    "rehadronise": "same parton shower, another hadronisation and detector response",
    "redetect": "same particles, another detector response",
}
Words = Annotated[
    list[str] | None, typer.Argument(help="options, listed below", metavar="key=value", show_default=False)
]


@dataclass(frozen=True)
class ShowOptions:
    """What to do with a dataset that is shown."""

    verify: Annotated[bool, Field(description="compare every file with the checksum in the card")] = False
    out: Annotated[str, Field(description="folder to write; default: DIR/show, or FILE-show beside a file")] = ""


class Verb(TyperCommand):
    """A command whose help page goes on with the tables that `pages` has for its name."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help page."""
        super().format_help(ctx, formatter)
        for table in pages(str(self.name)):
            Console().print(table)


app = typer.Typer(
    name="jetkit",
    help="Machine learning in collider physics, from first principles to a believable number.",
    epilog="Options are written key=value; jetkit VERB --help lists them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def verb(name: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Register a command; what a user can mend becomes one line on stderr and exit code 1."""

    def register(function: Callable[P, None]) -> Callable[P, None]:
        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                function(*args, **kwargs)
            except JetkitError as error:
                if os.environ.get("JETKIT_DEBUG"):
                    raise
                typer.echo(f"jetkit: {error}", err=True)
                raise typer.Exit(1) from None
            except KeyboardInterrupt:
                typer.echo("jetkit: interrupted; the same command goes on where it stopped", err=True)
                raise typer.Exit(130) from None

        return app.command(name, cls=Verb)(run)

    return register


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"jetkit {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Machine learning in collider physics, from first principles to a believable number."""


@verb("simulate")
def simulate_(
    recipe: Annotated[str, typer.Argument(help="name of a recipe, or a .yaml file", metavar="RECIPE")],
    words: Words = None,
) -> None:
    """Make a dataset of jets: generator, detector, jets, labels."""
    from jetkit.simulate.options import Options

    _refuse_option(recipe, "simulate", "RECIPE")
    options = parse(Options, words or [], f"jetkit simulate {recipe}")
    from jetkit.simulate import simulate

    with _progress("jets") as progress:
        folder = simulate(recipe, options, progress)
    typer.echo(f"the jets are in {folder}; look at them with: jetkit show {folder}")


@verb("show")
def show(
    path: Annotated[str, typer.Argument(help="folder of a dataset, or Parquet files", metavar="DIR|FILE")],
    words: Words = None,
) -> None:
    """Print a dataset's card and classes; write its pictures and one page."""
    _refuse_option(path, "show", "DIR")
    options = parse(ShowOptions, words or [], "jetkit show")
    if options.verify:
        _verify(Path(path))
    for file in _show(path, options.out):
        typer.echo(str(file))


@verb("demo")
def demo(words: Words = None) -> None:
    """Simulate top and QCD jets on this machine, and show them."""
    from jetkit.simulate.options import Options

    given = {word.partition("=")[0] for word in words or []}
    preset = [word for word in ("jets=2000", "out=demo") if word.partition("=")[0] not in given]
    options = parse(Options, [*(words or []), *preset], "jetkit demo")
    from jetkit.simulate import simulate

    with _progress("jets") as progress:
        folder = simulate("top-landscape", options, progress)
    *_, page = _show(str(folder), "")
    typer.echo(f"open {page} in a browser\nnext: jetkit list, then jetkit simulate RECIPE jets=20000 out=data/RECIPE")


@verb("list")
def list_() -> None:
    """List recipes, detectors, variations, twins and feature sets."""
    from jetkit.data.features import FEATURE_SETS

    console = Console()
    for kind in ("datasets", "detectors", "variations"):
        console.print(_recipes(kind))
    console.print(_two_columns("twins", TWINS.items()))
    sets = {name: ", ".join(feature.name for feature in features) for name, features in FEATURE_SETS.items()}
    console.print(_two_columns("feature sets", sets.items()))


@verb("doctor")
def doctor() -> None:
    """Say what is installed, what is missing and how to get it."""
    table = Table("package", "version", "to install it", title="jetkit doctor", title_justify="left")
    table.add_row("python", platform.python_version(), "")
    table.add_row("jetkit", __version__, "")
    for name in REQUIRED:
        table.add_row(name, _version(name) or "absent", "" if _version(name) else f"pip install {name}")
    for name, extra in EXTRAS.items():
        mend = "" if _version(name) else f"pip install 'jetkit[{extra}]'"
        table.add_row(name, _version(name) or "absent", _plain(mend))
    Console().print(table)
    typer.echo(f"{platform.system()} {platform.machine()}, {_cores()} cores, {_memory()} of memory")


def main() -> None:
    """The program ``jetkit``."""
    app(prog_name="jetkit")


def pages(name: str) -> list[Table]:
    """What follows the help page of a verb: its options, and the recipes it takes."""
    if name == "show":
        return [_options(ShowOptions)]
    if name in ("simulate", "demo"):
        from jetkit.simulate.options import Options

        return [_options(Options), *([_recipes("datasets")] if name == "simulate" else [])]
    return []


def _options(cls: type[Any]) -> Table:
    table = Table("option", "type", "default", "meaning", title="Options", title_justify="left")
    for option in describe(cls):
        default = "(required)" if option.default is None else option.default
        table.add_row(*(_plain(text) for text in (option.name, option.type, default, option.help)))
    return table


def _recipes(kind: str) -> Table:
    read = {name: load(kind, name) for name in names(kind)}
    return _two_columns(kind, ((name, _described(values)) for name, values in read.items()))


def _described(values: dict[str, Any]) -> str:
    reason = values.get("unavailable")
    return str(values.get("description", "")) + (f" (not available: {reason})" if reason else "")


def _two_columns(title: str, rows: Iterable[tuple[str, str]]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for row in rows:
        table.add_row(*(_plain(text) for text in row))
    return table


def _plain(text: str) -> str:
    """Text in which brackets are not styles."""
    from rich.markup import escape

    return escape(text)


def _refuse_option(word: str, name: str, metavar: str) -> None:
    if "=" in word and not Path(word).exists():
        raise JetkitError(f"jetkit {name} needs {metavar} before {word}; see jetkit {name} --help")


@contextmanager
def _progress(unit: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with rate and time left on a terminal, nothing elsewhere; call it with (done so far, total)."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TimeRemainingColumn

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.finished_speed or task.speed or 0:,.0f} {unit}/s")

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(unit, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _show(path: str, out: str) -> Sequence[Path]:
    """Print card and classes, write pictures and page; the files written, the page last."""
    from jetkit.data.dataset import open_dataset
    from jetkit.report.class_table import class_table
    from jetkit.report.dataset_page import write_page
    from jetkit.report.jet_sample import sample_jets
    from jetkit.report.picture_set import picture_set
    from jetkit.report.pictures import make_folder

    dataset = open_dataset(path)
    place = Path(path)
    folder = Path(out) if out else place / "show" if place.is_dir() else place.with_name(f"{place.stem}-show")
    make_folder(folder)
    _print_card(dataset.card)
    jets = sample_jets(dataset)
    numbers = class_table(jets)
    table = Table(*numbers.header, box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for row in numbers.rows:
        table.add_row(*(_plain(cell) for cell in row))
    Console().print(table)
    with Console(stderr=True).status("drawing"):
        return write_page(dataset.card, jets, picture_set(jets), folder, path)


def _print_card(card: Card) -> None:
    from jetkit.report.dataset_page import command, facts

    console = Console(highlight=False, markup=False)
    shards = f"{len(card.shards)} shards" if card.shards else "no card"
    console.print(f"{card.name}: {card.rows:,} jets, {len(card.classes)} classes, {shards}")
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


def _verify(folder: Path) -> None:
    """Check all files; name each broken one and leave with exit code 1."""
    from jetkit.data.card import verify

    with _progress("bytes") as progress:
        problems = verify(folder, progress)
    for problem in problems:
        typer.echo(f"jetkit: {problem}", err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo("every file agrees with its checksum")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> str:
    if sys.platform == "win32":
        return "unknown size"
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"
