"""Registry of models, tasks, readers and more: name, class, paper and claimed symmetries."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar, get_type_hints

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked_dataclass

from jetkit import plugins
from jetkit.config import build, nearest
from jetkit.errors import JetkitError
from jetkit.plugins import is_reference as is_reference
from jetkit.plugins import load_announced as load_announced

T = TypeVar("T")
Kinds = str | Sequence[str]
"""A kind, or several kinds to which a name may belong."""
HIDDEN = ("parts",)
"""Keyword arguments of registered classes that are objects rather than options."""


@dataclass(frozen=True)
class Entry:
    """A registered class or function."""

    name: str
    kind: str
    """Kind of the entry: encoder, generator, estimator, ensemble, task, reader, feature set, optimiser, …"""
    cls: Any
    paper: str
    """Title, year and arXiv number; empty where there is none."""
    symmetries: tuple[str, ...]
    """Transformations of the input that leave the output unchanged; see `jetkit.testing.SYMMETRIES`."""
    broken: tuple[str, ...]
    """Transformations that must change the output, as stated in the paper."""
    tiny: Mapping[str, Any]
    """Hyperparameters of a small version for tests."""

    @property
    def summary(self) -> str:
        """First line of the class's docstring, as plain text."""
        return (self.cls.__doc__ or self.name).split("\n")[0].replace("``", "")

    @property
    def plugin(self) -> plugins.Plugin | None:
        """Origin of the class if it is not part of jetkit, else None."""
        return plugins.source_of(self.cls)


MODELS = ("encoder", "generator", "estimator", "ensemble")
"""Kinds of models, which share one set of names."""
_ENTRIES: dict[tuple[str, str], Entry] = {}
_ADAPTERS: list[Callable[[Any], Any]] = []
_ADAPTED: dict[int, Any] = {}


