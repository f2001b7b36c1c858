"""Blocks: the usable rows of one row group as flat arrays; unusable rows are counted by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from jetkit.data.batch import LABEL
from jetkit.data.features import all_finite, compute_features
from jetkit.data.layout import LABEL_COLUMN, Collection, Columns, Layout, axis_columns, list_columns
from jetkit.data.origins import ORIGIN, ORIGIN_COLUMNS, nearest_decay_products
from jetkit.data.ragged import Array, Ragged, Values, take_rows
from jetkit.data.shards import ShardReader
from jetkit.data.spec import TargetSpec
from jetkit.data.twins import PAIR
from jetkit.data.usable import REASONS, judge_particles
from jetkit.errors import JetkitError
from jetkit.kernels import kernel


@dataclass(frozen=True, eq=False)
class Objects:
    """One collection in many rows; the counts[i] objects of row i begin at column starts[i] of x and p4."""

    starts: Int[np.ndarray, " rows"]
    counts: Int[np.ndarray, " rows"]
    x: Float[np.ndarray, "F total"]
    p4: Float[np.ndarray, "4 total"] | Float[np.ndarray, "0 total"]
    """Momenta (E, px, py, pz); without rows if the objects have none."""
    targets: Mapping[str, Array] = field(default_factory=dict)
    links: Mapping[str, Int[np.ndarray, " total"]] = field(default_factory=dict)
    """Collection → place among its objects in the same row; −1 if none."""


@dataclass(frozen=True, eq=False)
class Block:
    """Usable rows of one row group."""

    sets: Mapping[str, Objects]
    row: Float[np.ndarray, "rows G"]
    arrays: Mapping[str, Float[np.ndarray, "rows ..."]]
    targets: Mapping[str, Array]
    """One value per row, including ``label``."""
    weight: Float[np.ndarray, " rows"]
    rows: Int[np.ndarray, " rows"]
    """Place of each row among the requested ones."""
    event: Int[np.ndarray, " rows"] | None
    pair: Int[np.ndarray, " rows"] | None
    skipped: Mapping[str, int]
    """Reason → number of rows left out."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def work(self) -> Int[np.ndarray, " rows"]:
        """Number of objects of the first collection in each row."""
        first = next(iter(self.sets.values()), None)
        return np.ones(len(self), np.int64) if first is None else first.counts


@dataclass(eq=False)
class _Flat:
    """Columns of one collection as read, before rows are left out."""

    values: dict[str, Array]
    offsets: Int[np.ndarray, " rows+1"]


