"""A block: the usable jets of one row group, with their features; unusable rows are counted by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from jetkit.data.columns import P4_COLUMNS
from jetkit.data.features import Features, all_finite, feature_columns, objects_of, particle_features
from jetkit.data.origins import ORIGIN, ORIGIN_COLUMNS, nearest_decay_products
from jetkit.data.ragged import Array, Ragged, Values, take_rows
from jetkit.data.shards import ShardReader
from jetkit.data.usable import REASONS, judge_particles
from jetkit.errors import JetkitError
from jetkit.kernels import kernel


@dataclass(frozen=True, eq=False)
class Block:
    """Jets of one row group; the counts[i] particles of jet i begin at column starts[i] of x and p4."""

    starts: Int[np.ndarray, " jets"]
    counts: Int[np.ndarray, " jets"]
    x: Float[np.ndarray, "F total"]
    p4: Float[np.ndarray, "4 total"] | Float[np.ndarray, "0 total"]
    """Without rows where the objects have no momenta."""
    jet: Float[np.ndarray, "jets G"]
    label: Int[np.ndarray, " jets"]
    weight: Float[np.ndarray, " jets"]
    targets: Mapping[str, Array]
    """A value per jet, or for ``part_…`` per particle (for hits ``hit_…`` per hit)."""
    rows: Int[np.ndarray, " jets"]
    """Place of each jet among the rows that were asked for."""
    skipped: Mapping[str, int]
    """Reason → number of rows left out."""


class BlockReader:
    """Reads row groups as blocks, for one choice of features, jet features and targets.

    Raises:
        JetkitError: a column that is needed is absent.
    """

    def __init__(
        self,
        available: Sequence[str],
        classes: Sequence[str],
        *,
        features: Features | None = None,
        length: int | None = None,
        jet_features: Sequence[str] = (),
        targets: Sequence[str] = (),
        weight: str | None = None,
    ) -> None:
        self.features, self.length, self.classes, self.weight = features, length, len(classes), weight
        self.jet_features, self.targets = tuple(jet_features), tuple(targets)
        self.labelled = "jet_label" in available
        self.objects = objects_of(features)
        columns = isinstance(features, Sequence) and not isinstance(features, str)
        self.momenta = not columns or (self.objects == "part" and set(P4_COLUMNS) <= set(available))
        self.origins = ORIGIN in targets and ORIGIN not in available and set(ORIGIN_COLUMNS) <= set(available)
        momenta = P4_COLUMNS if self.momenta else ()
        stored = [name for name in self.targets if not (self.origins and name == ORIGIN)]
        named = [*self.jet_features, *stored, *([weight] if weight else []), *momenta]
        absent = [name for name in named if name not in available]
        if absent:
            raise JetkitError(f"the dataset has no column {', '.join(absent)}: it has {', '.join(available)}")
        needed = [] if features is None else feature_columns(features, available)
        self.columns = list(dict.fromkeys([*needed, *named, *(["jet_label"] if self.labelled else [])]))

    def read(self, shard: ShardReader, group: int, rows: Int[np.ndarray, " rows"]) -> Block:
        """Usable jets among some rows of one row group.

        Raises:
            JetkitError: the file is damaged, or a column has a type that does not fit its use.
        """
        told = self.origins and set(ORIGIN_COLUMNS) <= set(shard.columns)
        read = [*self.columns, *(ORIGIN_COLUMNS if told else [])]
        columns = {name: take_rows(column, rows) for name, column in shard.read(read, [group]).items()}
        decays = [_list(columns.pop(name)) for name in ORIGIN_COLUMNS] if told else []
        reasons = np.zeros(len(rows), np.uint8)
        flat, offsets = _flatten(columns, self.objects, reasons, shard)
        if self.origins:
            p3 = _p4_table(flat)[1:]
            flat[ORIGIN] = nearest_decay_products(p3, offsets, *decays) if told else np.full(p3.shape[1], -1)
        p4 = np.empty((0, offsets[-1]), np.float32)
        if self.momenta:
            flat, offsets = self._cut(flat, offsets)
            p4 = _p4_table(flat)
            judge_particles(p4[0], p4[1], p4[2], p4[3], offsets, reasons)
        counts = np.diff(offsets)
        reasons[(reasons == 0) & (counts == 0)] = REASONS.index("no particles")
        label, jet, weight = self._jet_columns(flat, reasons)
        if self.features is None:
            x = np.empty((0, p4.shape[1]), np.float32)
        else:
            x = particle_features(flat, counts, self.features)
            _judge_features(x, offsets, reasons)
        keep = np.flatnonzero(reasons == 0)
        targets = {name: flat[name] if self.is_list(name) else flat[name][keep] for name in self.targets}
        skipped = {REASONS[code]: count for code, count in sorted(Counter(reasons[reasons > 0].tolist()).items())}
        return Block(offsets[keep], counts[keep], x, p4, jet[keep], label[keep], weight[keep], targets, keep, skipped)

    def is_list(self, name: str) -> bool:
        """Whether a column has a value per particle, and not one per jet."""
        return name.startswith(f"{self.objects}_")

    def _cut(self, flat: dict[str, Array], offsets: Array) -> tuple[dict[str, Array], Array]:
        """Leave the ``length`` particles of largest pT, in stored order, of every longer jet."""
        if self.length is None or len(offsets) < 2 or np.diff(offsets).max() <= self.length:
            return flat, offsets
        keep = _leading(flat["part_px"], flat["part_py"], offsets, self.length)
        cut = {name: values[keep] if self.is_list(name) else values for name, values in flat.items()}
        return cut, np.concatenate([[0], np.cumsum(np.minimum(np.diff(offsets), self.length))])

    def _jet_columns(self, flat: Mapping[str, Array], reasons: Array) -> tuple[Array, Array, Array]:
        """Label, jet features and weight of each row."""
        size = len(reasons)
        jet = np.empty((size, len(self.jet_features)), np.float32)
        with np.errstate(over="ignore"):
            for index, name in enumerate(self.jet_features):
                jet[:, index] = flat[name]
            weight = flat[self.weight].astype(np.float32) if self.weight else np.ones(size, np.float32)
        finite = np.isfinite(jet).all(axis=1) & np.isfinite(weight)
        reasons[(reasons == 0) & ~finite] = REASONS.index("a jet column with NaN or infinity")
        if not self.labelled:
            return np.full(size, -1), jet, weight
        stored = flat["jet_label"]
        label = np.full(size, -2) if stored.dtype.kind == "f" else stored.astype(np.int64)
        if stored.dtype.kind == "f":
            whole = np.isfinite(stored) & (np.abs(stored) < 2**31) & (stored == np.round(stored))
            label[whole] = stored[whole].astype(np.int64)
        wrong = (label < -1) | (label >= self.classes)
        reasons[(reasons == 0) & wrong] = REASONS.index("a label that is not a class")
        return label, jet, weight


def merge(blocks: Sequence[Block]) -> Block:
    """One block of several; x and p4 now have a row per particle: (total, F) and (total, 4)."""
    shifts = np.cumsum([0, *(block.p4.shape[1] for block in blocks)])
    skipped: Counter[str] = Counter()
    for block in blocks:
        skipped.update(block.skipped)
    return Block(
        starts=np.concatenate([block.starts + shift for block, shift in zip(blocks, shifts, strict=False)]),
        counts=np.concatenate([block.counts for block in blocks]),
        x=_transposed([block.x for block in blocks]),
        p4=_transposed([block.p4 for block in blocks]),
        jet=np.concatenate([block.jet for block in blocks]),
        label=np.concatenate([block.label for block in blocks]),
        weight=np.concatenate([block.weight for block in blocks]),
        targets={name: np.concatenate([block.targets[name] for block in blocks]) for name in blocks[0].targets},
        rows=np.concatenate([block.rows for block in blocks]),
        skipped=skipped,
    )


def _transposed(tables: Sequence[Float[np.ndarray, "F _"]]) -> Float[np.ndarray, "total F"]:
    """Tables side by side, a row per column."""
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


def _flatten(
    columns: Mapping[str, Values], objects: str, reasons: Array, shard: ShardReader
) -> tuple[dict[str, Array], Array]:
    """Flat arrays, and the offsets that all particle columns share; rows where lengths differ lose their particles."""
    for name, column in columns.items():
        if isinstance(column, Ragged) != name.startswith(f"{objects}_"):
            kind = "a list" if name.startswith(f"{objects}_") else "one number"
            raise JetkitError(f"{shard.path}: column {name} should hold {kind} per row to be used in a Cloud")
    lists = {name: column for name, column in columns.items() if isinstance(column, Ragged)}
    counts = next(iter(lists.values())).counts
    unequal = np.zeros(len(reasons), bool)
    for column in lists.values():
        unequal |= column.counts != counts
    reasons[unequal] = REASONS.index("particle lists of unequal lengths")
    if unequal.any():
        lists = {name: _emptied(column, unequal) for name, column in lists.items()}
    flat = {name: column for name, column in columns.items() if not isinstance(column, Ragged)}
    offsets = next(iter(lists.values())).offsets.astype(np.int64)
    return flat | {name: column.values for name, column in lists.items()}, offsets


def _list(column: Values) -> Ragged:
    assert isinstance(column, Ragged), "a column of the hard process holds a list per jet"
    return column


def _emptied(column: Ragged, rows: Array) -> Ragged:
    """The column with the lists of some rows made empty."""
    values = column.values[np.repeat(~rows, column.counts)]
    return Ragged(values, np.concatenate([[0], np.cumsum(np.where(rows, 0, column.counts))]))


def _p4_table(flat: Mapping[str, Array]) -> Float[np.ndarray, "4 total"]:
    with np.errstate(over="ignore"):
        return np.stack([flat[name].astype(np.float32, copy=False) for name in P4_COLUMNS])


def _judge_features(x: Array, offsets: Array, reasons: Array) -> None:
    """Mark rows with a feature that is not finite."""
    if not all_finite(x):
        broken = np.flatnonzero(~np.isfinite(x).all(axis=0))
        jets = np.searchsorted(offsets, broken, side="right") - 1
        reasons[jets[reasons[jets] == 0]] = REASONS.index("a feature with NaN or infinity")


@kernel
def _leading(px: Array, py: Array, offsets: Array, length: int) -> Array:
    """True for the ``length`` particles of largest pT of each jet (the earlier of two equal ones)."""
    keep = np.ones(len(px), np.bool_)
    for i in range(len(offsets) - 1):
        start, stop = offsets[i], offsets[i + 1]
        if stop - start > length:
            pt2 = px[start:stop] * px[start:stop] + py[start:stop] * py[start:stop]
            order = np.argsort(-pt2, kind="mergesort")
            for j in order[length:]:
                keep[start + j] = False
    return keep
