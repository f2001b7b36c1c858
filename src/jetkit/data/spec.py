"""Specs: names, units and kinds of the axes of a batch, which a model needs to know about the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from jetkit.data.batch import LABEL, PARTICLES
from jetkit.errors import JetkitError

Kind = Literal["class", "real", "flag", "index"]
"""Kind of a target: a class, a real number, a flag, or the index of a group of objects."""


@dataclass(frozen=True)
class SetSpec:
    """Description of a collection of objects."""

    features: tuple[str, ...] = ()
    """Names along the last axis of ``x``."""
    p4: bool = False
    """Flag for objects with four-momenta."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", _different("features", self.features))


@dataclass(frozen=True)
class TargetSpec:
    """Description of a quantity to learn.

    Raises:
        JetkitError: an unknown kind.
    """

    kind: Kind = "real"
    of: str = ""
    """Collection whose objects have the target; empty for a target of the row."""
    classes: tuple[str, ...] = ()
    """Names of the classes; the index is the value."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", _different("classes", self.classes))
        if self.kind not in get_args(Kind):
            raise JetkitError(f"a target is one of {', '.join(get_args(Kind))}, not {self.kind!r}")


@dataclass(frozen=True)
class Needs:
    """Requirements of a model or a task on the data, checked before any row is read.

    Example:
        >>> Needs(p4=True).refuse(Spec.of(("hit_x",), name="hit"), "model part")
        Traceback (most recent call last):
        jetkit.errors.JetkitError: model part needs four-momenta, which hit does not have: use other data or features
    """

    p4: bool = False
    """Four-momenta of the first collection."""
    cloud: bool = False
    """A collection of objects."""
    row: bool = False
    """Features of the row."""
    sets: tuple[str, ...] = ()
    """Collections by name."""
    arrays: tuple[str, ...] = ()
    """Arrays of fixed shape by name."""
    targets: tuple[str, ...] = ()
    """Columns read as targets; ``label`` stands for the class."""
    links: tuple[str, ...] = ()
    """Columns that link objects of two collections."""
    pairs: bool = False
    """Complete pairs of twins in each batch."""

    def __or__(self, other: Needs) -> Needs:
        """Return the combined requirements."""
        return Needs(
            p4=self.p4 or other.p4,
            cloud=self.cloud or other.cloud,
            row=self.row or other.row,
            sets=tuple(dict.fromkeys(self.sets + other.sets)),
            arrays=tuple(dict.fromkeys(self.arrays + other.arrays)),
            targets=tuple(dict.fromkeys(self.targets + other.targets)),
            links=tuple(dict.fromkeys(self.links + other.links)),
            pairs=self.pairs or other.pairs,
        )

    def refuse(self, spec: Spec, who: str) -> None:
        """Raise unless the data meet all requirements.

        Raises:
            JetkitError: the data lack a requirement; the message names it.
        """
        if (self.p4 or self.cloud) and not spec.sets:
            raise JetkitError(f"{who} needs a collection of objects, the data are a plain table: use a model of tables")
        if self.p4 and not spec.cloud.p4:
            raise JetkitError(
                f"{who} needs four-momenta, which {next(iter(spec.sets))} does not have: use other data or features"
            )
        if self.row and not spec.row:
            raise JetkitError(f"{who} needs features of the row: name columns that hold one number a row in features=")
        for what, wanted, known in (
            ("the collection", self.sets, spec.sets),
            ("the array", self.arrays, spec.arrays),
            ("the target", self.targets, spec.targets),
            ("the link", self.links, {f"{a}_{b}": 1 for a, b in spec.links}),
        ):
            for name in wanted:
                if name not in known:
                    raise JetkitError(f"{who} needs {what} {name}, the data have {', '.join(known) or 'none'}")


@dataclass(frozen=True)
class Spec:
    """Names, units and kinds of the content of a batch.

    Example:
        >>> spec = Spec.of(("part_deta",), classes=("QCD", "top"), units={"part_deta": "1"})
        >>> spec.features, spec.classes, Spec.from_dict(spec.to_dict()) == spec
        (('part_deta',), ('QCD', 'top'), True)
    """

    sets: Mapping[str, SetSpec] = field(default_factory=dict)
    row: tuple[str, ...] = ()
    """Names along the last axis of ``row``."""
    arrays: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Name → shape of a row."""
    targets: Mapping[str, TargetSpec] = field(default_factory=dict)
    links: tuple[tuple[str, str], ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    """Feature or target → unit, with the transform and standardisation where there is one."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "row", _different("row features", self.row))
        object.__setattr__(self, "links", tuple((a, b) for a, b in self.links))

    @classmethod
    def of(
        cls,
        features: Sequence[str],
        row: Sequence[str] = (),
        classes: Sequence[str] = (),
        *,
        units: Mapping[str, str] | None = None,
        name: str = PARTICLES,
        p4: bool | None = None,
    ) -> Spec:
        """Return the spec of rows with one collection, with momenta by default.

        Example:
            >>> Spec.of(("part_deta", "part_dphi"), classes=("QCD", "top")).cloud
            SetSpec(features=('part_deta', 'part_dphi'), p4=True)
        """
        targets = {LABEL: TargetSpec("class", classes=tuple(classes))} if classes else {}
        momenta = name == PARTICLES if p4 is None else p4
        return cls({name: SetSpec(tuple(features), momenta)}, tuple(row), targets=targets, units=dict(units or {}))

    @property
    def cloud(self) -> SetSpec:
        """First collection; one without features for plain tables."""
        return next(iter(self.sets.values()), SetSpec())

    @property
    def features(self) -> tuple[str, ...]:
        """Features of the first collection."""
        return self.cloud.features

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; empty if the rows have no label."""
        return self.targets[LABEL].classes if LABEL in self.targets else ()

    def with_cloud(self, **changes: Any) -> Spec:
        """Return a copy with some fields of the first collection changed."""
        first = next(iter(self.sets))
        return replace(self, sets={**self.sets, first: replace(self.sets[first], **changes)})

    def to_dict(self) -> dict[str, Any]:
        """Return the spec as plain lists and dictionaries for JSON."""
        return {
            "sets": {name: {"features": list(one.features), "p4": one.p4} for name, one in self.sets.items()},
            "row": list(self.row),
            "arrays": {name: list(shape) for name, shape in self.arrays.items()},
            "targets": {
                name: {"kind": one.kind, "of": one.of, "classes": list(one.classes)}
                for name, one in self.targets.items()
            },
            "links": [list(ends) for ends in self.links],
            "units": dict(self.units),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Spec:
        """Return the spec that ``to_dict`` stored, also in the first format with one collection of particles.

        Raises:
            JetkitError: a field is absent, unknown or invalid.
        """
        if "features" in content:
            return _of_first_format(content)
        known = {"sets", "row", "arrays", "targets", "links", "units"}
        if set(content) - known or "sets" not in content:
            raise JetkitError(f"a spec has the fields {', '.join(sorted(known))}, got {', '.join(sorted(content))}")
        for name in known & set(content):
            _check_field(name, content[name])
        try:
            return cls(
                {name: SetSpec(tuple(one["features"]), bool(one["p4"])) for name, one in content["sets"].items()},
                tuple(content.get("row", ())),
                {name: tuple(int(size) for size in shape) for name, shape in content.get("arrays", {}).items()},
                {name: TargetSpec(**one) for name, one in content.get("targets", {}).items()},
                tuple((a, b) for a, b in content.get("links", ())),
                dict(content.get("units", {})),
            )
        except (TypeError, KeyError, ValueError) as error:
            raise JetkitError(f"a spec is not what it should be: {error}") from error


def columns(spec: Spec, *names: str) -> list[int]:
    """Return the places of features along the last axis of ``x``.

    Raises:
        JetkitError: a feature is not in the spec.

    Example:
        >>> columns(Spec.of(("part_charge", "part_deta", "part_dphi")), "part_deta", "part_dphi")
        [1, 2]
    """
    missing = [name for name in names if name not in spec.features]
    if missing:
        raise JetkitError(f"this model needs the features {', '.join(missing)}: choose a feature set that has them")
    return [spec.features.index(name) for name in names]


def _different(what: str, names: Sequence[str]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise JetkitError(f"the {what} of a spec should differ from each other, got {', '.join(names)}")
    return tuple(names)


def _check_field(name: str, value: Any) -> None:
    """Raise unless a field of a stored spec has the right structure, including all names."""
    right: bool
    if name == "sets":
        right = _mapping(value) and all(
            _mapping(one) and set(one) == {"features", "p4"} and _names(one["features"]) and isinstance(one["p4"], bool)
            for one in value.values()
        )
    elif name == "row":
        right = _names(value)
    elif name == "arrays":
        right = _mapping(value) and all(
            isinstance(shape, list | tuple) and all(type(size) is int and size > 0 for size in shape)
            for shape in value.values()
        )
    elif name == "targets":
        right = _mapping(value) and all(
            _mapping(one)
            and set(one) <= {"kind", "of", "classes"}
            and _names(one.get("classes", []))
            and isinstance(one.get("of", ""), str)
            for one in value.values()
        )
    elif name == "links":
        right = isinstance(value, list | tuple) and all(_names(ends) and len(ends) == 2 for ends in value)
    else:
        right = _mapping(value) and all(isinstance(text, str) for text in value.values())
    if not right:
        raise JetkitError(f"field {name} of a spec is not what it should be: {str(value)[:80]!r}")


def _mapping(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def _names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(text, str) for text in value)


def _of_first_format(content: Mapping[str, Any]) -> Spec:
    """Return the spec of a model file of version 1: features, jet features, classes, targets and units."""
    known = {"features", "jet_features", "classes", "targets", "units"}
    if set(content) - known:
        raise JetkitError(f"a spec has the fields {', '.join(sorted(known))}, got {', '.join(sorted(content))}")
    for name, value in content.items():
        if not (_names(value) if name != "units" else _mapping(value)):
            raise JetkitError(f"field {name} of a spec should hold names, got {str(value)[:80]!r}")
    units = content.get("units", {})
    if not all(isinstance(text, str) for text in units.values()):
        raise JetkitError(f"field units of a spec should hold names, got {str(units)[:80]!r}")
    kinds = {feature.partition("_")[0] for feature in content["features"] if "_" in feature}
    name = kinds.pop() if len(kinds) == 1 else PARTICLES
    row, classes = content.get("jet_features", ()), content.get("classes", ())
    return Spec.of(content["features"], row, classes, units=units, name=name)
