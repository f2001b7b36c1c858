"""Grammar of all verbs: register them, let them fail in one sentence, write their help pages."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperCommand

from jetkit import __version__, keywords
from jetkit.config import ConfigError, nearest, read_yaml
from jetkit.errors import JetkitError

P = ParamSpec("P")
Tables = Callable[[], Sequence[Table]]
Words = Annotated[
    list[str] | None, typer.Argument(help="options, listed below", metavar="key=value", show_default=False)
]

OPTIONS_OF = {"pretrain": "Train", "adapt": "Train"}
"""Verb → the class of its options in `jetkit.keywords`, where it has another name."""
NAMING = ("simulate", "train", "generate", "embed", "predict", "reproduce")
"""Verbs whose messages name what they are about."""

app = typer.Typer(
    name="jetkit",
    help="Machine learning in collider physics, from first principles to a believable number.",
    epilog="Options are written key=value; jetkit VERB --help lists them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def verb(name: str, tables: Tables = tuple) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Register a command; what a user can mend becomes one line on stderr and exit code 1.

    `tables` makes the end of the help page and is called when the page is asked for. A new verb is a file with a
    function that is decorated with this, and its name among the imports of ``jetkit.cli``.
    """

    def register(function: Callable[P, None]) -> Callable[P, None]:
        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                _refuse_unknown(name, kwargs)
                function(*args, **_without_plugins(kwargs))
            except JetkitError as error:
                if os.environ.get("JETKIT_DEBUG"):
                    raise
                typer.echo(f"jetkit: {error}", err=True)
                raise typer.Exit(1) from None
            except KeyboardInterrupt:
                typer.echo("jetkit: interrupted; the same command goes on where it stopped", err=True)
                raise typer.Exit(130) from None

        return app.command(name, cls=_ending_with(tables))(run)

    return register


def _refuse_unknown(name: str, arguments: dict[str, Any]) -> None:
    """Say so where an option is misspelt, before seconds of imports; options with a dot have their own check."""
    known = getattr(keywords, OPTIONS_OF.get(name, name.capitalize()), None)
    if known is None or name == "convert":
        return
    words = [word for word in arguments.get("words") or [] if "=" in word and not Path(word).exists()]
    given = [word.partition("=")[0] for word in words]
    names = [*known.__annotations__, "plugins", *(["model"] if known is keywords.Train else [])]
    for one in given:
        if "." not in one and one not in names:
            first = next((str(value) for key, value in arguments.items() if key != "words"), "")
            place = f"jetkit {name} {first}".rstrip() if name in NAMING else f"jetkit {name}"
            hint = nearest(one, names) or f"; known: {', '.join(known.__annotations__)}"
            raise ConfigError(f"unknown option {one!r} in {place}{hint}")


def _without_plugins(arguments: dict[str, Any]) -> Any:
    """The arguments of a verb after the plug-ins that its words name were imported; ``train`` sees them as well.

    Any verb takes ``plugins=my_net.py`` or ``plugins=[my_net.py, my.package]``.
    """
    words = arguments.get("words") or []
    told = [word for word in words if word.startswith("plugins=")]
    if not told:
        _REMEMBERED.clear()
        return arguments
    import jetkit.models  # noqa: F401 - knows what users' classes may be
    from jetkit.registry import adopt

    value = read_yaml(told[-1].partition("=")[2], "option plugins")
    sources = [value] if isinstance(value, str) else value
    if not isinstance(sources, list) or not all(isinstance(one, str) for one in sources):
        raise JetkitError("option plugins should be a file or module, or a list of them, such as [my_net.py]")
    for one in sources:
        adopt(one)
    _REMEMBERED[:] = sources
    return {**arguments, "words": [word for word in words if word not in told]}


_REMEMBERED: list[str] = []


def remembered() -> dict[str, Any]:
    """Return the option ``plugins`` as this command was given it; nothing where it was not."""
    return {"plugins": tuple(_REMEMBERED)} if _REMEMBERED else {}


def refuse_option(word: str, name: str, metavar: str) -> None:
    """Say that the first word of the verb `name` should be a `metavar`, where it is a key=value.

    Raises:
        JetkitError: the word has an equals sign and is no file.

    Example:
        >>> refuse_option("top-landscape", "simulate", "RECIPE")
        >>> refuse_option("jets=10", "simulate", "RECIPE")
        Traceback (most recent call last):
        jetkit.errors.JetkitError: jetkit simulate needs RECIPE before jets=10; see jetkit simulate --help
    """
    if "=" in word and not Path(word).exists():
        raise JetkitError(f"jetkit {name} needs {metavar} before {word}; see jetkit {name} --help")


def runs_and_options(words: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Run folders among the words, and the options: a word with an equals sign that is no path.

    Example:
        >>> runs_and_options(["runs/pfn", "out=report"])
        (['runs/pfn'], ['out=report'])
    """
    given = words or []
    runs = [word for word in given if "=" not in word or Path(word).exists()]
    return runs, [word for word in given if word not in runs]


def _ending_with(tables: Tables) -> type[TyperCommand]:
    class Verb(TyperCommand):
        def format_help(self, ctx: Any, formatter: Any) -> None:
            super().format_help(ctx, formatter)
            for table in tables():
                Console().print(table)

    return Verb


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
