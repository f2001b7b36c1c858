"""Names of models: what a user writes, the class behind it, its paper and the symmetries that it claims."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar, get_type_hints

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked_dataclass

from jetkit.config import build, nearest
from jetkit.errors import JetkitError

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """A registered class."""

    name: str
    kind: str
    """What it is: tagger, reader."""
    cls: type[Any]
    paper: str
    """Title, year and arXiv number."""
    symmetries: tuple[str, ...]
    """Changes of the input that leave the output alone; see `jetkit.testing.SYMMETRIES`."""
    broken: tuple[str, ...]
    """Changes that must alter the output, by the paper's own word."""
    tiny: Mapping[str, Any]
    """Hyperparameters of a small version, for tests."""

    @property
    def summary(self) -> str:
        """First line of the class's docstring, as plain text."""
        return (self.cls.__doc__ or self.name).split("\n")[0].replace("``", "")


_ENTRIES: dict[tuple[str, str], Entry] = {}


def register(
    name: str,
    *,
    kind: str = "tagger",
    paper: str,
    symmetries: Sequence[str] = (),
    broken: Sequence[str] = (),
    tiny: Mapping[str, Any] = MappingProxyType({}),
) -> Callable[[type[T]], type[T]]:
    """Decorator that gives a class its name; the class is ``cls(spec, *, hyperparameters)``."""

    def add(cls: type[T]) -> type[T]:
        assert (kind, name) not in _ENTRIES, f"{kind} {name} is registered twice"
        _ENTRIES[kind, name] = Entry(name, kind, cls, paper, tuple(symmetries), tuple(broken), dict(tiny))
        return cls

    return add


def entries(kind: str = "tagger") -> list[Entry]:
    """All entries of a kind, in the order of their names."""
    return sorted((entry for entry in _ENTRIES.values() if entry.kind == kind), key=lambda entry: entry.name)


def entry(name: str, kind: str = "tagger") -> Entry:
    """The entry of a name.

    Raises:
        JetkitError: no such name; tells the nearest.

    Example:
        >>> import jetkit.models
        >>> entry("pfn").paper
        'Energy Flow Networks: Deep Sets for Particle Jets, 2018, arXiv:1810.05165'
        >>> entry("PFN")
        Traceback (most recent call last):
        jetkit.errors.JetkitError: unknown tagger 'PFN'; did you mean pfn?
    """
    if (kind, name) not in _ENTRIES:
        known = [other.name for other in entries(kind)]
        hint = nearest(name.lower(), known) or f"; choose one of {', '.join(known)}"
        raise JetkitError(f"unknown {kind} {name!r}{hint}")
    return _ENTRIES[kind, name]


def schema(cls: type[Any]) -> type[Any]:
    """The keyword-only signature of a class as a checked dataclass; help texts come from the Args of its docstring.

    Where the class takes ``**options``, those of its parent are meant.
    """
    fields: dict[str, Any] = {"__annotations__": {}}
    texts: dict[str, str] = {}
    for owner in cls.__mro__:
        arguments = (owner.__doc__ or "").partition("Args:")[2]
        texts = dict(re.findall(r"^\s+(\w+): (.+)$", arguments, re.MULTILINE)) | texts
        if "__init__" not in vars(owner):
            continue
        hints, parameters = get_type_hints(vars(owner)["__init__"]), inspect.signature(owner).parameters
        for name, parameter in parameters.items():
            if parameter.kind is parameter.KEYWORD_ONLY:
                fields["__annotations__"][name] = hints[name]
                fields[name] = Field(default=parameter.default, description=texts.get(name))
        if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters.values()):
            break
    made: type[Any] = checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))(type(cls.__name__, (), fields))
    return made


def hyperparameters(name: str, values: Mapping[str, Any], kind: str = "tagger") -> dict[str, Any]:
    """All hyperparameters of a registered class by name: those given, checked, and the defaults of the others.

    Raises:
        ConfigError: an unknown name or a wrong type.
    """
    found = entry(name, kind)
    checked = build(schema(found.cls), values, f"the {kind} {name}")
    return {field: getattr(checked, field) for field in schema(found.cls).__dataclass_fields__}


def create(name: str, spec: Any, values: Mapping[str, Any] = MappingProxyType({}), kind: str = "tagger") -> Any:
    """An instance of a registered class for a CloudSpec.

    Raises:
        JetkitError: an unknown name, an unknown or wrong hyperparameter, sizes that do not go together, or a spec that
            the class cannot serve.

    Example:
        >>> import jetkit.models
        >>> from jetkit import CloudSpec
        >>> model = create("pfn", CloudSpec(features=("part_deta", "part_dphi"), classes=("QCD", "top")))
        >>> sum(weight.numel() for weight in model.parameters())
        82358
    """
    cls, checked = entry(name, kind).cls, hyperparameters(name, values, kind)
    for key, value in checked.items():
        sizes = [number for number in (value if isinstance(value, tuple) else (value,)) if type(number) is int]
        if min(sizes, default=1) < (1 if isinstance(value, tuple) else 0):
            raise JetkitError(f"{key} of the {kind} {name} should be positive, got {value}")
    try:
        return cls(spec, **checked)
    except (ValueError, RuntimeError, AssertionError, ArithmeticError, LookupError) as error:
        given = ", ".join(f"{key}={value}" for key, value in values.items()) or "its defaults"
        raise JetkitError(f"the {kind} {name} cannot be made with {given}: {error}") from error