class BlockReader:
    """Reader of row groups as blocks for one layout; ``length`` limits the objects of a row if they have momenta.

    Raises:
        JetkitError: a required column is absent.
    """

    def __init__(self, layout: Layout, columns: Columns, *, length: int | None = None) -> None:
        self.layout, self.length, self.classes = layout, length, len(columns.classes)
        self.origins = ORIGIN in layout.targets and ORIGIN not in columns.types
        self._lists = {name: list_columns(name, one, columns) for name, one in layout.sets.items()}
        axes = [name for one in layout.sets.values() for name in axis_columns(one, columns)]
        self._axes = tuple(dict.fromkeys(axes))
        self._flat = tuple(dict.fromkeys([*layout.row_columns, *self._axes]))
        lists = [name for names in self._lists.values() for name in names]
        self._columns = list(dict.fromkeys([*lists, *self._flat, *layout.arrays]))

    def read(self, shard: ShardReader, group: int, rows: Int[np.ndarray, " rows"]) -> Block:
        """Return the usable rows among some rows of one row group.

        Raises:
            JetkitError: the file is damaged, or a column has a type that does not fit its use.
        """
        told = self.origins and set(ORIGIN_COLUMNS) <= set(shard.columns)
        wanted = [*self._columns, *(ORIGIN_COLUMNS if told else [])]
        columns = {name: take_rows(column, rows) for name, column in shard.read(wanted, [group]).items()}
        reasons = np.zeros(len(rows), np.uint8)
        row = {name: _number(columns[name], name, shard) for name in self._flat}
        flat = {name: _flatten(columns, names, reasons, shard) for name, names in self._lists.items()}
        if self.origins:
            decays = [_list(columns[name]) for name in ORIGIN_COLUMNS] if told else []
            _add_origins(flat["part"], decays)
        sets = {name: self._objects(name, one, flat, row, reasons) for name, one in self.layout.sets.items()}
        values, weight = self._row_columns(row, reasons)
        targets = {name: row[name] for name, one in self.layout.targets.items() if not one.of}
        if self.layout.labelled:
            targets = {LABEL: self._label(row[LABEL_COLUMN], reasons), **targets}
        arrays = {
            name: _array(columns[name], name, shape, reasons, shard) for name, shape in self.layout.arrays.items()
        }
        keep = np.flatnonzero(reasons == 0)
        skipped = {REASONS[code]: count for code, count in sorted(Counter(reasons[reasons > 0].tolist()).items())}
        return Block(
            {name: _kept(one, keep) for name, one in sets.items()},
            values[keep],
            {name: array[keep] for name, array in arrays.items()},
            {name: array[keep] for name, array in targets.items()},
            weight[keep],
            keep,
            row["event_id"][keep] if self.layout.event else None,
            row[PAIR][keep] if self.layout.pair else None,
            skipped,
        )

    def _objects(
        self, name: str, one: Collection, flat: Mapping[str, _Flat], row: Mapping[str, Array], reasons: Array
    ) -> Objects:
        """Return one collection cut to the largest length, and mark unusable rows."""
        first = name == next(iter(self.layout.sets))
        here = flat[name]
        keep = self._keep(here, one)
        values, offsets = here.values, here.offsets
        ends = [(to, here.values[column]) for column, to in one.links.items()]
        links = {to: _judged_links(link, offsets, flat[to].offsets, reasons) for to, link in ends}
        if keep is not None:
            values = {key: array[keep] for key, array in values.items()}
            links = {to: link[keep] for to, link in links.items()}
            assert self.length is not None
            offsets = np.concatenate([[0], np.cumsum(np.minimum(np.diff(offsets), self.length))])
        for to in links:
            gone = self._keep(flat[to], self.layout.sets[to])
            if gone is not None:
                links[to] = _moved(links[to], offsets, gone, flat[to].offsets)
        p4 = np.empty((0, offsets[-1]), np.float32)
        if one.momenta:
            p4 = _table(values, one.momenta)
            judge_particles(p4[0], p4[1], p4[2], p4[3], offsets, reasons, first)
        counts = np.diff(offsets)
        if first:
            reasons[(reasons == 0) & (counts == 0)] = REASONS.index("no particles")
        axes = {key: row[key] for key in self._axes}
        x = compute_features(values | axes, counts, one.features)
        _judge_features(x, offsets, reasons)
        for key in one.targets:
            _judge_classes(values[key], self.layout.targets[key], reasons, offsets)
        return Objects(offsets[:-1], counts, x, p4, {key: values[key] for key in one.targets}, links)

    def _keep(self, flat: _Flat, one: Collection) -> Array | None:
        """Return a mask of the ``length`` objects of largest pT in each row; None if all are kept."""
        counts = np.diff(flat.offsets)
        if self.length is None or not one.momenta or not len(counts) or counts.max() <= self.length:
            return None
        kept: Array = _leading(flat.values[one.momenta[1]], flat.values[one.momenta[2]], flat.offsets, self.length)
        return kept

    def _row_columns(self, row: Mapping[str, Array], reasons: Array) -> tuple[Array, Array]:
        """Return the features and the weight of each row."""
        size = len(reasons)
        values = compute_features(row, np.ones(size, np.int64), self.layout.row).T
        with np.errstate(over="ignore"):
            weight = row[self.layout.weight].astype(np.float32) if self.layout.weight else np.ones(size, np.float32)
        finite = np.isfinite(values).all(axis=1) & np.isfinite(weight)
        for name, one in self.layout.targets.items():
            if not one.of and one.kind == "real":
                finite &= np.isfinite(row[name])
            elif not one.of:
                _judge_classes(row[name], one, reasons)
        reasons[(reasons == 0) & ~finite] = REASONS.index("a jet column with NaN or infinity")
        return np.ascontiguousarray(values), weight

    def _label(self, stored: Array, reasons: Array) -> Array:
        """Return the class index of each row, −1 if unknown."""
        label = np.full(len(stored), -2) if stored.dtype.kind == "f" else stored.astype(np.int64)
        if stored.dtype.kind == "f":
            whole = np.isfinite(stored) & (np.abs(stored) < 2**31) & (stored == np.round(stored))
            label[whole] = stored[whole].astype(np.int64)
        wrong = (label < -1) | (label >= self.classes)
        reasons[(reasons == 0) & wrong] = REASONS.index("a label that is not a class")
        return label


