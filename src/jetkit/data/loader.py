"""Streaming of a dataset larger than memory as shuffled, padded batches, resumable bit for bit."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch

from jetkit.data.batch import Batch, Index
from jetkit.data.batching import Batching, Piece, rows_in, share_of, windows_of
from jetkit.data.blocks import Block, BlockReader, Objects, merge
from jetkit.data.cloud import Cloud
from jetkit.data.layout import Columns, layout_of
from jetkit.data.ragged import Array
from jetkit.data.shards import Memory, ShardReader
from jetkit.data.source import Source
from jetkit.data.twins import require_twins, twins_of
from jetkit.errors import JetkitError
from jetkit.kernels import kernel

OPEN_FILES = 32
"""Number of shards that a loader keeps open."""
LONELY = "a jet whose twin is not there"


class Loader:
    """Iterator over one epoch of batches, which then stands at the start of the next.

    Row groups are visited in random order, at an even pace from every class if each shard has one class, else from
    every shard, so that no window lacks a class. The rows of a window are shuffled, cut into batches (of jets of
    similar length with ``bucket``), and padded to the longest of the batch. Every usable row appears once per epoch;
    rows left out are counted in ``skipped``. Two iterators over one loader share its position.

    Raises:
        JetkitError: a column that the options ask for is absent, or a file is damaged (while iterating).
    """

    def __init__(
        self, sources: Sequence[Source], columns: Columns, options: Batching, history: Sequence[str] = ()
    ) -> None:
        if options.twins:
            require_twins(columns.types)
        layout = layout_of(options, columns)
        self.spec = layout.spec(columns)
        """Names, units and kinds of what the batches hold."""
        self.options = options
        self._sources, self._history = tuple(sources), tuple(history)
        self._reader = BlockReader(layout, columns, length=options.length)
        self.skipped: Counter[str] = Counter()
        """Reason → rows left out so far in this epoch, or in the one just finished."""
        self._epoch, self._window, self._batch = options.epoch, 0, 0
        self._open: OrderedDict[Path | Memory, ShardReader] = OrderedDict()
        self._one_at_a_time = Lock()

    @property
    def epoch(self) -> int:
        """Epoch of the next batch."""
        return self._epoch

    def __len__(self) -> int:
        """Return the number of batches in this epoch if every row is usable."""
        windows = windows_of(self._sources, self.options, self._epoch)
        return sum(self._steps(rows_in(window) // self.options.together) for window in windows)

    def __iter__(self) -> Iterator[Batch]:
        windows = windows_of(self._sources, self.options, self._epoch)
        if self._window == self._batch == 0:
            self.skipped.clear()
        for block, whole in self._read_ahead(windows):
            units = self._units(block)
            if self._batch == 0:
                self.skipped.update(block.skipped)
                self.skipped += Counter({LONELY: len(block) - units.size})
            for rows in self._cut(block, units, whole)[self._batch :]:
                self._batch += 1
                yield self._made(block, rows)
            self._window, self._batch = self._window + 1, 0
        self._epoch, self._window = self._epoch + 1, 0
        self._close()

    def _read_ahead(self, windows: Sequence[Sequence[Piece]]) -> Iterator[tuple[Block, int]]:
        """Yield the result of `_load` for each window from the current position, while reading the next one."""
        thread = ThreadPoolExecutor(1)
        coming: dict[int, Future[tuple[Block, int]]] = {}
        try:
            while (here := self._window) < len(windows):
                loaded = coming[here].result() if here in coming else self._load(windows[here])
                after = range(len(windows))[here + 1 : here + 2]
                coming = {number: thread.submit(self._load, windows[number]) for number in after}
                yield loaded
        finally:
            thread.shutdown(wait=False, cancel_futures=True)

    def rewind(self) -> None:
        """Return to the beginning of the first epoch, so that the same batches repeat."""
        self._epoch, self._window, self._batch = self.options.epoch, 0, 0

    def state_dict(self) -> dict[str, Any]:
        """Return the position as JSON-compatible values."""
        return {
            "epoch": self._epoch,
            "window": self._window,
            "batch": self._batch,
            "skipped": dict(self.skipped),
            "of": self._fingerprint(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume at a position; the batches that follow are bit-identical.

        Raises:
            JetkitError: the position belongs to other data or other options.
        """
        if state.get("of") != self._fingerprint():
            raise JetkitError(
                "this position belongs to other data or options: open the same dataset with the same ones"
            )
        self._epoch, self._window, self._batch = state["epoch"], state["window"], state["batch"]
        self.skipped = Counter(state["skipped"])

    def _fingerprint(self) -> str:
        """Hash everything that determines the order of the rows; identical in all processes that share them."""
        options = asdict(self.options) | {"epoch": 0, "rank": 0}
        sources = [[source.path.name, list(source.group_rows), len(source)] for source in self._sources]
        text = json.dumps([options, sources, self._history])
        return hashlib.sha256(text.encode()).hexdigest()

    def _random(self, *place: int) -> np.random.Generator:
        return np.random.default_rng([self.options.seed, self._epoch, *place])

    def _steps(self, units: int) -> int:
        """Return the number of batches that every rank makes of a window with this many jets or pairs."""
        batch = self.options.batch // self.options.together
        most = -(-units // self.options.world_size)
        least = units // self.options.world_size
        return least // batch if self.options.drop_last else -(-most // batch)

    def _load(self, window: Sequence[Piece]) -> tuple[Block, int]:
        """Load this rank's usable jets of a window, and return them with the row count of the whole window."""
        with self._one_at_a_time:
            return self._merged(window)

    def _merged(self, window: Sequence[Piece]) -> tuple[Block, int]:
        blocks = []
        for piece, share in zip(window, share_of(window, self.options), strict=True):
            if share.start < share.stop:
                source = self._sources[piece.source]
                block = self._reader.read(self._shard(source.path), piece.group, piece.rows[share])
                blocks.append(replace(block, rows=block.rows + piece.first + share.start))
        return merge(blocks), rows_in(window)

    def _units(self, block: Block) -> Array:
        """Return the jets of a window, (U, 1), or its pairs of twins, (U, 2)."""
        return np.arange(len(block))[:, None] if block.pair is None else twins_of(block.pair)

    def _cut(self, block: Block, units: Array, whole: int) -> list[Array]:
        """Split the jets of a window into batches."""
        batch = self.options.batch // self.options.together
        steps = self._steps(whole // self.options.together if self.options.world_size > 1 else len(units))
        if steps * (batch if self.options.drop_last else 1) > len(units):
            raise JetkitError(
                f"rank {self.options.rank} has {units.size} usable jets for {steps} batches: "
                "too many rows are unusable, leave them out when the dataset is made"
            )
        if steps == 0:
            return []
        random = self._random(self._window, self.options.rank)
        if self.options.shuffle:
            units = units[random.permutation(len(units))]
        if self.options.drop_last:
            units = units[: steps * batch]
        if self.options.shuffle and self.options.bucket:
            units = units[np.argsort(block.work[units].max(axis=1), kind="stable")]
        if self.options.shuffle and self.options.world_size > 1 and not self.options.bucket:
            batches = dealt(units, block.work[units].sum(axis=1), steps, random)
        else:
            batches = np.array_split(units, steps)
        order = random.permutation(steps) if self.options.shuffle else range(steps)
        return [batches[i].ravel() for i in order]

    def _made(self, block: Block, rows: Array) -> Batch:
        """Build a batch from some rows of a window."""
        sets = {name: self._cloud(one, rows) for name, one in block.sets.items()}
        links = {
            (name, to): _padded_links(link, one.starts[rows], one.counts[rows])
            for name, one in block.sets.items()
            for to, link in one.links.items()
        }
        event, pair = (None if ids is None else torch.from_numpy(ids[rows]) for ids in (block.event, block.pair))
        return Batch(
            sets,
            torch.from_numpy(block.row[rows]),
            {name: torch.from_numpy(values[rows]) for name, values in block.arrays.items()},
            {name: torch.from_numpy(values[rows]) for name, values in block.targets.items()},
            links,
            torch.from_numpy(block.weight[rows]),
            Index(torch.from_numpy(block.rows[rows]), event, pair),
        )

    def _cloud(self, one: Objects, rows: Array) -> Cloud:
        starts, counts = one.starts[rows], one.counts[rows]
        longest = max(int(counts.max(initial=0)), 1)
        return Cloud(
            _padded(one.x, starts, counts, longest),
            torch.from_numpy(np.arange(longest) < counts[:, None]),
            _padded(one.p4, starts, counts, longest) if self.options.p4 and one.p4.shape[1] else None,
            {name: _padded(v[:, None], starts, counts, longest)[..., 0] for name, v in one.targets.items()},
        )

    def _shard(self, path: Path | Memory) -> ShardReader:
        """Return an open shard; the least recently used one is closed if too many are open."""
        shard = self._open.pop(path, None) or ShardReader(path)
        self._open[path] = shard
        while len(self._open) > OPEN_FILES:
            self._open.popitem(last=False)[1].__exit__()
        return shard

    def _close(self) -> None:
        while self._open:
            self._open.popitem()[1].__exit__()


def _padded(table: Array, starts: Array, counts: Array, longest: int) -> torch.Tensor:
    """Pad the rows of a table (total, F) with 0 to (B, N, F)."""
    width = table.shape[1]
    out = np.empty((len(starts), longest * width), table.dtype)
    _scatter(table.reshape(-1), starts * width, counts * width, out)
    return torch.from_numpy(out).view(len(starts), longest, width)


def _padded_links(link: Array, starts: Array, counts: Array) -> torch.Tensor:
    """Pad links with −1 to (B, N)."""
    longest = max(int(counts.max(initial=0)), 1)
    found = _padded(link[:, None].astype(np.int64) + 1, starts, counts, longest)[..., 0]
    return found - 1


def dealt(units: Array, work: Array, batches: int, random: np.random.Generator) -> list[Array]:
    """Deal units to batches of equal work, so that synchronised processes do not wait for each other.

    Units are sorted by work. From each run of as many units as there are batches, every batch receives one at random.
    All batches thus have the same distribution of work, which fully random batches only sample. The units that meet in
    a batch are random in both cases.

    Example:
        >>> found = dealt(np.arange(6), np.array([5, 1, 9, 8, 1, 5]), 2, np.random.default_rng(1))
        >>> [sorted(batch.tolist()) for batch in found]
        [[0, 1, 2], [3, 4, 5]]
    """
    runs = -(-len(units) // batches)
    batch = random.permuted(np.tile(np.arange(batches), (runs, 1)), axis=1).ravel()[: len(units)]
    of_unit = np.empty(len(units), dtype=np.int64)
    of_unit[np.argsort(work, kind="stable")] = batch
    return [units[of_unit == number] for number in range(batches)]


@kernel
def _scatter(values: Array, starts: Array, counts: Array, out: Array) -> None:
    for i in range(len(starts)):
        start, count = starts[i], counts[i]
        for j in range(count):
            out[i, j] = values[start + j]
        for j in range(count, out.shape[1]):
            out[i, j] = 0
