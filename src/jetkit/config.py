"""Options as checked, frozen dataclasses, read from YAML files and ``key=value`` words.

The reader accepts only plain YAML values. ``true`` and ``false`` are the only booleans (``no`` and ``off`` are words),
``1e6`` is a number, and a key appears once. Tags, aliases and dates are not supported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from jetkit.errors import JetkitError
from jetkit.plain_yaml import PlainYAML

T = TypeVar("T")
EXPECTED = {
    "bool_type": "true or false",
    "dataclass_type": "a mapping of options",
    "dict_type": "a mapping",
    "float_type": "float",
    "int_type": "int",
    "int_from_float": "int",
    "list_type": "a list",
    "none_required": "null",
    "string_type": "str",
    "tuple_type": "a list",
}
"""Kind of pydantic error → expected value."""


class ConfigError(JetkitError):
    """Error for an unknown, missing, mistyped or out-of-bounds option; the message is one sentence."""


@dataclass(frozen=True)
class Option:
    """A line of a help page; ``default`` is None for a required option."""

    name: str
    type: str
    default: str | None
    help: str


def build(cls: type[T], values: Mapping[str, object], where: str) -> T:
    """Build a checked instance of a pydantic dataclass; errors refer to it by the name ``where``.

    Types are strict, but an int serves as a float and a list as a tuple. Nested dataclasses are built from mappings.

    Args:
        cls: pydantic dataclass
        values: option names → values
        where: name of the options in error messages

    Raises:
        ConfigError: an unknown name, a missing one, a wrong type or bound, or a ValueError of ``__post_init__``.

    Example:
        >>> from pydantic.dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Options:
        ...     jets: int = 1000
        >>> build(Options, {"jets": 20}, "top-landscape")
        Options(jets=20)
        >>> build(Options, {"jetz": 20}, "top-landscape")
        Traceback (most recent call last):
        jetkit.config.ConfigError: unknown option 'jetz' in top-landscape; did you mean jets?
    """
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise ConfigError(f"{where} should be a mapping of option names to values, got {_shown(values)}")
    try:
        text = json.dumps(dict(values), default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"the options of {where} should be plain values ({_sentence(str(error))})") from error
    try:
        return TypeAdapter(cls).validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        raise ConfigError(_explain(cls, error.errors(include_url=False), where)) from None
    except JetkitError as error:
        raise ConfigError(str(error)) from error


def parse(cls: type[T], words: Sequence[str], where: str, preset: Mapping[str, object] = MappingProxyType({})) -> T:
    """Build a checked instance of a pydantic dataclass from ``key=value`` words.

    Values are YAML; text fields accept any text. Options without a word come from ``preset``, then from the defaults.

    Args:
        cls: pydantic dataclass
        words: words ``key=value``
        where: name of the options in error messages
        preset: values of options without a word

    Raises:
        ConfigError: as `build`, and for a word without ``=``, a key given twice or a value that is not YAML.

    Example:
        >>> from pydantic.dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Options:
        ...     jets: int
        ...     out: str = "data"
        >>> parse(Options, ["jets=1e6", "out=no"], "top-landscape")
        Options(jets=1000000, out='no')
    """
    known, values = _fields(cls), dict(preset)
    for key, text in pairs(words, f"options of {where} are written key=value").items():
        as_text = key in known and _takes_text(known[key].annotation) and text != "null"
        values[key] = text if as_text else read_yaml(text, f"option {_shorten(key)}")
    return build(cls, values, where)


def pairs(words: Sequence[str], rule: str, prefix: str = "") -> dict[str, str]:
    """Split ``key=text`` words into a dictionary; ``prefix`` is put before each in error messages.

    Raises:
        ConfigError: a word without ``=`` (the message ends with ``rule``), or a key given twice.

    Example:
        >>> pairs(["jets=20"], "options are written key=value")
        {'jets': '20'}
    """
    found: dict[str, str] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise ConfigError(f"cannot read {_shown(prefix + word)}: {rule}")
        if key in found:
            raise ConfigError(f"option {_shorten(prefix + key)} is given twice")
        found[key] = text
    return found


def read_yaml(text: str, where: str) -> Any:
    """Parse a YAML text; errors refer to it by the name ``where``.

    Raises:
        ConfigError: the text is not YAML, contains a tag or an alias, or repeats a key; the message names the line.

    Example:
        >>> read_yaml("{cut: 1e3, name: no}", "a recipe")
        {'cut': 1000, 'name': 'no'}
    """
    try:
        return yaml.load(text, Loader=PlainYAML)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{where}{line}: {_sentence(error.problem or 'not YAML')}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{where}: {_sentence(str(error))}") from None
    except RecursionError:
        raise ConfigError(f"{where}: nested too deeply") from None


def names(kind: str) -> list[str]:
    """Return the names of the packaged recipes of a kind: datasets, detectors or runs."""
    folder = files("jetkit") / "recipes" / kind
    return (
        sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".yaml")) if folder.is_dir() else []
    )


def load(kind: str, name: str | Path) -> dict[str, Any]:
    """Load the mapping of a packaged recipe, or of a file whose name ends with .yaml or .yml.

    Raises:
        ConfigError: no such recipe or file, or its text is not a YAML mapping.

    Example:
        >>> load("datasets", "my/recipe.yaml")
        Traceback (most recent call last):
        jetkit.config.ConfigError: cannot read my/recipe.yaml: No such file or directory
    """
    try:
        text = _source(kind, name).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"cannot read {name}: it is not a text file in UTF-8") from error
    values = read_yaml(text, str(name))
    if not isinstance(values, dict):
        raise ConfigError(f"{name} should be a mapping of option names to values, got {_shown(values)}")
    return values


def nearest(name: str, known: Sequence[str]) -> str:
    """Return the end of an error message that suggests the nearest known name, or an empty text.

    Args:
        name: unknown name
        known: names to compare with

    Example:
        >>> nearest("jetz", ["jets", "out"])
        '; did you mean jets?'
    """
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def describe(cls: type[Any]) -> list[Option]:
    """Return the options of a pydantic dataclass for help pages.

    Example:
        >>> from pydantic.dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Options:
        ...     jets: int | None = 1000
        >>> describe(Options)
        [Option(name='jets', type='int | null', default='1000', help='')]
    """
    return [
        Option(name, _type_text(field.annotation), _default_text(field), field.description or "")
        for name, field in _fields(cls).items()
    ]


def _plain(value: object) -> object:
    """Convert option values that JSON cannot hold."""
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{_shown(value)} is not one")


def _source(kind: str, name: str | Path) -> Traversable:
    if str(name).endswith((".yaml", ".yml")):
        return Path(name)
    known = names(kind)
    if str(name) not in known:
        hint = f"{nearest(str(name), known)} ({kind}: {', '.join(known)})"
        raise ConfigError(f"unknown {kind.removesuffix('s')} {_shown(str(name))}{hint}")
    return files("jetkit") / "recipes" / kind / f"{name}.yaml"


def _explain(cls: type[Any], errors: list[ErrorDetails], where: str) -> str:
    """Return one sentence about the most informative of pydantic's errors."""
    rank = {"unexpected_keyword_argument": 0, "missing": 1}
    error = min(errors, key=lambda e: rank.get(e["type"], 2))
    steps, _ = _walk(cls, error["loc"])
    option = f"option {_shorten('.'.join(steps))}" if steps else where
    match error["type"]:
        case "unexpected_keyword_argument":
            _, parent = _walk(cls, error["loc"][:-1])
            return f"unknown option {_shown('.'.join(steps))} in {where}{_or_known(steps[-1], list(_fields(parent)))}"
        case "missing":
            return f"{option} is missing"
        case "value_error":
            return _sentence(str(error["ctx"]["error"]))
        case "json_invalid":
            return f"the options of {where} should be plain values ({_sentence(error['msg'])})"
    expected = [_expected(e) for e in errors if _walk(cls, e["loc"])[0] == steps]
    if all(expected):
        return f"{option} should be {' or '.join(dict.fromkeys(expected))}, got {_shown(error['input'])}"
    reason = _sentence(error["msg"])
    if reason.startswith("Input should"):
        return f"{option} {reason.removeprefix('Input ')}, got {_shown(error['input'])}"
    return f"{option}: {reason}"


