"""Layouts: the use of each column of a dataset in a batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from jetkit.data.batch import LABEL, PARTICLES
from jetkit.data.batching import Batching
from jetkit.data.columns import COLUMNS
from jetkit.data.features import (
    FEATURE_SETS,
    JET_FEATURES,
    KNOWN,
    USED_IF_PRESENT,
    Feature,
    feature_columns,
    feature_of,
    needed_columns,
)
from jetkit.data.origins import ORIGIN, ORIGIN_COLUMNS
from jetkit.data.spec import Kind, SetSpec, Spec, TargetSpec
from jetkit.data.twins import PAIR
from jetkit.errors import JetkitError
from jetkit.registry import entries, entry, is_reference

MOMENTUM = ("energy", "px", "py", "pz")
FEATURES = "features"
"""Kind of a registered function without arguments that returns columns or a feature table."""
ROW = "row"
"""Key of the row's features in a feature table."""
LABEL_COLUMN = "jet_label"


@dataclass(frozen=True)
class Columns:
    """Types, units and classes of the columns of a dataset.

    Attributes:
        types: column → type as the files have it; lists begin with ``list``.
        units: column → unit.
        classes: names of the classes of the label.
    """

    types: Mapping[str, str]
    units: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()

    def is_list(self, name: str) -> bool:
        """Return whether a column has a list per row."""
        return "list" in self.types.get(name, COLUMNS[name].type if name in COLUMNS else "")


@dataclass(frozen=True)
class Collection:
    """Columns to read for the objects of one kind."""

    features: tuple[Feature, ...] = ()
    momenta: tuple[str, ...] = ()
    """Columns of (E, px, py, pz); empty if the objects have no momenta."""
    targets: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    """Column → collection to which it points."""


@dataclass(frozen=True)
class Layout:
    """Assignment of columns to features, targets, links and weights."""

    sets: Mapping[str, Collection]
    row: tuple[Feature, ...]
    arrays: Mapping[str, tuple[int, ...] | None]
    """Column → shape per row; None for the length of its lists."""
    targets: Mapping[str, TargetSpec]
    """Column → its kind, for rows and objects, without the label."""
    weight: str | None
    labelled: bool
    event: bool
    pair: bool
    p4: bool
    """Flag to include the momenta in the batches."""

    @property
    def row_columns(self) -> tuple[str, ...]:
        """Flat columns to read."""
        own = [feature.column for feature in self.row]
        own += [name for name, one in self.targets.items() if not one.of]
        own += [self.weight] if self.weight else []
        own += [
            name
            for name, wanted in ((LABEL_COLUMN, self.labelled), ("event_id", self.event), (PAIR, self.pair))
            if wanted
        ]
        return tuple(dict.fromkeys(own))

    def spec(self, columns: Columns) -> Spec:
        """Return the names, units and kinds of the batches."""
        sets = {
            name: SetSpec(tuple(f.name for f in one.features), self.p4 and bool(one.momenta))
            for name, one in self.sets.items()
        }
        features = [*(feature for one in self.sets.values() for feature in one.features), *self.row]
        units = {
            feature.name: feature.unit for feature in features if not feature.column or feature.unit != feature.column
        }
        units |= {name: columns.units[name] for name in self.targets if name in columns.units}
        label = {LABEL: TargetSpec("class", classes=columns.classes)} if columns.classes else {}
        links = tuple((name, to) for name, one in self.sets.items() for to in one.links.values())
        arrays = {name: shape or () for name, shape in self.arrays.items()}
        return Spec(sets, tuple(feature.name for feature in self.row), arrays, label | dict(self.targets), links, units)


def layout_of(options: Batching, columns: Columns) -> Layout:
    """Return the layout that the options define.

    Raises:
        JetkitError: an unknown feature set, or a column that is absent or does not fit its use.
    """
    table, row = _features(options, columns)
    targets = {name: _target(name, kind, columns) for name, kind in _mapping(options.targets).items()}
    targets.pop(LABEL, None)
    links = {name: _ends(name, columns) for name in options.links}
    names = [*table, *(one.of for one in targets.values()), *(end for ends in links.values() for end in ends)]
    arrays = {name: _shape(name, shape) for name, shape in _mapping(options.arrays).items()}
    single = [*([options.weight] if options.weight else []), *(["event_id"] if options.event else [])]
    _refuse_absent([*arrays, *single], columns)
    _refuse_lists([*single, *(name for name, one in targets.items() if not one.of)], columns)
    sets = {}
    for name in dict.fromkeys(one for one in names if one):
        features = table.get(name, ())
        own = {column: to for column, (start, to) in links.items() if start == name}
        aims = tuple(key for key, one in targets.items() if one.of == name)
        sets[name] = Collection(features, momenta_columns(name, columns), aims, own)
    known = (options.weight, LABEL_COLUMN in columns.types, options.event, options.twins, options.p4)
    return Layout(sets, row, arrays, targets, *known)


