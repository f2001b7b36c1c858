"""Public datasets: available files, addresses and terms of use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlsplit

from pydantic import Field
from pydantic.dataclasses import dataclass

from jetkit.config import build, load, names, nearest
from jetkit.errors import JetkitError

SERIES = re.compile(r"\{(\d+)\.\.(\d+)\}")


@dataclass(frozen=True)
class PublicFile:
    """A file of a public dataset, or a series such as ``QCD_{000..419}.parquet``; unknown properties are None."""

    name: str
    bytes: Annotated[int | None, Field(gt=0)] = None
    md5: Annotated[str | None, Field(pattern="^[0-9a-f]{32}$")] = None
    sha256: Annotated[str | None, Field(pattern="^[0-9a-f]{64}$")] = None
    mirrors: tuple[str, ...] = ()
    """Addresses in the order of attempts; ``{name}`` stands for the name. If empty, the dataset's mirrors are used."""

    def __post_init__(self) -> None:
        if not self.name or self.name.startswith(".") or re.search(r"[/\\:\x00-\x1f]", self.name):
            raise JetkitError(f"{self.name!r} is not the name of a file inside a folder")
        for url in self.mirrors:
            if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
                raise JetkitError(f"the address {url} of {self.name} should begin with https://")
        if SERIES.search(self.name) and (self.bytes or self.checksum):
            raise JetkitError(f"{self.name} is many files: list them one by one to give their sizes and checksums")

    @property
    def checksum(self) -> tuple[str, str] | None:
        """Kind and hexadecimal value of the strongest known checksum."""
        return ("sha256", self.sha256) if self.sha256 else ("md5", self.md5) if self.md5 else None

    def each(self, mirrors: Sequence[str]) -> Iterator[PublicFile]:
        """Yield the single files of a series, or the file itself; ``mirrors`` serve files without their own."""
        for name in self._names():
            addresses = tuple(url.replace("{name}", quote(name)) for url in self.mirrors or mirrors)
            yield replace(self, name=name, mirrors=addresses)

    def _names(self) -> Iterator[str]:
        numbers = SERIES.search(self.name)
        if numbers is None:
            yield self.name
            return
        first, last = numbers.groups()
        for number in range(int(first), int(last) + 1):
            yield f"{self.name[: numbers.start()]}{number:0{len(first)}d}{self.name[numbers.end() :]}"


@dataclass(frozen=True)
class PublicDataset:
    """A public dataset: its terms of use and its files.

    Example:
        >>> dataset = public_dataset("top-tagging")
        >>> [file.name for file in dataset.selected("t*.h5")]
        ['train.h5', 'test.h5']
        >>> dataset.terms()[1]
        'licence: CC BY 4.0'
    """

    name: str
    description: str
    citation: tuple[str, ...]
    homepage: str
    files: tuple[PublicFile, ...]
    reader: str
    """Format with which ``jetkit convert`` reads the files."""
    licence: str | None = None
    mirrors: tuple[str, ...] = ()
    """Addresses of files without their own; ``{name}`` stands for the name of the file."""

    def __post_init__(self) -> None:
        every = [file.name for file in self.all_files]
        if not every or len(set(every)) < len(every):
            raise JetkitError(f"the public dataset {self.name} should list at least one file, and each once")
        if not all(file.mirrors or self.mirrors for file in self.files):
            raise JetkitError(f"a file of the public dataset {self.name} has no address: add one to its mirrors")

    @cached_property
    def all_files(self) -> list[PublicFile]:
        """Return every single file with its addresses."""
        return [one for file in self.files for one in file.each(self.mirrors)]

    def selected(self, pattern: str) -> list[PublicFile]:
        """Return the files whose names match a pattern such as ``train*``.

        Raises:
            JetkitError: no name matches.
        """
        chosen = [file for file in self.all_files if fnmatchcase(file.name, pattern)]
        if not chosen:
            known = ", ".join(file.name for file in self.files)
            raise JetkitError(f"no file of {self.name} fits files={pattern}: there are {known}")
        return chosen

    def terms(self) -> list[str]:
        """Return the terms of use and other notes to read before the download, in lines."""
        licence = self.licence or f"not recorded here, read it at {self.homepage}"
        cited = [f"please cite: {source}" for source in self.citation]
        return [f"{self.name}: {self.description}", f"licence: {licence}", *cited, f"homepage: {self.homepage}"]


def public_dataset(name: str | Path) -> PublicDataset:
    """Load the description of a public dataset by name, or from a YAML file of the same form.

    Raises:
        JetkitError: no such dataset, or a file that does not describe one.

    Example:
        >>> public_dataset("jetclass").citation[0]
        'Particle Transformer for Jet Tagging, 2022, arXiv:2202.03772'
        >>> public_dataset("jetklass")
        Traceback (most recent call last):
        jetkit.errors.JetkitError: unknown public dataset 'jetklass'; did you mean jetclass? (see: jetkit get)
    """
    if not str(name).endswith((".yaml", ".yml")) and str(name) not in names("public"):
        hint = nearest(str(name), names("public"))
        raise JetkitError(f"unknown public dataset {str(name)!r}{hint} (see: jetkit get)")
    return build(PublicDataset, {"name": Path(name).stem, **load("public", name)}, f"public dataset {name}")
