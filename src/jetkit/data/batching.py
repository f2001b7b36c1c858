"""Order of rows in an epoch: loader options, and the windows of rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jetkit.data.source import Source, groups_of
from jetkit.errors import JetkitError


@dataclass(frozen=True)
class Batching:
    """Options for cutting a dataset into batches.

    Raises:
        JetkitError: a number is out of range.
    """

    batch: int = 128
    """Largest number of rows in a batch; batches of a window differ by at most one row."""
    features: Any = "full"
    """A set (momentum, kin, kinpid, full), columns of objects and rows, taken as they are, or a feature table."""
    row: tuple[Any, ...] | None = None
    """Features of the row (default: those that ``features`` names, else those of JET_FEATURES that are there)."""
    length: int = 128
    """Largest number of particles in a row: those of largest pT are kept, in stored order. Objects without
    momenta are all kept."""
    shuffle: bool = True
    """Shuffle the rows; False keeps the stored order."""
    seed: int = 0
    epoch: int = 0
    window: int = 20000
    """Number of rows in memory, which are shuffled together."""
    bucket: bool = False
    """Collect rows of similar length in a batch to reduce padding (only if shuffled). Such batches are not
    random: do not use them with batch normalisation, whose statistics would reveal the multiplicity."""
    twins: bool = False
    """Keep only complete pairs of twins, which are neighbours in the batch (``x[0::2]`` and ``x[1::2]``), with the pair
    number in ``index.pair``; rows without their twin are left out."""
    drop_last: bool = False
    """Yield only full batches; the last rows of a window are left out of this epoch."""
    p4: bool = True
    """Carry the four-momenta of collections."""
    targets: Any = ()
    """Columns to learn, of the row or of objects; a mapping also gives their kind: class names, their number, real,
    flag or index."""
    arrays: Any = ()
    """List columns of fixed length that become arrays; a mapping also gives the shape of a row."""
    links: tuple[str, ...] = ()
    """Columns such as hit_particle: for each object of the first kind its place among those of the second; −1: none."""
    weight: str | None = None
    """Column of row weights, which may be negative (default: 1)."""
    event: bool = False
    """Carry ``index.event``."""
    rank: int = 0
    world_size: int = 1
    """Number of processes; each receives different rows and the same number of batches. If shuffled, each receives the
    same classes (:func:`share_of`) and batches of similar numbers of objects
    (:func:`jetkit.data.loader.dealt`), so that no process waits for another."""

    def __post_init__(self) -> None:
        for name in ("features", "row", "targets", "arrays", "links"):
            value = getattr(self, name)
            if isinstance(value, str) and name != "features":
                raise JetkitError(f"option {name} should be a list of columns, got {value!r}: write [{value}]")
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))
            elif isinstance(value, Mapping):
                object.__setattr__(self, name, dict(value))
        for name, least in {"batch": 1, "length": 1, "window": 1, "world_size": 1, "epoch": 0, "seed": 0}.items():
            if getattr(self, name) < least:
                raise JetkitError(f"option {name} should be at least {least}, got {getattr(self, name)}")
        if not 0 <= self.rank < self.world_size:
            raise JetkitError(f"option rank should be from 0 to {self.world_size - 1}, got {self.rank}")
        if self.world_size > 1 and self.batch < 2:
            raise JetkitError("option batch should be at least 2 when several processes share the rows")
        if self.twins and self.batch < 2:
            raise JetkitError("option batch should be at least 2 where jets come as twins")

    def shared(self, worker: int, workers: int, epoch: int) -> Batching:
        """Return the options for one worker of this process; workers share its rows, starting some epochs later."""
        rank, world = self.rank * workers + worker, self.world_size * workers
        return replace(self, rank=rank, world_size=world, epoch=self.epoch + epoch)

    @property
    def together(self) -> int:
        """Number of rows that stay together in a batch."""
        return 2 if self.twins else 1

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Batching:
        """Create a Batching from options by name.

        Raises:
            JetkitError: an option is unknown.
        """
        known = [item.name for item in fields(cls)]
        unknown = [name for name in options if name not in known]
        if unknown:
            raise JetkitError(f"unknown option {', '.join(unknown)}: the options are {', '.join(known)}")
        return cls(**options)


class Piece(NamedTuple):
    """Some rows of one row group."""

    source: int
    group: int
    rows: Int[np.ndarray, " rows"]
    """Row numbers from the start of the group."""
    first: int
    """Place of the first of these rows in the dataset."""
    stratum: tuple[str, int]
    """Class of the rows, or their file if it has several classes."""


def windows_of(sources: Sequence[Source], options: Batching, epoch: int) -> list[list[Piece]]:
    """Return the pieces of each window of an epoch, for all ranks together.

    Raises:
        JetkitError: there are fewer rows than ranks.
    """
    pieces = _pieces(sources)
    if not pieces:
        return []
    if options.shuffle:
        keys = _interleaved([piece.stratum for piece in pieces], np.random.default_rng([options.seed, epoch]))
        pieces = [pieces[i] for i in np.argsort(keys, kind="stable")]
    sizes = np.array([len(piece.rows) for piece in pieces])
    ends = np.cumsum(sizes)
    count = max(1, round(ends[-1] / (options.window * options.world_size)))
    number = ((ends - sizes / 2) * count / ends[-1]).astype(int)
    windows: list[list[Piece]] = [[] for _ in range(count)]
    for piece, window in zip(pieces, number, strict=True):
        windows[window].append(piece)
    return _merged_small([window for window in windows if window], options.world_size)


def rows_in(window: Sequence[Piece]) -> int:
    """Count the rows of a window."""
    return sum(len(piece.rows) for piece in window)


def share_of(window: Sequence[Piece], options: Batching) -> list[slice]:
    """Return the rows of each piece that belong to this rank.

    A rank receives a contiguous stretch of the window or, if rows are shuffled, of each of its strata. Processes whose
    shards hold one class each thus receive the same classes and similar work. Over all strata, ranks differ by at most
    one row (by two for twins). A stretch, rather than a part of every piece, keeps the number of row groups read by
    several ranks low.
    """
    strata = [piece.stratum if options.shuffle else ("all", 0) for piece in window]
    rows: Counter[tuple[str, int]] = Counter()
    for piece, stratum in zip(window, strata, strict=True):
        rows[stratum] += len(piece.rows)
    stretches, before = {}, 0
    for stratum, size in rows.items():
        after = before + size // options.together
        stretches[stratum] = _stretch(before, after, size, options)
        before = after
    shares, seen = [], Counter[tuple[str, int]]()
    for piece, stratum in zip(window, strata, strict=True):
        low, high = (min(max(edge - seen[stratum], 0), len(piece.rows)) for edge in stretches[stratum])
        shares.append(slice(low, high))
        seen[stratum] += len(piece.rows)
    return shares


def _stretch(before: int, after: int, size: int, options: Batching) -> tuple[int, int]:
    """Return the first and last row of this rank in a stratum, with leftover rows assigned to the last rank.

    Units are dealt one at a time; those of all strata before and up to this one end at ``before`` and ``after``.
    """
    world = options.world_size
    units = [(after + late) // world - (before + late) // world for late in reversed(range(world))]
    low = sum(units[: options.rank]) * options.together
    return low, size if options.rank + 1 == world else low + units[options.rank] * options.together


def _pieces(sources: Sequence[Source]) -> list[Piece]:
    """Return the row groups of a dataset with their selected rows."""
    pieces, first = [], 0
    for number, source in enumerate(sources):
        stratum = ("file", number) if source.label is None else ("class", source.label)
        for group, rows in groups_of(source, source.index):
            pieces.append(Piece(number, group, rows, first, stratum))
            first += len(rows)
    return pieces


def _interleaved(strata: Sequence[tuple[str, int]], random: np.random.Generator) -> Float[np.ndarray, " groups"]:
    """Return a random key per row group, such that the groups of each stratum are spread evenly over [0, 1)."""
    keys, found = np.empty(len(strata)), defaultdict(list)
    for index, stratum in enumerate(strata):
        found[stratum].append(index)
    for members in found.values():
        keys[members] = (random.permutation(len(members)) + random.random(len(members))) / len(members)
    return keys


def _merged_small(windows: list[list[Piece]], least: int) -> list[list[Piece]]:
    """Merge windows of fewer than ``least`` rows into the preceding one."""
    merged: list[list[Piece]] = []
    for window in windows:
        if merged and min(rows_in(window), rows_in(merged[-1])) < least:
            merged[-1] = merged[-1] + window
        else:
            merged.append(window)
    if merged and rows_in(merged[0]) < least:
        raise JetkitError(f"the dataset has fewer rows than the {least} processes that share it: use fewer processes")
    return merged