def _or_known(name: str, known: Sequence[str]) -> str:
    return nearest(name, known) or f"; known: {', '.join(known)}"


def _expected(error: ErrorDetails) -> str:
    if error["type"] == "literal_error":
        return str(error["ctx"]["expected"])
    return EXPECTED.get(error["type"], "")


def _walk(hint: Any, loc: Sequence[str | int]) -> tuple[list[str], Any]:
    """Return the steps of pydantic's ``loc`` that a user wrote, without union members, and the type at the end."""
    steps: list[str] = []
    for step in loc:
        members = _members(hint)
        if len(members) > 1:
            hint = next((m for m in members if step in (getattr(m, "__name__", ""), str(m))), Any)
            continue
        steps.append(str(step))
        fields = _fields(members[0])
        hint = fields[str(step)].annotation if str(step) in fields else (get_args(members[0]) or (Any,))[-1]
    members = _members(hint)
    return steps, members[0] if len(members) == 1 else Any


def _members(hint: Any) -> list[Any]:
    """Return the types in a union, or the type itself, without None and annotations."""
    if get_origin(hint) is Annotated:
        return _members(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return [member for part in get_args(hint) if part is not NoneType for member in _members(part)]
    return [hint]


def _fields(cls: Any) -> dict[str, FieldInfo]:
    return dict(getattr(cls, "__pydantic_fields__", {}))


def _takes_text(hint: Any) -> bool:
    """Return whether every value of the type is text, so that a word needs no parsing."""
    return all(
        member in (str, Path) or (get_origin(member) is Literal and all(isinstance(a, str) for a in get_args(member)))
        for member in _members(hint)
    )


def _type_text(hint: Any) -> str:
    if get_origin(hint) is Annotated:
        return _type_text(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return " | ".join(_type_text(part) for part in get_args(hint))
    if get_origin(hint) is Literal:
        return " | ".join(str(value) for value in get_args(hint))
    if hint in (NoneType, Ellipsis):
        return "null" if hint is NoneType else "..."
    if get_origin(hint) is not None:
        return f"{get_origin(hint).__name__}[{', '.join(_type_text(part) for part in get_args(hint))}]"
    return str(getattr(hint, "__name__", hint))


def _default_text(field: FieldInfo) -> str | None:
    if field.is_required():
        return None
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    return str(value)


def _shown(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    try:
        return _shorten(repr(value))
    except ValueError:  # an int of more digits than Python writes
        return "a number too long to show"


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _sentence(text: str) -> str:
    return " ".join(text.split()).rstrip(".").replace(". ", "; ")
