"""Features of particles: the three sets of the JetClass taggers, computed on flat arrays before padding.

In place of a set, columns may be named, which are taken as they are: those of hits, of cells or of particles.

Source: H. Qu, C. Li, S. Qian, "Particle Transformer for Jet Tagging" (2022), arXiv:2202.03772, table 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Num

from jetkit.data.columns import P4_COLUMNS
from jetkit.data.ragged import Array
from jetkit.errors import JetkitError
from jetkit.kernels import kernel


class Feature(NamedTuple):
    """A quantity q enters a model as clip((q − center)·scale, low, high), or untouched where center is None."""

    name: str
    quantity: str
    center: float | None = None
    scale: float = 1.0
    low: float = -5.0
    high: float = 5.0

    @property
    def unit(self) -> str:
        """The formula, with the standardisation."""
        if self.center is None:
            return self.quantity
        return f"clip(({self.quantity} − {self.center:g})·{self.scale:g}, {self.low:g}, {self.high:g})"


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
"""Features that tell what a particle is."""
NUMBERS = ("part_pt_log", "part_deta", "part_dphi", "part_d0", "part_d0err", "part_dz", "part_dzerr")
"""Features that tell all else of a particle, each one once; of the impact parameters those that were measured."""
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
_USED_IF_PRESENT = ("part_deta", "part_dphi", "jet_pt", "jet_eta", "jet_phi", "jet_energy")

JET_FEATURES = ("jet_pt", "jet_eta", "jet_phi", "jet_energy", "jet_mass", "jet_sdmass")
"""Features of the jet that a Cloud carries when the dataset has them."""


Features = str | Sequence[str]
"""Name of a feature set, or columns of the objects of one kind."""


def objects_of(features: Features | None) -> str:
    """How the columns of the objects begin that the features are of: ``part`` for all feature sets.

    Raises:
        JetkitError: columns of objects of several kinds, or none.

    Example:
        >>> objects_of("kin"), objects_of(["cell_x", "cell_energy"])
        ('part', 'cell')
    """
    if features is None or isinstance(features, str):
        return "part"
    kinds = sorted({name.split("_")[0] for name in features})
    if len(kinds) != 1:
        raise JetkitError(f"features should be columns of objects of one kind, got {', '.join(kinds) or 'none'}")
    return kinds[0]


def feature_columns(features: Features, available: Iterable[str], where: str = "the dataset") -> list[str]:
    """Columns to read for a feature set, of those available.

    Raises:
        JetkitError: the set is unknown, or columns for it are missing.

    Example:
        >>> feature_columns("kin", ["part_energy", "part_px", "part_py", "part_pz", "jet_pt"])
        ['part_energy', 'part_px', 'part_py', 'part_pz', 'jet_pt']
    """
    have = set(available)
    if not isinstance(features, str):
        absent = [name for name in features if name not in have]
        if absent:
            raise JetkitError(f"{where} has no column {', '.join(absent)}: it has {', '.join(sorted(have))}")
        return list(features)
    if features not in FEATURE_SETS:
        raise JetkitError(f"unknown feature set {features!r}: choose one of {', '.join(FEATURE_SETS)}")
    missing = [name for name in _required(features) if name not in have]
    if missing:
        able = [name for name in FEATURE_SETS if have.issuperset(_required(name))]
        mend = f"features={able[-1]!r} would work" if able else "no feature set would work; name columns in a list"
        raise JetkitError(f"{where} lacks {', '.join(missing)} for the feature set {features!r}: {mend}")
    return [*_required(features), *(name for name in _USED_IF_PRESENT if name in have)]


def feature_names(features: Features) -> tuple[str, ...]:
    """Names of the features in order."""
    return tuple(feature.name for feature in FEATURE_SETS[features]) if isinstance(features, str) else tuple(features)


def feature_units(features: Features, units: Mapping[str, str] | None = None) -> dict[str, str]:
    """Unit, or formula and standardisation, of each feature; ``units`` are those of the columns."""
    if isinstance(features, str):
        return {feature.name: feature.unit for feature in FEATURE_SETS[features]}
    return {name: units[name] for name in features if units and name in units}


def particle_features(
    columns: Mapping[str, Array], counts: Int[np.ndarray, " jets"], features: Features = "full"
) -> Float[np.ndarray, "F total"]:
    """Features of all particles of many jets, one after the other; NaN where a quantity is not finite.

    ``columns`` holds a value per particle for ``part_…`` and a value per jet for ``jet_…``; ``counts`` is the number of
    particles of each jet. Stored ``part_deta``, ``part_dphi`` are used where present, since the stored axis may differ
    from the sum of the particles (by 0.014 in JetClass-II); otherwise deta = ±(η − η_jet) with + for η_jet > 0.

    Example:
        >>> one = {name: np.array([1.0], np.float32) for name in ("part_energy", "part_px", "jet_pt", "jet_energy")}
        >>> zero = {name: np.zeros(1, np.float32) for name in ("part_py", "part_pz", "part_deta", "part_dphi")}
        >>> particle_features(one | zero, np.array([1]), "kin")[:, 0].astype(float).round(2).tolist()
        [-1.19, -1.4, 3.29, 3.29, -0.8, 0.0, 0.0]
    """
    chosen, quantities = _chosen(columns, counts, features)
    table = np.empty((len(chosen), counts.sum()), np.float32)
    for row, feature in zip(table, chosen, strict=True):
        _standardise(quantities[feature.name], *_constants(feature), row)
    return table


def _chosen(
    columns: Mapping[str, Array], counts: Array, features: Features
) -> tuple[Sequence[Feature], Mapping[str, Array]]:
    """The features, and the quantity of each before standardisation."""
    if not isinstance(features, str):
        return [Feature(name, name) for name in features], columns
    chosen = FEATURE_SETS[features]
    with np.errstate(all="ignore"):
        return chosen, _quantities(columns, counts, {feature.name for feature in chosen})


def _required(features: str) -> list[str]:
    names = [name for feature in FEATURE_SETS[features] for name in _NEEDS.get(feature.name, ())]
    return [*P4_COLUMNS, *names]


def _quantities(columns: Mapping[str, Array], counts: Array, wanted: set[str]) -> dict[str, Array]:
    """Name of each wanted feature → its quantity before standardisation, in float32."""
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
    """tanh, and NaN (not ±1) where a value is infinite."""
    bounded: Float[np.ndarray, " n"] = np.tanh(values)
    if not all_finite(values):
        bounded[~np.isfinite(values)] = np.nan
    return bounded


def _axis(columns: Mapping[str, Array], counts: Array) -> tuple[Array, Array, Array, Array]:
    """(pT, E, η, φ) of each jet as stored, or of the sum of its particles where a column is absent."""
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
    """Centre, scale and limits of a feature; those that change nothing where it is not standardised."""
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
    """Whether no value is NaN or infinite; the sum alone tells it nearly always, without a temporary array."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(values.sum()) or np.isfinite(values).all())