def adapt_with(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Register a function that adapts objects named by users to jetkit's classes, or returns None for others."""
    _ADAPTERS.append(function)
    return function


def register(
    name: str,
    *,
    kind: str = "encoder",
    paper: str = "",
    symmetries: Sequence[str] = (),
    broken: Sequence[str] = (),
    tiny: Mapping[str, Any] = MappingProxyType({}),
) -> Callable[[T], T]:
    """Return a decorator that registers a class, which is created as ``cls(spec, *, hyperparameters)``, by name.

    Registering another class with the same qualified name replaces it, for example when a notebook cell runs twice.

    Args:
        name: name under which users find the class
        kind: kind of the entry; see `Entry.kind`
        paper: title, year and arXiv number
        symmetries: transformations of the input that leave the output unchanged
        broken: transformations that must change the output
        tiny: hyperparameters of a small version for tests

    Raises:
        JetkitError: the name belongs to something else of its kind.
    """

    def add(cls: T) -> T:
        rivals = MODELS if kind in MODELS else (kind,)
        known = next((_ENTRIES[one, name] for one in rivals if (one, name) in _ENTRIES), None)
        if known is not None and _qualified(known.cls) != _qualified(cls):
            raise JetkitError(
                f"the {known.kind} {name} is there already ({_qualified(known.cls)}): give yours another name"
            )
        _ENTRIES[kind, name] = Entry(name, kind, cls, paper, tuple(symmetries), tuple(broken), dict(tiny))
        return cls

    return add


def _qualified(cls: Any) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def entries(kind: Kinds = "encoder") -> list[Entry]:
    """Return all entries of one or several kinds, sorted by name."""
    kinds = (kind,) if isinstance(kind, str) else tuple(kind)
    return sorted((entry for entry in _ENTRIES.values() if entry.kind in kinds), key=lambda entry: entry.name)


def entry(name: str, kind: Kinds = "encoder") -> Entry:
    """Return the entry for a name, or for the class of a reference such as ``file.py:Class``.

    Raises:
        JetkitError: the name is unknown; the message suggests the nearest. Or the reference leads to no class of this
            kind.

    Example:
        >>> import jetkit.models
        >>> entry("pfn").paper
        'Energy Flow Networks: Deep Sets for Particle Jets, 2018, arXiv:1810.05165'
        >>> entry("PFN")
        Traceback (most recent call last):
        jetkit.errors.JetkitError: unknown encoder 'PFN'; did you mean pfn?
    """
    kinds = (kind,) if isinstance(kind, str) else tuple(kind)
    if plugins.is_reference(name):
        return _referred(name, kinds)
    found = next((_ENTRIES[one, name] for one in kinds if (one, name) in _ENTRIES), None)
    if found is None and plugins.load_announced():
        return entry(name, kind)
    if found is None:
        known = [other.name for other in entries(kinds)]
        hint = nearest(name.lower(), known) or f"; choose one of {', '.join(known)}"
        what = kinds[0] if len(kinds) == 1 else "model"
        raise JetkitError(f"unknown {what} {name!r}{hint}")
    return found


def entry_of(cls: Any) -> Entry | None:
    """Return the entry of a class; None if it is not registered."""
    return next((found for found in _ENTRIES.values() if found.cls is cls), None)


def adopt(reference: str) -> None:
    """Import a user's file or module, and register the class of the reference if it is not registered yet.

    Raises:
        JetkitError: there is no such file, module or class.
    """
    plugins.load(reference)
    if ":" in reference:
        _referred(reference, ())


def _referred(reference: str, kinds: tuple[str, ...]) -> Entry:
    """Return the entry of a user's class, and register it under a derived name if needed."""
    cls = adapted(plugins.find(reference))
    known = [found for found in _ENTRIES.values() if found.cls is cls]
    fitting = [found for found in known if found.kind in kinds or not kinds]
    if fitting:
        return fitting[0]
    kind = getattr(cls, "kind", kinds[0] if kinds else "")
    if known or (kinds and kind not in kinds):
        kind = known[0].kind if known else kind
        raise JetkitError(f"{reference} is of the kind {kind}, where one of {', '.join(kinds)} is asked for")
    if not kind:
        raise JetkitError(f"{reference} does not say what it is: decorate it with @register(NAME, kind=…)")
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", cls.__name__).replace("_", "-").lower()
    register(name, kind=kind)(cls)
    return _ENTRIES[kind, name]


def adapted(named: Any) -> Any:
    """Return an object named by a user as a class of jetkit; unchanged if it already is one, or no adapter fits.

    Raises:
        JetkitError: an adapter refuses the object.
    """
    known = any(found.cls is named for found in _ENTRIES.values())
    if not known and id(named) not in _ADAPTED:
        made = (adapter(named) for adapter in _ADAPTERS)
        try:
            _ADAPTED[id(named)] = next((one for one in made if one is not None), named)
        except ValueError as error:
            raise JetkitError(str(error)) from error
    return named if known else _ADAPTED[id(named)]


def schema(cls: type[Any]) -> type[Any]:
    """Return the keyword-only signature of a class as a checked dataclass; help texts come from its docstring's Args.

    If the class takes ``**options``, the keyword arguments of its parent are included.
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
            if parameter.kind is parameter.KEYWORD_ONLY and name not in HIDDEN:
                fields["__annotations__"][name] = hints[name]
                fields[name] = Field(default=parameter.default, description=texts.get(name))
        if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters.values()):
            break
    made: type[Any] = checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))(type(cls.__name__, (), fields))
    return made


def hyperparameters(name: str, values: Mapping[str, Any], kind: Kinds = "encoder") -> dict[str, Any]:
    """Return all hyperparameters of a registered class by name: the given values, checked, and the defaults.

    Raises:
        ConfigError: an unknown name or a wrong type.
    """
    found = entry(name, kind)
    checked = build(schema(found.cls), values, f"the {found.kind} {found.name}")
    return {field: getattr(checked, field) for field in schema(found.cls).__dataclass_fields__}


def create(
    name: str, spec: Any, values: Mapping[str, Any] = MappingProxyType({}), kind: Kinds = "encoder", **objects: Any
) -> Any:
    """Create an instance of a registered class, ``cls(spec, *, hyperparameters, **objects)``.

    Errors that the user can fix in the options become one sentence; any other error inside the class keeps its
    traceback.

    Raises:
        JetkitError: an unknown name, an unknown or wrong hyperparameter, sizes that do not go together, or a spec that
            the class cannot serve.

    Example:
        >>> import jetkit.models
        >>> from jetkit import Spec
        >>> model = create("pfn", Spec.of(("part_deta", "part_dphi"), classes=("QCD", "top")))
        >>> sum(weight.numel() for weight in model.parameters())
        82156
    """
    found = entry(name, kind)
    checked = hyperparameters(name, values, kind)
    for key, value in checked.items() if found.plugin is None else ():
        sizes = [number for number in (value if isinstance(value, tuple) else (value,)) if type(number) is int]
        if min(sizes, default=1) < (1 if isinstance(value, tuple) else 0):
            raise JetkitError(f"{key} of the {found.kind} {found.name} should be positive, got {value}")
    arguments = spec if isinstance(spec, tuple) else (spec,)
    own = (
        (ValueError, RuntimeError, AssertionError, ArithmeticError, LookupError) if found.plugin is None else ValueError
    )
    try:
        return found.cls(*arguments, **checked, **objects)
    except own as error:
        given = ", ".join(f"{key}={value}" for key, value in values.items()) or "its defaults"
        raise JetkitError(f"the {found.kind} {found.name} cannot be made with {given}: {error}") from error
