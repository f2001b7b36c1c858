"""Conversion of foreign files to a dataset: plan the shards, write them, and resume an interrupted run."""

from __future__ import annotations

import glob
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass as checked_dataclass

import jetkit.data.readers  # noqa: F401 - registers the readers
from jetkit.data.building import account, claim, finished
from jetkit.data.card import Card, Shard, sha256_of, write_card
from jetkit.data.columns import COLUMNS
from jetkit.data.readers.complete import complete
from jetkit.data.readers.reader import Reader, Rows
from jetkit.data.shards import Memory, shard_in_memory, write_shard
from jetkit.errors import JetkitError
from jetkit.progress import Count
from jetkit.registry import adopt, create, entries, entry, hyperparameters

LARGEST_IN_MEMORY = 2**31
"""Largest size in bytes of foreign files that are opened without a conversion."""
EVENTS_A_FILE = 2**32
"""Range of event numbers per file; event_id = file · 2³² + entry if the file has no numbers of its own."""


@checked_dataclass(frozen=True)
class ConvertOptions:
    """Options of a conversion: output folder, size of shards and processes."""

    out: Annotated[str, Field(description="folder to write; default: data/FORMAT")] = ""
    workers: Annotated[int, Field(ge=1, description="local processes")] = 1
    shard: Annotated[int, Field(gt=0, description="entries of a file per shard")] = 10_000


@dataclass(frozen=True)
class Piece:
    """Entries of one foreign file that make up a shard."""

    reader: type[Reader]
    path: Path
    values: tuple[tuple[str, Any], ...]
    number: int
    start: int
    stop: int
    fingerprint: str = ""

    @property
    def name(self) -> str:
        """File name of the shard."""
        return f"{self.number:04d}-{self.start:09d}.parquet"


def convert(
    format: str,
    files: Sequence[str | Path],
    options: ConvertOptions | None = None,
    values: Mapping[str, Any] | None = None,
    progress: Count | None = None,
) -> Path:
    """Convert foreign files to a dataset, or resume an interrupted conversion; both give bit-identical results.

    Every jet of the files is either in a shard or counted under a reason in the card. The card also lists unknown
    branches.

    Args:
        format: name of a reader, see ``jetkit convert --help``; or ``file.py:Class`` of one of yours
        files: files, folders or patterns
        options: output folder, size of shards and processes
        values: options of the reader
        progress: called with (entries done, entries in all)

    Returns:
        The folder of the dataset.

    Raises:
        JetkitError: an unknown format, no files, a file that is damaged or of another format, a folder that holds
            something else, a full disk.
    """
    options, format = options or ConvertOptions(), entry(format, "reader").name
    pieces, card = plan(format, files, options, values or {})
    folder = Path(options.out or f"data/{format}")
    claim(folder, card)
    names = [piece.name for piece in pieces]
    done = {shard.name: shard for shard in finished(folder, names, pieces[0].fingerprint)}
    total = sum(piece.stop - piece.start for piece in pieces)
    ahead = sum(piece.stop - piece.start for piece in pieces if piece.name in done)
    for piece, shard in _run([piece for piece in pieces if piece.name not in done], folder, options.workers):
        done[shard.name] = shard
        ahead += piece.stop - piece.start
        write_card(folder, card.with_shards(list(done.values()), complete=False))
        if progress:
            progress(ahead, total)
    skipped, columns = account(folder, names, COLUMNS | entry(format, "reader").cls.columns)
    final = replace(card, skipped=skipped, columns=columns)
    write_card(folder, final.with_shards(list(done.values()), complete=True))
    return folder


def plan(
    format: str, files: Sequence[str | Path], options: ConvertOptions, values: Mapping[str, Any]
) -> tuple[list[Piece], Card]:
    """Plan the shards and the card that describes them; every file is opened once, and nothing is written."""
    cls: type[Reader] = entry(format, "reader").cls
    chosen = hyperparameters(format, values, "reader")
    paths = _found(files, cls.suffixes)
    sources, pieces, unknown, classes = [], [], Counter[str](), None
    beside: dict[str, str] = {}
    for number, path in enumerate(paths):
        with create(format, path, values, "reader") as reader:
            if classes not in (None, reader.classes):
                raise JetkitError(f"{path} has other classes than {paths[0]}: convert them into datasets of their own")
            classes = reader.classes
            unknown.update(reader.unknown)
            sources.append({"name": path.name, "sha256": sha256_of(path), "entries": reader.entries})
            beside.update({companion.name: sha256_of(companion) for companion in reader.companions})
            steps = range(0, reader.entries, options.shard)
            ends = [min(start + options.shard, reader.entries) for start in steps]
        key = (cls, path, tuple(sorted(chosen.items())), number)
        pieces += [Piece(*key, start, stop) for start, stop in zip(steps, ends, strict=True)]
    if not pieces:
        raise JetkitError(f"the files have no entries: {', '.join(str(path) for path in paths[:3])}")
    recipe = {"format": format, "options": chosen, "files": sources, "beside": beside, "shard": options.shard}
    own = entry(format, "reader").plugin
    recipe |= {"plugin": {"source": own.source, "sha256": own.sha256}} if own else {}
    versions = {"jetkit": version("jetkit"), cls.program: version(cls.program)}
    card = Card(
        format,
        classes=list(classes or ()),
        recipe=json.loads(json.dumps(recipe)),
        generator=versions,
        notes=[entry(format, "reader").summary, *_notes(cls, unknown)],
        citation=[entry(format, "reader").paper],
    )
    fingerprint = hashlib.sha256(json.dumps([card.recipe, versions], sort_keys=True).encode()).hexdigest()
    return [replace(piece, fingerprint=fingerprint) for piece in pieces], card


