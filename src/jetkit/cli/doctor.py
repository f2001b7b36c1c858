"""``jetkit doctor``: packages and machine."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata

import typer
from rich.console import Console
from rich.table import Table

from jetkit import __version__
from jetkit.cli.console import plain
from jetkit.cli.grammar import verb
from jetkit.errors import DISTRIBUTIONS, EXTRAS

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
    "scipy",
    "threadpoolctl",
    "torch",
    "typer",
    "zuko",
)


@verb("doctor")
def doctor() -> None:
    """Say what is installed, what is missing and how to get it."""
    table = Table("package", "version", "to install it", title="jetkit doctor", title_justify="left")
    table.add_row("python", platform.python_version(), "")
    table.add_row("jetkit", __version__, "")
    for name in REQUIRED:
        table.add_row(name, _version(name) or "absent", "" if _version(name) else f"pip install {name}")
    for package, extra in EXTRAS.items():
        name = DISTRIBUTIONS.get(package, package)
        mend = "" if _version(name) else f"pip install 'jetkit[{extra}]'"
        table.add_row(name, _version(name) or "absent", plain(mend))
    Console().print(table)
    typer.echo(f"{platform.system()} {platform.machine()}, {_cores()} cores, {_memory()} of memory")


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
