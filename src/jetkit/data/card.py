"""Dataset cards: ``dataset.json`` describes the content and the origin of a folder of Parquet shards."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from jetkit.data.atomic import replace_file
from jetkit.errors import JetkitError
from jetkit.progress import Count

FORMAT = 1
CARD_NAME = "dataset.json"


@dataclass(frozen=True)
class Shard:
    """One file of a dataset.

    Example:
        >>> Shard("qcd-0.parquet", rows=2, bytes=100, sha256="0" * 64, classes=[2, 0]).rows
        2
    """

    name: str
    """File name, relative to the folder of the card."""
    rows: int
    bytes: int
    sha256: str
    classes: list[int] = field(default_factory=list)
    """Number of rows per class; the index is ``jet_label``."""

    @property
    def label(self) -> int | None:
        """Class of all rows, if they share one, else None."""
        present = [index for index, count in enumerate(self.classes) if count]
        return present[0] if len(present) == 1 and self.classes[present[0]] == self.rows else None

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}


@dataclass(frozen=True)
class Card:
    """Description of a dataset: recipe, generator, classes, columns with units, citation, and shards.

    Example:
        >>> shard = Shard("qcd-0.parquet", rows=2, bytes=100, sha256="0" * 64, classes=[2])
        >>> card = Card("example", classes=["QCD"]).with_shards([shard], complete=True)
        >>> card.rows, card.counts
        (2, {'QCD': 2})
    """

    name: str
    classes: list[str] = field(default_factory=list)
    """Names of the classes; the index is ``jet_label``."""
    recipe: dict[str, Any] = field(default_factory=dict)
    generator: dict[str, Any] = field(default_factory=dict)
    """Programs and versions that produced the data."""
    seed: int = 0
    cuts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    """Known differences from the dataset that is reproduced."""
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    """Column → type, unit and description."""
    citation: list[str] = field(default_factory=list)
    rows: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    """Class → number of rows."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Reason → number of jets or rows left out."""
    shards: list[Shard] = field(default_factory=list)
    complete: bool = False
    """Completeness: False while shards are missing."""
    format: int = FORMAT

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def with_shards(self, shards: Sequence[Shard], complete: bool) -> Card:
        """Return a copy with these shards, sorted by name, and updated numbers of rows and class counts."""
        ordered = sorted(shards, key=lambda shard: shard.name)
        total: Counter[int] = Counter()
        for shard in ordered:
            total.update(dict(enumerate(shard.classes)))
        counts = {name: total[index] for index, name in enumerate(self.classes)}
        rows = sum(shard.rows for shard in ordered)
        return replace(self, shards=ordered, rows=rows, counts=counts, complete=complete)


def read_card(folder: str | os.PathLike[str]) -> Card:
    """Read and check ``dataset.json``.

    Raises:
        JetkitError: the card is absent, is not JSON, has a wrong type, is from a newer jetkit, or contradicts itself.
    """
    path = Path(folder) / CARD_NAME
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
    except FileNotFoundError:
        raise JetkitError(f"{path} does not exist: {folder} is not a dataset made by jetkit") from None
    except OSError as error:
        raise JetkitError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise JetkitError(f"{path} is not JSON ({error}): make the dataset again or restore the file") from error
    if not isinstance(content, dict):
        raise JetkitError(f"{path} should hold a JSON object, got {type(content).__name__}")
    version = content.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise JetkitError(f"{path} has format {version}, this jetkit reads up to {FORMAT}: pip install -U jetkit")
    card = _typed(text, path)
    _check(card, path)
    return card


def write_card(folder: str | os.PathLike[str], card: Card) -> None:
    """Write ``dataset.json`` atomically; equal cards give equal bytes.

    Raises:
        JetkitError: the folder cannot be written.
    """
    path = Path(folder) / CARD_NAME
    text = json.dumps(asdict(card), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        replace_file(path, text.encode())
    except OSError as error:
        raise JetkitError(f"{path} cannot be written: {error.strerror}") from error


def sha256_of(path: Path, progress: Callable[[int], None] | None = None) -> str:
    """Compute the SHA-256 of a file in hexadecimal; ``progress`` is called with the bytes of each block read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            if progress is not None:
                progress(len(block))
    return digest.hexdigest()


def verify(folder: str | os.PathLike[str], progress: Count | None = None) -> list[str]:
    """Compare every shard with the card; return one sentence per missing, truncated or changed shard.

    ``progress`` is called with (bytes read so far, bytes in total).

    Raises:
        JetkitError: the card itself cannot be read.
    """
    card = read_card(folder)
    total = sum(shard.bytes for shard in card.shards)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    problems = [_problem(Path(folder) / shard.name, shard, advance) for shard in card.shards]
    return [problem for problem in problems if problem is not None]


def _problem(path: Path, shard: Shard, advance: Callable[[int], None]) -> str | None:
    """Return one sentence on a shard that differs from its card, or None."""
    try:
        size = path.stat().st_size
        if size != shard.bytes:
            return f"{path} has {size} bytes, its card says {shard.bytes}"
        if sha256_of(path, advance) != shard.sha256:
            return f"{path} was changed: its SHA-256 is not the one in the card"
    except FileNotFoundError:
        return f"{path} is missing"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return None


def _typed(text: str, path: Path) -> Card:
    """Parse a card, and check the type of every field."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Card).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise JetkitError(f"{path} is not a valid card: {place}: {first['msg']}") from error


def _check(card: Card, path: Path) -> None:
    """Raise if the card contradicts itself or refers to files outside its folder."""
    names = [shard.name for shard in card.shards]
    if len(set(names)) < len(names):
        raise JetkitError(f"{path} lists a shard twice: make the dataset again or restore the file")
    for name in names:
        pure = PurePosixPath(name)
        if not pure.parts or pure.is_absolute() or ".." in pure.parts or "\\" in name or "\0" in name:
            raise JetkitError(f"{path} lists the shard {name!r}, which is not a file name inside its folder")
    if any(value < 0 for shard in card.shards for value in (shard.rows, shard.bytes, *shard.classes)):
        raise JetkitError(f"{path} lists a shard with a negative size: make the dataset again or restore the file")
    rows = sum(shard.rows for shard in card.shards)
    if card.rows != rows:
        raise JetkitError(f"{path} says {card.rows} rows but its shards have {rows}: restore the file")
