"""Features: quantities of objects and rows as inputs of a model, computed on flat arrays before padding.

A feature is one of the sets of the JetClass taggers, a plain column, or an entry of a table with column, transform,
shift, scale and bounds, for every collection and the row.

Source of the sets: H. Qu, C. Li, S. Qian, "Particle Transformer for Jet Tagging" (2022), arXiv:2202.03772, table 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Num

from jetkit.data.columns import P4_COLUMNS
from jetkit.data.ragged import Array
from jetkit.errors import JetkitError
from jetkit.kernels import kernel

TRANSFORMS: dict[str, Callable[[Array], Array]] = {
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "arcsinh": np.arcsinh,
    "abs": np.abs,
    "sin": np.sin,
    "cos": np.cos,
}
"""Name → function of a column, applied before shift and scale."""


class Feature(NamedTuple):
    """A model input clip((q − center)·scale, low, high) of a quantity q, or q itself if center is None."""

    name: str
    quantity: str
    center: float | None = None
    scale: float = 1.0
    low: float = -5.0
    high: float = 5.0
    column: str = ""
    """Column that is transformed; empty for quantities that jetkit computes."""
    transform: str = ""

    @property
    def unit(self) -> str:
        """Formula of the feature, with its standardisation."""
        if self.center is None:
            return self.quantity
        if not np.isfinite(self.low):
            return f"({self.quantity} − {self.center:g})·{self.scale:g}"
        return f"clip(({self.quantity} − {self.center:g})·{self.scale:g}, {self.low:g}, {self.high:g})"

    def to_dict(self) -> dict[str, Any]:
        """Return the table entry from which `feature_of` builds this feature."""
        found: dict[str, Any] = {"column": self.column or self.name}
        found |= {"name": self.name} if self.name != found["column"] else {}
        found |= {"transform": self.transform} if self.transform else {}
        if self.column and self.center is not None:
            found |= {"shift": self.center, "scale": self.scale}
            found |= {"clip": [self.low, self.high]} if np.isfinite(self.low) else {}
        return found


_KINEMATICS = (
    Feature("part_pt_log", "ln(pT/GeV)", 1.7, 0.7),
    Feature("part_e_log", "ln(E/GeV)", 2.0, 0.7),
    Feature("part_logptrel", "ln(pT/jet_pt)", -4.7, 0.7),
    Feature("part_logerel", "ln(E/jet_energy)", -4.7, 0.7),
    Feature("part_deltaR", "hypot(part_deta, part_dphi)", 0.2, 4.0),
)
_IDENTITY = (
    Feature("part_charge", "e"),
    Feature("part_isChargedHadron", "1"),
    Feature("part_isNeutralHadron", "1"),
    Feature("part_isPhoton", "1"),
    Feature("part_isElectron", "1"),
    Feature("part_isMuon", "1"),
)
SPECIES = tuple(feature.name for feature in _IDENTITY if feature.name.startswith("part_is"))
"""Features that encode the particle type."""
NUMBERS = ("part_pt_log", "part_deta", "part_dphi", "part_d0", "part_d0err", "part_dz", "part_dzerr")
"""Features that encode all other properties of a particle, each once; impact parameters only as measured."""
_DISPLACEMENT = (
    Feature("part_d0", "tanh(part_d0val/mm)"),
    Feature("part_d0err", "mm", 0.0, 1.0, 0.0, 1.0),
    Feature("part_dz", "tanh(part_dzval/mm)"),
    Feature("part_dzerr", "mm", 0.0, 1.0, 0.0, 1.0),
)
_DIRECTION = (Feature("part_deta", "1"), Feature("part_dphi", "rad"))

FEATURE_SETS: dict[str, tuple[Feature, ...]] = {
    "momentum": (_KINEMATICS[0], *_DIRECTION),
    "kin": (*_KINEMATICS, *_DIRECTION),
    "kinpid": (*_KINEMATICS, *_IDENTITY, *_DIRECTION),
    "full": (*_KINEMATICS, *_IDENTITY, *_DISPLACEMENT, *_DIRECTION),
}
"""Name of a set → its features in order: 3, 7, 13 and 17 of them."""

_NEEDS = {
    **{feature.name: (feature.name,) for feature in (*_IDENTITY, *_DISPLACEMENT)},
    "part_d0": ("part_d0val",),
    "part_dz": ("part_dzval",),
}
USED_IF_PRESENT = ("part_deta", "part_dphi", "jet_pt", "jet_eta", "jet_phi", "jet_energy")

JET_FEATURES = ("jet_pt", "jet_eta", "jet_phi", "jet_energy", "jet_mass", "jet_sdmass")
"""Jet columns that become features of the row if the dataset has them."""


Features = str | Sequence[Any] | Mapping[str, Any]
"""Name of a set, columns, or a table: collection (or ``row``) → columns and entries (`feature_of`)."""


KNOWN = {feature.name: feature for feature in FEATURE_SETS["full"]}
"""Features of particles that jetkit computes, by name."""


def feature_of(entry: Any, units: Mapping[str, str], known: Mapping[str, Feature], columns: Iterable[str]) -> Feature:
    """Return the feature that a table entry describes.

    An entry is a column, a feature of the set ``full``, or a mapping with ``column`` and optionally ``name``,
    ``transform`` (of `TRANSFORMS`), ``shift``, ``scale`` and ``clip`` = [low, high]. A mapping gives the input
    clip((transform(column) − shift)·scale, low, high).

    Raises:
        JetkitError: an unknown key, transform or column.

    Example:
        >>> feature_of({"column": "hit_x", "scale": 0.01, "clip": [-5, 5]}, {"hit_x": "mm"}, {}, ["hit_x"]).unit
        'clip((mm − 0)·0.01, -5, 5)'
    """
    values = {"column": entry} if isinstance(entry, str) else entry
    if not isinstance(values, Mapping) or not isinstance(values.get("column"), str):
        raise JetkitError(f"a feature is a column, or a mapping with column: …, got {str(entry)[:80]!r}")
    unknown = sorted(set(values) - {"column", "name", "transform", "shift", "scale", "clip"})
    if unknown:
        raise JetkitError(
            f"unknown key {unknown[0]!r} of the feature {values['column']}: use transform, shift, scale, clip or name"
        )
    column, transform = values["column"], values.get("transform") or ""
    if column not in columns and set(values) == {"column"} and column in known:
        return known[column]
    if transform and transform not in TRANSFORMS:
        raise JetkitError(f"unknown transform {transform!r} of {column}: choose one of {', '.join(TRANSFORMS)}")
    unit = units.get(column, "")
    per = f"({unit})" if any(mark in unit for mark in "·/ ") else unit
    argument = column if unit in ("", "1", "unknown") else f"{column}/{per}"
    quantity = f"{transform}({argument})" if transform else unit or column
    changed = set(values) & {"shift", "scale", "clip"}
    low, high = _bounds(column, values.get("clip")) if changed else (-5.0, 5.0)
    return Feature(
        str(values.get("name") or column),
        quantity,
        _number(column, "shift", values.get("shift", 0.0)) if changed else None,
        _number(column, "scale", values.get("scale", 1.0)),
        low,
        high,
        column,
        transform,
    )


def _number(column: str, key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise JetkitError(f"{key} of the feature {column} should be a number, got {value!r}")
    return float(value)


def _bounds(column: str, clip: Any) -> tuple[float, float]:
    """Return the limits of a feature; infinite ones if there are none."""
    if clip is None:
        return -np.inf, np.inf
    if not isinstance(clip, list | tuple) or len(clip) != 2:
        raise JetkitError(f"clip of the feature {column} should be [low, high], got {clip!r}")
    low, high = (_number(column, "clip", bound) for bound in clip)
    if not low < high:
        raise JetkitError(f"clip of the feature {column} should rise, got {clip!r}")
    return low, high


def feature_columns(features: str, available: Iterable[str], where: str = "the dataset") -> list[str]:
    """Return the available columns that a feature set needs.

    Raises:
        JetkitError: the set is unknown, or columns for it are missing.

    Example:
        >>> feature_columns("kin", ["part_energy", "part_px", "part_py", "part_pz", "jet_pt"])
        ['part_energy', 'part_px', 'part_py', 'part_pz', 'jet_pt']
    """
    have = set(available)
    if features not in FEATURE_SETS:
        raise JetkitError(
            f"unknown feature set {features!r}: choose one of {', '.join(FEATURE_SETS)}, "
            "list columns, or name a .yaml file"
        )
    missing = [name for name in needed_columns(FEATURE_SETS[features]) if name not in have]
    if missing:
        able = [name for name, found in FEATURE_SETS.items() if have.issuperset(needed_columns(found))]
        mend = f"features={able[-1]!r} would work" if able else "no feature set would work; name columns in a list"
        raise JetkitError(f"{where} lacks {', '.join(missing)} for the feature set {features!r}: {mend}")
    return [*needed_columns(FEATURE_SETS[features]), *(name for name in USED_IF_PRESENT if name in have)]


def needed_columns(features: Iterable[Feature]) -> list[str]:
    """Return the columns that are indispensable for these features."""
    found: list[str] = []
    for feature in features:
        found += [feature.column] if feature.column else [*P4_COLUMNS, *_NEEDS.get(feature.name, ())]
    return list(dict.fromkeys(found))


def feature_names(features: str) -> tuple[str, ...]:
    """Return the names of the features of a set in order."""
    return tuple(feature.name for feature in FEATURE_SETS[features])


def feature_units(features: str) -> dict[str, str]:
    """Return the formula and standardisation of each feature of a set."""
    return {feature.name: feature.unit for feature in FEATURE_SETS[features]}


def particle_features(
    columns: Mapping[str, Array], counts: Int[np.ndarray, " jets"], features: str = "full"
) -> Float[np.ndarray, "F total"]:
    """Compute a feature set for all particles of many jets, one jet after the other; see `compute_features`.

    Example:
        >>> one = {name: np.array([1.0], np.float32) for name in ("part_energy", "part_px", "jet_pt", "jet_energy")}
        >>> zero = {name: np.zeros(1, np.float32) for name in ("part_py", "part_pz", "part_deta", "part_dphi")}
        >>> particle_features(one | zero, np.array([1]), "kin")[:, 0].astype(float).round(2).tolist()
        [-1.19, -1.4, 3.29, 3.29, -0.8, 0.0, 0.0]
    """
    return compute_features(columns, counts, FEATURE_SETS[features])


def compute_features(
    columns: Mapping[str, Array], counts: Int[np.ndarray, " rows"], features: Sequence[Feature]
) -> Float[np.ndarray, "F total"]:
    """Compute features of all objects of many rows, one row after the other; NaN where not finite.

    ``columns`` contains one value per object for ``part_…`` and one value per row for ``jet_…``; ``counts`` is the
    number of objects in each row. Stored ``part_deta`` and ``part_dphi`` are used if present, because the stored axis
    can differ from the sum of the particles (by 0.014 in JetClass-II). Otherwise deta = ±(η − η_jet), with + for η_jet
    > 0.
    """
    wanted = {feature.name for feature in features if not feature.column}
    with np.errstate(all="ignore"):
        quantities = _quantities(columns, counts, wanted) if wanted else {}
        table = np.empty((len(features), counts.sum()), np.float32)
        for row, feature in zip(table, features, strict=True):
            quantity = columns[feature.column] if feature.column else quantities[feature.name]
            if feature.transform:
                quantity = TRANSFORMS[feature.transform](_real(quantity))
            _standardise(quantity, *_constants(feature), row)
    return table


def _quantities(columns: Mapping[str, Array], counts: Array, wanted: set[str]) -> dict[str, Array]:
    """Compute the quantity of each feature before standardisation, by name, in float32."""
    E, px, py, pz = (_real(columns[name]) for name in P4_COLUMNS)
    pt = np.hypot(px, py)
    jet_pt, jet_energy, jet_eta, jet_phi = _axis(columns, counts)
    sign = np.where(jet_eta > 0, np.float32(1), np.float32(-1))
    deta = columns.get("part_deta")
    if deta is None:
        deta = np.repeat(sign, counts) * (np.arcsinh(pz / pt) - np.repeat(jet_eta, counts))
    dphi = columns.get("part_dphi")
    if dphi is None:
        turn = np.float32(2 * np.pi)
        dphi = np.arctan2(py, px) - np.repeat(jet_phi, counts)
        dphi = dphi - turn * np.round(dphi / turn)
    quantities = {
        "part_pt_log": np.log(pt),
        "part_e_log": np.log(E),
        "part_logptrel": np.log(pt / np.repeat(jet_pt, counts)),
        "part_logerel": np.log(E / np.repeat(jet_energy, counts)),
        "part_deltaR": np.hypot(_real(deta), _real(dphi)),
        "part_deta": _real(deta),
        "part_dphi": _real(dphi),
    }
    for name in wanted - quantities.keys():
        (column,) = _NEEDS[name]
        value = columns[column]
        quantities[name] = _tanh(_real(value)) if name in ("part_d0", "part_dz") else value
    return quantities


def _tanh(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Compute tanh, with NaN (not ±1) for infinite values."""
    bounded: Float[np.ndarray, " n"] = np.tanh(values)
    if not all_finite(values):
        bounded[~np.isfinite(values)] = np.nan
    return bounded


