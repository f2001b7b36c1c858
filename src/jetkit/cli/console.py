"""What verbs print: tables of options, recipes and names, and a progress bar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from jetkit.config import describe, load, names
from jetkit.progress import Count, Report

if TYPE_CHECKING:
    from rich.progress import Task


def options_table(cls: type[Any]) -> Table:
    """The options that a dataclass describes."""
    table = Table("option", "type", "default", "meaning", title="Options", title_justify="left")
    for option in describe(cls):
        default = "(required)" if option.default is None else option.default
        table.add_row(*(plain(text) for text in (option.name, option.type, default, option.help)))
    return table


def recipes_table(kind: str) -> Table:
    """The packaged YAML files of a kind, with what they describe."""
    read = {name: load(kind, name) for name in names(kind)}
    return two_columns(kind, ((name, _described(values)) for name, values in read.items()))


def two_columns(title: str, rows: Iterable[tuple[str, str]]) -> Table:
    """Names and their meaning; the names are never broken."""
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for row in rows:
        table.add_row(*(plain(text) for text in row))
    return table


def plain(text: str) -> str:
    """Text in which brackets are not styles.

    Example:
        >>> print(plain("pip install 'jetkit[report]'"))
        pip install 'jetkit\\[report]'
    """
    from rich.markup import escape

    return escape(text)


@contextmanager
def progress_bar(unit: str) -> Iterator[Count]:
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


@contextmanager
def step_bar() -> Iterator[Report]:
    """As `progress_bar`, for steps of which the kind changes; call it with (done so far, total, what happens)."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.1f}/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("prepare", total=None, rate=0.0)

        def report(done: int, total: int, what: str) -> None:
            now = bar.tasks[0]
            bar.update(task, completed=done, total=total, description=what, rate=now.speed or 0.0)

        yield report


def _described(values: dict[str, Any]) -> str:
    reason = values.get("unavailable")
    return str(values.get("description", "")) + (f" (not available: {reason})" if reason else "")
