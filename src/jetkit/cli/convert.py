"""``jetkit convert FORMAT FILES…``: make a dataset of files that other programs wrote."""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten
from typing import Annotated, Any

import typer
from rich.table import Table

from jetkit.cli.console import options_table, progress_bar, two_columns
from jetkit.cli.grammar import refuse_option, verb
from jetkit.config import nearest, pairs, parse, read_yaml
from jetkit.errors import JetkitError


def _tables() -> list[Table]:
    import jetkit.simulation.foreign_events  # noqa: F401 - registers readers of events
    from jetkit.config import describe
    from jetkit.data.convert import ConvertOptions
    from jetkit.registry import entries, schema

    readers = entries("reader")
    rows = ((entry.name, entry.summary) for entry in readers)
    tables = [options_table(ConvertOptions), two_columns("formats", rows)]
    for entry in readers:
        options = [(option.name, f"{option.help} ({option.default})") for option in describe(schema(entry.cls))]
        if options:
            tables.append(two_columns(f"further options of {entry.name}", options))
    return tables


@verb("convert", _tables)
def convert_(
    format: Annotated[str, typer.Argument(help="a format of the list below", metavar="FORMAT")],
    words: Annotated[
        list[str] | None,
        typer.Argument(help="files, folders, patterns, and options", metavar="FILES… key=value", show_default=False),
    ] = None,
) -> None:
    """Make a dataset of public or an experiment's files; goes on where it stopped."""
    refuse_option(format, "convert", "FORMAT")
    import jetkit.simulation.foreign_events  # noqa: F401 - registers readers of events
    from jetkit.config import describe
    from jetkit.data.convert import ConvertOptions, convert
    from jetkit.registry import entry, schema

    own = [option.name for option in describe(ConvertOptions)]
    of_reader = [option.name for option in describe(schema(entry(format, "reader").cls))]
    files = [word for word in words or [] if "=" not in word or Path(word).exists()]
    given = [word for word in words or [] if word not in files]
    for name in (word.partition("=")[0] for word in given):
        if name not in own + of_reader:
            hint = nearest(name, own + of_reader) or f"; known: {', '.join(own + of_reader)}"
            raise JetkitError(f"unknown option {name!r} in jetkit convert {format}{hint}")
    options = parse(
        ConvertOptions, [word for word in given if word.partition("=")[0] in own], f"jetkit convert {format}"
    )
    rest = pairs([word for word in given if word.partition("=")[0] not in own], "options are written NAME=VALUE")
    values: dict[str, Any] = {name: read_yaml(text, f"option {name}") for name, text in rest.items()}
    with progress_bar("entries") as progress:
        folder = convert(format, files, options, values, progress)
    typer.echo("\n".join([*_account(folder), f"look at them with: jetkit show {folder}"]))


def _account(folder: Path) -> list[str]:
    """What became of the files, in words."""
    from jetkit.data.card import CARD_NAME, read_card

    card = read_card(folder)
    lines = [f"{card.rows:,} rows of {len(card.recipe['files'])} files are in {folder}"]
    lines += [f"left out: {count:,} ({reason})" for reason, count in card.skipped.items() if count]
    notes = [note for note in card.notes if note.startswith("unknown branches")]
    return lines + [shorten(note, 300, placeholder=f" … (all in {folder / CARD_NAME})") for note in notes]