def _axis(columns: Mapping[str, Array], counts: Array) -> tuple[Array, Array, Array, Array]:
    """Return (pT, E, η, φ) of each jet as stored, or of the sum of its particles if a column is absent."""
    names = ("jet_pt", "jet_energy", "jet_eta", "jet_phi")
    if all(name in columns for name in names):
        stored = {name: _real(columns[name]) for name in names}
    else:
        owner = np.repeat(np.arange(len(counts)), counts)
        E, px, py, pz = (np.bincount(owner, columns[name], minlength=len(counts)) for name in P4_COLUMNS)
        pt = np.hypot(px, py)
        summed = dict(zip(names, (pt, E, np.arcsinh(pz / pt), np.arctan2(py, px)), strict=True))
        stored = {name: _real(columns.get(name, summed[name])) for name in names}
    return stored["jet_pt"], stored["jet_energy"], stored["jet_eta"], stored["jet_phi"]


def _real(values: Num[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return values.astype(np.float32, copy=False)


def _constants(feature: Feature) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Return centre, scale and limits of a feature; neutral values if it is not standardised."""
    if feature.center is None:
        return np.float32(0), np.float32(1), np.float32(-np.inf), np.float32(np.inf)
    return np.float32(feature.center), np.float32(feature.scale), np.float32(feature.low), np.float32(feature.high)


@kernel
def _standardise(
    quantity: Array, center: np.float32, scale: np.float32, low: np.float32, high: np.float32, row: Array
) -> None:
    """Write clip((q − center)·scale, low, high) into a row of the table; NaN where q is not finite."""
    for i in range(len(quantity)):
        q = np.float32(quantity[i])
        row[i] = min(max((q - center) * scale, low), high) if np.isfinite(q) else np.nan


def all_finite(values: Float[np.ndarray, " n"]) -> bool:
    """Return whether all values are finite; their sum usually decides it without a temporary array."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(values.sum()) or np.isfinite(values).all())