def features_of(chosen: Any) -> Any:
    """Return the columns or table from a registered function, given its name or ``file.py:function``.

    Any other value is returned unchanged.

    Raises:
        JetkitError: there is no such file or function, or it gives something else.
    """
    if not isinstance(chosen, str) or chosen in FEATURE_SETS:
        return chosen
    if not is_reference(chosen) and chosen not in (one.name for one in entries(FEATURES)):
        return chosen
    found = entry(chosen, FEATURES).cls()
    if not isinstance(found, Mapping | list | tuple):
        raise JetkitError(f"the features {chosen} should be a list of columns or a table, got {str(found)[:80]!r}")
    return found


def _features(options: Batching, columns: Columns) -> tuple[dict[str, tuple[Feature, ...]], tuple[Feature, ...]]:
    """Return the features of each collection and of the row."""
    chosen = features_of(options.features)
    if isinstance(chosen, str):
        feature_columns(chosen, columns.types)
        return {PARTICLES: FEATURE_SETS[chosen]}, _row(options, None, columns)
    if chosen is None:
        bare: dict[str, tuple[Feature, ...]] = {PARTICLES: ()} if momenta_columns(PARTICLES, columns) else {}
        return bare, _row(options, (), columns)
    if isinstance(chosen, Mapping):
        table = {}
        for name, entries in chosen.items():
            if isinstance(entries, str):
                feature_columns(entries, columns.types)
                table[name] = FEATURE_SETS[entries]
            else:
                table[name] = _made(entries, columns)
        row = table.pop(ROW, None if PARTICLES in table else ())
        for name, features in table.items():
            _refuse_others(name, features, columns)
    else:
        table, row = _grouped(_made(chosen, columns), columns)
    return table, _row(options, row, columns)


def _row(options: Batching, row: tuple[Feature, ...] | None, columns: Columns) -> tuple[Feature, ...]:
    """Return the features of the row: those requested, those in the feature table, or the usual ones of a jet."""
    if options.row is not None:
        row = _made(options.row, columns)
    if row is None:
        row = _made([name for name in JET_FEATURES if name in columns.types], columns)
    for feature in row:
        if not feature.column:
            raise JetkitError(f"{feature.name} has a value for each particle: name it under part, and not under row")
    _refuse_lists([feature.column for feature in row], columns)
    return row


def _made(entries: Any, columns: Columns) -> tuple[Feature, ...]:
    if isinstance(entries, str) or not isinstance(entries, Sequence):
        raise JetkitError(f"features should be a set, a list of columns or a table of them, got {str(entries)[:80]!r}")
    found = tuple(feature_of(entry, columns.units, KNOWN, columns.types) for entry in entries)
    _refuse_absent([name for feature in found for name in needed_columns([feature])], columns)
    return found


def _grouped(
    features: Iterable[Feature], columns: Columns
) -> tuple[dict[str, tuple[Feature, ...]], tuple[Feature, ...] | None]:
    """Group features by the collection that prefixes their columns; flat columns belong to the row."""
    table: dict[str, tuple[Feature, ...]] = {}
    row: tuple[Feature, ...] = ()
    for feature in features:
        if feature.column and not columns.is_list(feature.column):
            row += (feature,)
        else:
            kind = (feature.column or feature.name).split("_")[0]
            table[kind] = (*table.get(kind, ()), feature)
    return table, row or (None if PARTICLES in table else ())


def _refuse_others(name: str, features: tuple[Feature, ...], columns: Columns) -> None:
    for feature in features:
        column = feature.column or feature.name
        if not column.startswith(f"{name}_") or (feature.column and not columns.is_list(column)):
            raise JetkitError(f"column {column} is no list of {name}: write it under its own collection, or under row")