def merge(blocks: Sequence[Block]) -> Block:
    """Merge blocks into one; x and p4 then have one row per object: (total, F) and (total, 4)."""
    skipped: Counter[str] = Counter()
    for block in blocks:
        skipped.update(block.skipped)
    first = blocks[0]
    return Block(
        {name: _merged([block.sets[name] for block in blocks]) for name in first.sets},
        np.concatenate([block.row for block in blocks]),
        {name: np.concatenate([block.arrays[name] for block in blocks]) for name in first.arrays},
        {name: np.concatenate([block.targets[name] for block in blocks]) for name in first.targets},
        np.concatenate([block.weight for block in blocks]),
        np.concatenate([block.rows for block in blocks]),
        _joined([block.event for block in blocks]),
        _joined([block.pair for block in blocks]),
        skipped,
    )


def _merged(parts: Sequence[Objects]) -> Objects:
    shifts = np.cumsum([0, *(part.p4.shape[1] for part in parts)])
    return Objects(
        np.concatenate([part.starts + shift for part, shift in zip(parts, shifts, strict=False)]),
        np.concatenate([part.counts for part in parts]),
        _transposed([part.x for part in parts]),
        _transposed([part.p4 for part in parts]),
        {name: np.concatenate([part.targets[name] for part in parts]) for name in parts[0].targets},
        {name: np.concatenate([part.links[name] for part in parts]) for name in parts[0].links},
    )


def _joined(parts: Sequence[Array | None]) -> Array | None:
    found = [part for part in parts if part is not None]
    return np.concatenate(found) if found else None


def _transposed(tables: Sequence[Float[np.ndarray, "F _"]]) -> Float[np.ndarray, "total F"]:
    """Join tables side by side, and transpose them."""
    out = np.empty((sum(table.shape[1] for table in tables), len(tables[0])), np.float32)
    start = 0
    for table in tables:
        _transpose(table, out[start : start + table.shape[1]])
        start += table.shape[1]
    return out


@kernel
def _transpose(table: Array, out: Array) -> None:
    for j in range(len(out)):
        for k in range(len(table)):
            out[j, k] = table[k, j]


def _kept(one: Objects, keep: Array) -> Objects:
    return Objects(one.starts[keep], one.counts[keep], one.x, one.p4, one.targets, one.links)


def _number(column: Values, name: str, shard: ShardReader) -> Array:
    if isinstance(column, Ragged):
        raise JetkitError(f"{shard.path}: column {name} should hold one number per row to be used in a batch")
    return column


def _list(column: Values) -> Ragged:
    assert isinstance(column, Ragged), "a column of the hard process holds a list per row"
    return column


def _flatten(columns: Mapping[str, Values], names: Sequence[str], reasons: Array, shard: ShardReader) -> _Flat:
    """Flatten columns with common offsets; rows whose list lengths differ lose their objects."""
    lists: dict[str, Ragged] = {}
    for name in names:
        column = columns[name]
        if not isinstance(column, Ragged):
            raise JetkitError(f"{shard.path}: column {name} should hold a list per row to be used in a batch")
        lists[name] = column
    counts = next(iter(lists.values())).counts
    unequal = np.zeros(len(reasons), bool)
    for column in lists.values():
        unequal |= column.counts != counts
    reasons[unequal] = REASONS.index("particle lists of unequal lengths")
    if unequal.any():
        lists = {name: _emptied(column, unequal) for name, column in lists.items()}
    offsets = next(iter(lists.values())).offsets.astype(np.int64)
    return _Flat({name: column.values for name, column in lists.items()}, offsets)


def _emptied(column: Ragged, rows: Array) -> Ragged:
    """Empty the lists of some rows."""
    values = column.values[np.repeat(~rows, column.counts)]
    return Ragged(values, np.concatenate([[0], np.cumsum(np.where(rows, 0, column.counts))]))


