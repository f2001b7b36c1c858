"""Plug-ins: models, tasks, readers and features of users, named by file or module and loaded on demand.

A reference is ``file.py``, ``file.py:Class``, ``module`` or ``module:Class``. Loading one runs its code, so only
plug-ins that the user names are loaded. Installed packages announce theirs as entry points of the group ``jetkit``.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from jetkit.errors import JetkitError

GROUP = "jetkit"
_LOADED: dict[str, ModuleType] = {}
_FORBIDDEN = ContextVar("forbidden", default=False)
_ANNOUNCED: list[bool] = []


@dataclass(frozen=True)
class Plugin:
    """Origin of a class that is not part of jetkit.

    Attributes:
        source: as the user wrote it, without the class.
        sha256: hash of the source file; empty where it cannot be read.
    """

    source: str
    sha256: str = ""


def is_reference(name: str) -> bool:
    """Return whether a name refers to a file or module rather than to a registered name.

    Example:
        >>> is_reference("my_net.py:MyNet"), is_reference("my.package:MyNet"), is_reference("pfn")
        (True, True, False)
    """
    return ":" in name or name.endswith(".py")


@contextmanager
def forbidden() -> Iterator[None]:
    """Refuse imports within a ``with`` block, since names in a model file must not run code."""
    before = _FORBIDDEN.set(True)
    try:
        yield
    finally:
        _FORBIDDEN.reset(before)


def load(reference: str) -> ModuleType:
    """Import the file or module of a reference; a file that has changed is imported again.

    An error inside the user's code keeps its traceback.

    Raises:
        JetkitError: there is no such file or module.
    """
    if _FORBIDDEN.get():
        raise JetkitError(f"{reference[:80]!r} names code, which a file may not: import it first, by plugins=")
    source = reference.partition(":")[0]
    if not source.endswith(".py"):
        try:
            return import_module(source)
        except ModuleNotFoundError as error:
            if error.name is None or not source.startswith(error.name):
                raise
            raise JetkitError(
                f"there is no module {source}: install it, or name a file such as {source}.py:Class"
            ) from None
    path = Path(source)
    if not path.is_file():
        raise JetkitError(f"there is no file {source}: name the plug-in by its path, as plugins=my_net.py")
    key = f"{path.resolve()} {_hash(path)}"
    if key not in _LOADED:
        name = f"jetkit_plugin_{path.stem}"
        spec = spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        before = sys.modules.get(name)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(name, None)
            if before is not None:
                sys.modules[name] = before
            raise
        _LOADED[key] = module
    return _LOADED[key]


def find(reference: str) -> Any:
    """Return the class or function of a reference; without a name, the only class that the module defines.

    Raises:
        JetkitError: there is no such class, or there are several.
    """
    module = load(reference)
    name = reference.partition(":")[2]
    if name:
        found = getattr(module, name, None)
        if not callable(found):
            own = ", ".join(_classes(module)) or "none"
            raise JetkitError(f"{reference.partition(':')[0]} has no class or function {name}: it has {own}")
        return found
    own_classes = _classes(module)
    if len(own_classes) != 1:
        raise JetkitError(f"{reference} has {len(own_classes)} classes: name one, as {reference}:Class")
    return next(iter(own_classes.values()))


def source_of(cls: Any) -> Plugin | None:
    """Return the origin of a class; None for jetkit's own classes."""
    module = sys.modules.get(cls.__module__)
    if cls.__module__.split(".")[0] == "jetkit" or module is None:
        return None
    file = getattr(module, "__file__", None)
    source = cls.__module__
    if source.startswith("jetkit_plugin_") and file:
        source = f"{_shown(Path(file))}:{cls.__qualname__}"
    return Plugin(source, _hash(Path(file)) if file and Path(file).is_file() else "")


def load_announced() -> bool:
    """Import the plug-ins that installed packages announce, once; return whether there were any."""
    if _ANNOUNCED:
        return False
    _ANNOUNCED.append(True)
    found = entry_points(group=GROUP)
    for point in found:
        point.load()
    return bool(found)


def _classes(module: ModuleType) -> dict[str, type[Any]]:
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and not name.startswith("_")
    }


def _shown(path: Path) -> str:
    """Return a path relative to the current folder, if it lies there."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path.resolve())


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