def momenta_columns(name: str, columns: Columns) -> tuple[str, ...]:
    """Return the momentum columns of a collection, or none unless it has all of them."""
    found = tuple(f"{name}_{part}" for part in MOMENTUM)
    return found if all(column in columns.types and columns.is_list(column) for column in found) else ()


def _target(name: str, kind: Any, columns: Columns) -> TargetSpec:
    if name == LABEL:
        _refuse_absent([LABEL_COLUMN], columns)
        return TargetSpec("class", classes=columns.classes)
    if name != ORIGIN or not set(ORIGIN_COLUMNS) <= set(columns.types):
        _refuse_absent([name], columns)
    of = name.split("_")[0] if columns.is_list(name) or name == ORIGIN else ""
    if isinstance(kind, int) and not isinstance(kind, bool) and kind > 0:
        return TargetSpec("class", of, tuple(f"class {number}" for number in range(kind)))
    if isinstance(kind, list | tuple) and kind:
        return TargetSpec("class", of, tuple(map(str, kind)))
    if kind is not None:
        if kind not in get_args(Kind):
            raise JetkitError(
                f"target {name} should be {', '.join(get_args(Kind))}, a number of classes or their names, got {kind!r}"
            )
        return TargetSpec(kind, of)
    stored = columns.types.get(name, "int32")
    guessed: Kind = "flag" if "bool" in stored else "real" if "float" in stored or "double" in stored else "index"
    return TargetSpec(guessed, of)


def _shape(name: str, shape: Any) -> tuple[int, ...] | None:
    """Return the shape of an array per row; a number stands for one axis."""
    sizes = (shape,) if isinstance(shape, int) else shape
    if sizes is None:
        return None
    if not isinstance(sizes, list | tuple) or not all(type(size) is int and size > 0 for size in sizes):
        raise JetkitError(f"the shape of array {name} should be sizes of at least 1, as [8, 8, 4], got {shape!r}")
    return tuple(sizes)


def _ends(name: str, columns: Columns) -> tuple[str, str]:
    """Return the two collections that a column such as ``hit_particle`` links."""
    _refuse_absent([name], columns)
    start, _, to = name.partition("_")
    if not to or not columns.is_list(name) or not any(column.startswith(f"{to}_") for column in columns.types):
        raise JetkitError(f"{name} is no link: its name should be A_B of two collections A and B, as hit_particle")
    return start, to


def _mapping(names: Any) -> dict[str, Any]:
    return dict(names) if isinstance(names, Mapping) else dict.fromkeys(names)


def _refuse_absent(names: Iterable[str], columns: Columns) -> None:
    absent = [name for name in dict.fromkeys(names) if name not in columns.types]
    if absent:
        raise JetkitError(f"the dataset has no column {', '.join(absent)}: it has {', '.join(columns.types)}")


def _refuse_lists(names: Iterable[str], columns: Columns) -> None:
    for name in names:
        if columns.is_list(name):
            raise JetkitError(f"column {name} should hold one number per row to be used so, not a list: name another")


def list_columns(name: str, one: Collection, columns: Columns) -> list[str]:
    """Return the list columns to read for a collection, in a fixed order."""
    needed = needed_columns(one.features)
    computed = any(not feature.column for feature in one.features)
    optional = [column for column in USED_IF_PRESENT if column in columns.types] if computed else []
    stored = [column for column in one.targets if column in columns.types]
    wanted = dict.fromkeys([*needed, *optional, *stored, *one.links, *one.momenta])
    return [column for column in wanted if columns.is_list(column)] or _any_list(name, columns)


def axis_columns(one: Collection, columns: Columns) -> list[str]:
    """Return the available flat columns that computed features of a collection use."""
    if all(feature.column for feature in one.features):
        return []
    return [name for name in USED_IF_PRESENT if name in columns.types and not columns.is_list(name)]


def _any_list(name: str, columns: Columns) -> list[str]:
    """Return a list column that gives the number of objects, for collections without other columns to read."""
    found = [column for column in columns.types if column.startswith(f"{name}_") and columns.is_list(column)]
    if not found:
        raise JetkitError(f"the dataset has no objects {name}: it has {', '.join(columns.types)}")
    return found[:1]