def _add_origins(flat: _Flat, decays: Sequence[Ragged]) -> None:
    """Add the number of the decay product nearest to each particle, if the file has decay products."""
    momenta = _table(flat.values, ("part_px", "part_py", "part_pz"))
    found = nearest_decay_products(momenta, flat.offsets, *decays) if decays else np.full(momenta.shape[1], -1)
    flat.values[ORIGIN] = found


def _table(values: Mapping[str, Array], names: Sequence[str]) -> Float[np.ndarray, "4 total"]:
    with np.errstate(over="ignore"):
        return np.stack([values[name].astype(np.float32, copy=False) for name in names])


def _array(column: Values, name: str, shape: tuple[int, ...] | None, reasons: Array, shard: ShardReader) -> Array:
    """Reshape a list column of fixed length to an array with this shape per row."""
    counts = column.counts if isinstance(column, Ragged) else np.ones(len(column), np.int64)
    size = int(np.prod(shape)) if shape else int(counts[0]) if len(counts) else 0
    if (counts != size).any():
        raise JetkitError(f"{shard.path}: lists of {name} should all have {size} numbers to be used as an array")
    values = column.values if isinstance(column, Ragged) else column
    with np.errstate(over="ignore"):
        table: Array = np.ascontiguousarray(values, np.float32).reshape(len(counts), size)
    finite = np.isfinite(table).all(axis=1)
    reasons[(reasons == 0) & ~finite] = REASONS.index("a feature with NaN or infinity")
    return table.reshape(len(table), *shape) if shape else table


def _judge_features(x: Array, offsets: Array, reasons: Array) -> None:
    """Mark rows with a non-finite feature."""
    if not all_finite(x):
        broken = np.flatnonzero(~np.isfinite(x).all(axis=0))
        rows = np.searchsorted(offsets, broken, side="right") - 1
        reasons[rows[reasons[rows] == 0]] = REASONS.index("a feature with NaN or infinity")


def _judge_classes(values: Array, target: TargetSpec, reasons: Array, offsets: Array | None = None) -> None:
    """Mark rows with a value, of the row or an object, that is not a class (negative means unknown)."""
    if target.kind != "class":
        return
    wrong = np.flatnonzero((values >= len(target.classes)) | ((values != np.round(values)) & np.isfinite(values)))
    if len(wrong):
        rows = wrong if offsets is None else np.searchsorted(offsets, wrong, side="right") - 1
        reasons[rows[reasons[rows] == 0]] = REASONS.index("a label that is not a class")


def _judged_links(link: Array, offsets: Array, to_offsets: Array, reasons: Array) -> Int[np.ndarray, " total"]:
    """Return links as integers; rows with a link to no object are marked, and their links set to −1."""
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    with np.errstate(invalid="ignore"):
        whole = link.astype(np.int64)
    wrong = (whole != link) | (whole < -1) | (whole >= np.diff(to_offsets)[owner])
    if wrong.any():
        rows = owner[wrong]
        reasons[rows[reasons[rows] == 0]] = REASONS.index("a link to an object that is not there")
        whole[wrong] = -1
    return whole


@kernel
def _leading(px: Array, py: Array, offsets: Array, length: int) -> Array:
    """Return a mask of the ``length`` objects of largest pT in each row (the earlier of two equal ones)."""
    keep = np.ones(len(px), np.bool_)
    for i in range(len(offsets) - 1):
        start, stop = offsets[i], offsets[i + 1]
        if stop - start > length:
            pt2 = px[start:stop] * px[start:stop] + py[start:stop] * py[start:stop]
            order = np.argsort(-pt2, kind="mergesort")
            for j in order[length:]:
                keep[start + j] = False
    return keep


@kernel
def _moved(link: Array, offsets: Array, keep: Array, to_offsets: Array) -> Array:
    """Renumber links after objects were removed; links to removed objects become −1."""
    out = link.copy()
    places = np.cumsum(keep)
    for i in range(len(offsets) - 1):
        start = to_offsets[i]
        before = places[start - 1] if start > 0 else 0
        for j in range(offsets[i], offsets[i + 1]):
            if link[j] >= 0:
                k = start + link[j]
                out[j] = places[k] - before - 1 if keep[k] else -1
    return out
