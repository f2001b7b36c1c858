"""Datasets: files, selected rows and card."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
from jaxtyping import Bool, Int

from jetkit.data.batching import Batching
from jetkit.data.blocks import BlockReader
from jetkit.data.card import CARD_NAME, Card, read_card
from jetkit.data.columns import COLUMNS
from jetkit.data.features import JET_FEATURES
from jetkit.data.in_memory import awkward_of, first_row, momenta_of, of_numbers
from jetkit.data.inferred_card import inferred_card
from jetkit.data.layout import MOMENTUM, Columns, layout_of, momenta_columns
from jetkit.data.loader import Loader
from jetkit.data.origins import origin_columns
from jetkit.data.ragged import Array, Ragged, Values, concatenate, take_rows
from jetkit.data.shards import ShardReader
from jetkit.data.source import Source, groups_of, open_source, places, read_source, shared_columns
from jetkit.data.spec import Spec
from jetkit.data.split import event_ids, hash_share, place_in_class, take_ids
from jetkit.data.stream import BatchStream
from jetkit.errors import JetkitError
from jetkit.notebook import html_table

Criterion = Callable[[Mapping[str, Any]], Array]
"""A named function from columns to a boolean per row."""

SPLITS = ("train", "val", "test")
FORMAT = re.compile(r"[a-z][a-z0-9-]+")
"""Names of readers."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Jets on disk: Parquet files, selected rows and a card. Selections return a new Dataset and read little.

    Example:
        >>> from jetkit import open_dataset
        >>> def heavy(jets):
        ...     return jets["jet_sdmass"] > 40
        >>> def batches(folder):
        ...     return open_dataset(folder).where(heavy, ["jet_sdmass"]).split("train").batches(batch=128)
    """

    card: Card
    sources: tuple[Source, ...]
    history: tuple[str, ...] = field(default=())
    """Selections made so far, in words."""

    def __len__(self) -> int:
        return sum(len(source) for source in self.sources)

    def __repr__(self) -> str:
        shown = ", ".join(self.classes[:4]) + f" … ({len(self.classes)})" * (len(self.classes) > 4)
        classes = f"; classes {shown if len(shown) < 120 else len(self.classes)}" if self.classes else ""
        return f"Dataset({self.card.name[:80]}: {len(self)} rows{classes}; {len(self.columns)} columns)"

    def _repr_html_(self) -> str:
        rows = [(name, f"{count:,}") for name, count in self.card.counts.items()]
        return html_table(repr(self), ("class", "rows of the card"), rows)

    @overload
    def __getitem__(self, rows: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, rows: slice | Sequence[int] | Array) -> Dataset: ...

    def __getitem__(self, rows: int | slice | Sequence[int] | Array) -> dict[str, Any] | Dataset:
        """Return one row as a dictionary, or the dataset of the rows of a slice, indices or a mask.

        Rows stay in stored order, so indices must rise. To read many rows, use ``read`` instead of single indices.

        Raises:
            IndexError: there is no such row.
            JetkitError: the indices do not rise, or are no numbers.
        """
        chosen = places(rows, len(self))
        if isinstance(chosen, int):
            return first_row(self.read(of_numbers(self._types), np.array([chosen])))
        if len(chosen) == len(self) and np.array_equal(chosen, np.arange(len(self))):
            return self
        edges = np.cumsum([0, *(len(source) for source in self.sources)])
        cuts = np.searchsorted(chosen, edges)
        picked = [
            source.index[chosen[low:high] - edge]
            for source, low, high, edge in zip(self.sources, cuts, cuts[1:], edges, strict=False)
        ]
        return self._narrowed(picked, f"{len(chosen)} rows {hashlib.sha256(chosen.tobytes()).hexdigest()[:12]}")

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; the index is the label."""
        return tuple(self.card.classes)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that every file has."""
        return shared_columns(self.sources)

    @cached_property
    def skipped(self) -> dict[str, int]:
        """Number of rows that no loader yields, by reason; computed once by reading the particles of every row."""
        total: Counter[str] = Counter()
        columns = self._columns()
        reader = BlockReader(layout_of(Batching(features=None), columns), columns)
        for source in self.sources:
            with ShardReader(source.path) as shard:
                for group, rows in groups_of(source, source.index):
                    total.update(reader.read(shard, group, rows).skipped)
        return dict(total)

    def where(self, criterion: Criterion, columns: Sequence[str]) -> Dataset:
        """Select the rows for which a named function is true.

        The function receives a mapping of the named columns: arrays, or a ``Ragged`` for columns with a list per row.

        Raises:
            JetkitError: the function has no name, returns no truth value per row, or a column is absent.
        """
        name = getattr(criterion, "__name__", "<lambda>")
        if name == "<lambda>":
            raise JetkitError("the function given to where() needs a name, since it is recorded: use def")
        chosen = [_select(source, criterion, name, columns) for source in self.sources]
        return self._narrowed(chosen, f"where {name}({', '.join(columns)})")

    def split(self, part: str, fractions: Sequence[float] = (0.8, 0.1, 0.1), seed: int = 0) -> Dataset:
        """Return the ``train``, ``val`` or ``test`` part; all jets of one event are in the same part.

        A row belongs to the part whose share of [0, 1) contains ``hash_share(event_id, seed)``. Without the column
        ``event_id``, each row is an event of its own.

        Args:
            part: ``train``, ``val`` or ``test``
            fractions: shares of the three parts, in this order
            seed: seed of the split

        Raises:
            JetkitError: an unknown part, or fractions that are not three shares of at most 1 in total.
        """
        if part not in SPLITS:
            raise JetkitError(f"unknown part {part!r}: choose one of {', '.join(SPLITS)}")
        if len(fractions) != 3 or not min(fractions) >= 0 or not 0 < sum(fractions) < 1 + 1e-9:
            raise JetkitError(f"fractions should be three shares of at most 1 in total, got {tuple(fractions)}")
        edges = np.cumsum([0.0, *fractions])
        low, high = edges[SPLITS.index(part)], edges[SPLITS.index(part) + 1]
        if high > 1 - 1e-9:
            high = 2.0  # the last share reaches 1 whatever the rounding
        chosen = []
        for number, source in enumerate(self.sources):
            share = hash_share(event_ids(source, number), seed)
            chosen.append(source.index[(share >= low) & (share < high)])
        return self._narrowed(chosen, f"split {part} of {'/'.join(f'{x:g}' for x in fractions)}, seed {seed}")

    def take(self, count: int, seed: int = 0, *, balanced: bool = False) -> Dataset:
        """Select at most ``count`` rows at random, in stored order.

        The rows with the smallest ``hash_share`` of row number (or pair number, for twins) and ``seed`` are selected.
        With ``balanced``, they have equally many rows of each class, as far as available. With the same seed, a smaller
        selection is contained in a larger one. Twins are taken together.

        Args:
            count: largest number of rows
            seed: seed of the choice
            balanced: take equally many rows of each class

        Raises:
            JetkitError: a negative count, or rows without classes that should be balanced.
        """
        if count < 0:
            raise JetkitError(f"take() needs a count of rows that is not negative, got {count}")
        if count >= len(self):
            return self
        shares = [hash_share(take_ids(source, number), seed) for number, source in enumerate(self.sources)]
        keys = np.concatenate(shares)
        if balanced:
            keys += place_in_class(keys, np.asarray(self.read(["jet_label"])["jet_label"]))
        kept = np.zeros(len(self), dtype=bool)
        kept[np.argsort(keys, kind="stable")[:count]] = True
        pieces = np.split(kept, np.cumsum([len(source) for source in self.sources])[:-1])
        chosen = [source.index[piece] for source, piece in zip(self.sources, pieces, strict=True)]
        return self._narrowed(chosen, f"take {count}{', balanced' * balanced}, seed {seed}")

    def of_classes(self, names: Sequence[str]) -> Dataset:
        """Select the rows of these classes; the dataset keeps all its classes and labels.

        Raises:
            JetkitError: a class that the dataset does not have, or rows without classes.
        """
        unknown = [name for name in names if name not in self.classes]
        if unknown:
            raise JetkitError(
                f"{self.card.name} has no class {unknown[0]!r}: it has {', '.join(self.classes) or 'none'}"
            )
        wanted = [self.classes.index(name) for name in names]

        def chosen(jets: Mapping[str, Any]) -> Array:
            return np.isin(jets["jet_label"], wanted)

        chosen.__name__ = f"class {'+'.join(names)}"
        return self.where(chosen, ["jet_label"])

    def repeated(self, times: int) -> Dataset:
        """Repeat each row ``times`` times in succession.

        Args:
            times: number of copies of each row
        """
        return self._narrowed([source.index.repeat(times) for source in self.sources], f"repeated {times} times")

    def read(self, columns: Sequence[str], rows: slice | Int[np.ndarray, " rows"] | None = None) -> dict[str, Values]:
        """Read columns as arrays (``Ragged`` for a list per row) for all rows, a slice, or places in this dataset.

        Nothing is checked or left out; use ``batches`` for data that do not fit in memory.

        Args:
            columns: names of the columns
            rows: None (all), a slice, or places in this dataset

        Raises:
            JetkitError: a column is absent or of a type that cannot be read, or a row does not exist.
        """
        wanted = np.arange(len(self))[slice(None) if rows is None else rows]
        places, inverse = np.unique(wanted, return_inverse=True)
        parts: list[dict[str, Values]] = []
        start = 0
        for source in self.sources:
            here = places[(places >= start) & (places < start + len(source))] - start
            start += len(source)
            if len(here) or source is self.sources[0]:
                parts.extend(read_source(source, columns, source.index[here]))
        whole = {name: concatenate([part[name] for part in parts]) for name in columns}
        return {name: take_rows(column, inverse) for name, column in whole.items()}

    def awkward(self, columns: Sequence[str] | None = None) -> Any:
        """Read columns (default: all numeric ones) of all rows as an awkward array with one field each.

        Nothing is checked or left out, and everything is read into memory: ``jets[:1000].awkward()`` reads less.

        Raises:
            JetkitError: as `read`, or the package awkward is absent.
        """
        return awkward_of(self.read(of_numbers(self._types) if columns is None else columns))

    def p4(self, collection: str = "part") -> Ragged:
        """Read the momenta (E, px, py, pz) in GeV of a collection: values (total, 4) in float64, and offsets.

        The functions of `jetkit.physics` accept them: ``angularity(*jets.p4(), kappa=1, beta=1)``. Nothing is checked
        or left out, and everything is read into memory: ``jets[:1000].p4()`` reads less.

        Raises:
            JetkitError: the collection has no momenta, or rows whose lists have unequal lengths.
        """
        names = momenta_columns(collection, self._columns())
        if not names:
            wanted = ", ".join(f"{collection}_{name}" for name in MOMENTUM)
            raise JetkitError(f"{self.card.name} has no momenta of {collection}, which are the lists {wanted}")
        found = self.read(names)
        return momenta_of([found[name] for name in names], collection)

    def spec(self, features: Any = "full", **options: Any) -> Spec:
        """Return the names, units and kinds of the batches that ``batches`` yields with the same options.

        Raises:
            JetkitError: an unknown option or feature set, or columns that the dataset lacks.
        """
        columns = self._columns()
        return layout_of(self._batching({"features": features, **options}), columns).spec(columns)

    @property
    def jet_features(self) -> tuple[str, ...]:
        """Columns of the jet that are features of the row by default."""
        return tuple(name for name in JET_FEATURES if name in self.columns)

    def batches(self, **options: Any) -> Loader:
        """Stream the rows as batches; the options are the fields of `Batching`.

        Raises:
            JetkitError: an unknown option, or columns that the dataset lacks.
        """
        return self._loader(self._batching(options))

    def torch(self, **options: Any) -> BatchStream:
        """Return batches for ``torch.utils.data.DataLoader(…, batch_size=None)``, with the options of ``batches``.

        Each worker of the DataLoader reads different rows. Each iteration is the next epoch.

        Raises:
            JetkitError: as ``batches``.
        """
        return BatchStream(self._loader, self._batching(options))

    def _loader(self, options: Batching) -> Loader:
        return Loader(self.sources, self._columns(), options, self.history)

    def _batching(self, options: Mapping[str, Any]) -> Batching:
        """Return the options, with array shapes completed from the first row."""
        found = Batching.from_options(options)
        arrays = dict(found.arrays) if isinstance(found.arrays, Mapping) else dict.fromkeys(found.arrays)
        for name in [name for name, shape in arrays.items() if shape is None and name in self.columns]:
            first = self.read([name], slice(1))[name]
            size = len(first.values) if isinstance(first, Ragged) else 1
            arrays[name] = (size,) if size and len(self) else None
        return replace(found, arrays=arrays)

    @property
    def _types(self) -> dict[str, str]:
        """Column → type in the first file."""
        return {name: self.sources[0].columns[name] for name in self.columns}

    def _columns(self) -> Columns:
        """Types, units and classes of the columns."""
        units = {name: column.unit for name, column in COLUMNS.items()}
        units |= {name: column["unit"] for name, column in self.card.columns.items() if "unit" in column}
        types = self._types | dict.fromkeys(origin_columns([source.columns for source in self.sources]), "list<float>")
        return Columns(types, units, self.classes)

    def _narrowed(self, rows: Sequence[Array], step: str) -> Dataset:
        sources = tuple(replace(source, rows=chosen) for source, chosen in zip(self.sources, rows, strict=True))
        return replace(self, sources=sources, history=(*self.history, step))


def open_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Open a folder with or without a card, a Parquet file, a glob, or ``"FORMAT:FILES"`` of other programs.

    Without a card, the classes are those of JetClass-II if its columns are found, else numbers. Foreign files are read
    into memory; convert larger ones once with ``jetkit convert``.

    Raises:
        JetkitError: nothing is there, a file differs in size from its card, or a file is damaged.
    """
    place = Path(path)
    format, colon, foreign = str(path).partition(":")
    if colon and not place.exists() and FORMAT.fullmatch(format):
        from jetkit.data.convert import in_memory

        card, shards = in_memory(format, foreign)
        return Dataset(card, tuple(open_source(shard) for shard in shards))
    if (place / CARD_NAME).exists():
        card = read_card(place)
        for shard in card.shards:
            file = place / shard.name
            size = file.stat().st_size if file.is_file() else None
            if size != shard.bytes:
                found = "is missing" if size is None else f"has {size} bytes, its card says {shard.bytes}"
                raise JetkitError(f"{file} {found}: copy or make the dataset again")
        sources = tuple(replace(open_source(place / shard.name), label=shard.label) for shard in card.shards)
        if not sources:
            raise JetkitError(f"{place} has a card but no shards yet: make the dataset again to go on")
        return Dataset(card, sources)
    if place.is_dir():
        files = sorted(place.rglob("*.parquet"))
    else:
        files = [place] if place.is_file() else sorted(Path(name) for name in glob.glob(str(path)))  # noqa: PTH207
    if not files:
        raise JetkitError(f"{path} holds no Parquet files: give a folder, a file or a pattern such as 'data/*.parquet'")
    sources = tuple(open_source(file) for file in files)
    return Dataset(inferred_card(place.stem, sources), sources)


def _select(source: Source, criterion: Criterion, name: str, columns: Sequence[str]) -> Array:
    """Return the rows of one file for which a function is true."""
    chosen = [np.empty(0, np.int64)]
    start = np.cumsum([0, *source.group_rows])
    with ShardReader(source.path) as shard:
        for group, rows in groups_of(source, source.index):
            values = {key: take_rows(column, rows) for key, column in shard.read(columns, [group]).items()}
            keep: Bool[np.ndarray, " rows"] = np.asarray(criterion(values))
            if keep.dtype != bool or keep.shape != (len(rows),):
                raise JetkitError(
                    f"{name} should return a truth value for each of {len(rows)} rows, got {keep.dtype} {keep.shape}"
                )
            chosen.append(rows[keep] + start[group])
    return np.concatenate(chosen)