def in_memory(format: str, files: str) -> tuple[Card, list[Memory]]:
    """Read foreign files into memory as a card and shards, without writing anything.

    Raises:
        JetkitError: as `convert`, or the files exceed 2 GiB.
    """
    size = sum(path.stat().st_size for path in _found([files], entry(format, "reader").cls.suffixes))
    if size > LARGEST_IN_MEMORY:
        raise JetkitError(f"{files} has {size / 2**30:.1f} GiB: first jetkit convert {format} {files} out=FOLDER")
    pieces, card = plan(format, [files], ConvertOptions(), {})
    known = COLUMNS | entry(format, "reader").cls.columns
    made, skipped, columns = [], Counter[str](), dict[str, dict[str, str]]()
    for piece in pieces:
        rows, left = read_piece(piece)
        made.append(shard_in_memory(f"{format}:{piece.path} from entry {piece.start}", rows))
        skipped += left
        columns |= {name: known[name]._asdict() for name in rows}
    _close()
    full = replace(card, skipped=dict(skipped), columns=columns)
    return full.with_shards([shard for _, shard in made], complete=True), [memory for memory, _ in made]


def read_piece(piece: Piece) -> tuple[Rows, Counter[str]]:
    """Read the jets of some entries, and count those left out by reason."""
    reader = _opened(piece)
    before = Counter(reader.skipped)
    rows = reader.read(piece.start, piece.stop)
    entry = np.asarray(rows.pop("entry", np.arange(piece.start, piece.stop)))
    rows.setdefault("event_id", entry + piece.number * EVENTS_A_FILE)
    rows, skipped = complete(rows, reader.objects)
    return rows, skipped + (reader.skipped - before)


def _run(pieces: Sequence[Piece], folder: Path, workers: int) -> Iterator[tuple[Piece, Shard]]:
    """Make shards in one or several processes, and yield them as they finish."""
    if workers == 1 or len(pieces) < 2:
        try:
            for piece in pieces:
                yield piece, _make(piece, folder)
        finally:
            _close()
        return
    context, count = get_context("spawn"), min(workers, len(pieces))
    with ProcessPoolExecutor(count, context, _import, (_sources(pieces[0].reader),)) as pool:
        futures = {pool.submit(_make, piece, folder): piece for piece in pieces}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _sources(reader: type[Reader]) -> list[str]:
    """Return the user's file or module that a process must import for a user's reader."""
    own = next((one.plugin for one in entries("reader") if one.cls is reader), None)
    return [own.source.partition(":")[0]] if own else []


def _import(sources: Sequence[str]) -> None:
    for one in sources:
        adopt(one)


def _make(piece: Piece, folder: Path) -> Shard:
    rows, skipped = read_piece(piece)
    metadata = {"jetkit": piece.fingerprint, "counts": json.dumps(skipped, sort_keys=True)}
    return write_shard(folder / piece.name, rows, metadata)


_OPEN: dict[tuple[type[Reader], Path, str], Reader] = {}
"""Reader of the last file, kept because the pieces of a file follow each other."""


def _opened(piece: Piece) -> Reader:
    key = (piece.reader, piece.path, repr(piece.values))
    if key not in _OPEN:
        _close()
        _OPEN[key] = piece.reader(piece.path, **dict(piece.values))
    return _OPEN[key]


def _close() -> None:
    while _OPEN:
        _OPEN.popitem()[1].close()


def _found(files: Sequence[str | Path], suffixes: Sequence[str]) -> list[Path]:
    """Return the files that are named, each once and in the given order; files of a folder or pattern by name.

    Raises:
        JetkitError: a name matches nothing.
    """
    found: list[Path] = []
    for name in files:
        place = Path(name)
        if place.is_dir():
            here = sorted(path for path in place.rglob("*") if path.name.lower().endswith(tuple(suffixes)))
        else:
            here = [place] if place.exists() else sorted(Path(hit) for hit in glob.glob(str(name), recursive=True))  # noqa: PTH207
        if not here:
            raise JetkitError(f"{name} is no file, no folder with {' or '.join(suffixes)} files and no pattern of such")
        found += here
    if not found:
        raise JetkitError("no files are given; name files, folders or patterns such as 'train/*.root'")
    return list(dict.fromkeys(found))


def _notes(cls: type[Reader], unknown: Mapping[str, int]) -> Iterator[str]:
    if cls.dropped:
        yield "left out: " + ", ".join(f"{name} ({why})" for name, why in sorted(cls.dropped.items()))
    if unknown:
        yield f"unknown branches, left out: {', '.join(sorted(unknown))}"
