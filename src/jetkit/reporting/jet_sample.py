"""The jets behind the pictures and the table of a dataset: a few thousand per class, spread over all its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from jetkit.data.columns import P4_COLUMNS
from jetkit.data.dataset import Dataset
from jetkit.data.ragged import Ragged
from jetkit.errors import JetkitError

PER_CLASS = 5000
CLASSES = 10
"""As many classes as there are colours."""
KINDS = ("part_isChargedHadron", "part_isNeutralHadron", "part_isPhoton", "part_isElectron", "part_isMuon")
"""Columns that say what a particle is; the place in this list is its `part_type`."""
SHAPE_COLUMNS = ("part_deta", "part_dphi")
WEIGHT = "event_weight"
JET_COLUMNS = ("jet_pt", "jet_mass", "jet_sdmass", "jet_nparticles", "jet_tau1", "jet_tau2", "jet_tau3")


@dataclass(frozen=True, eq=False)
class JetSample:
    """Jets of several classes as plain arrays; the particles of jet j are those from offsets[j] to offsets[j + 1]."""

    classes: tuple[str, ...]
    rows: tuple[int, ...]
    """Number of jets of each class in the whole dataset."""
    label: Int[np.ndarray, " jets"]
    """Index into `classes`."""
    columns: Mapping[str, Float[np.ndarray, " jets"]]
    """Quantity → value per jet: pt, mass, sdmass in GeV; nparticles, tau21 = τ2/τ1, tau32 = τ3/τ2."""
    offsets: Int[np.ndarray, " jets+1"]
    p4: Float[np.ndarray, "particles 4"]
    """(E, px, py, pz) in GeV."""
    part_deta: Float[np.ndarray, " particles"]
    part_dphi: Float[np.ndarray, " particles"]
    """Distance from the jet's axis in radians."""
    part_type: Int[np.ndarray, " particles"]
    """Index into `KINDS`; −1 where none of them is true."""
    weight: Float[np.ndarray, " jets"] | None = None
    """Weights of the generator, of either sign; None where the dataset has none."""

    def __len__(self) -> int:
        return len(self.label)

    @property
    def part_pt(self) -> Float[np.ndarray, " particles"]:
        """Transverse momentum in GeV."""
        return np.asarray(np.hypot(self.p4[:, 1], self.p4[:, 2]))

    def by_class(self, quantity: str) -> dict[str, Float[np.ndarray, " jets"]]:
        """Class → the values of one of `columns`."""
        return {name: self.columns[quantity][self.label == i] for i, name in enumerate(self.classes)}

    @property
    def weights(self) -> dict[str, Float[np.ndarray, " jets"]] | None:
        """Class → the weights of its jets, as `by_class` has their values."""
        if self.weight is None:
            return None
        return {name: self.weight[self.label == i] for i, name in enumerate(self.classes)}

    def select(self, chosen: Bool[np.ndarray, " jets"]) -> JetSample:
        """The jets where `chosen` is true, with their particles."""
        counts = np.diff(self.offsets)
        particles = np.repeat(chosen, counts)
        return JetSample(
            classes=self.classes,
            rows=self.rows,
            label=self.label[chosen],
            columns={name: values[chosen] for name, values in self.columns.items()},
            offsets=np.concatenate([[0], np.cumsum(counts[chosen])]),
            p4=self.p4[particles],
            part_deta=self.part_deta[particles],
            part_dphi=self.part_dphi[particles],
            part_type=self.part_type[particles],
            weight=None if self.weight is None else self.weight[chosen],
        )


def sample_jets(dataset: Dataset, per_class: int = PER_CLASS) -> JetSample:
    """At most `per_class` jets of each class, evenly spaced among its rows; of more than ten classes the ten largest.

    Raises:
        JetkitError: the dataset is empty, or lacks the momenta or directions of the particles.
    """
    if len(dataset) == 0:
        raise JetkitError("the dataset has no jets to show: make it again or choose other rows")
    label = _labels(dataset)
    names, label = _largest(dataset.classes or ("jets",), label)
    if not names:
        raise JetkitError("no jet has a label that the card names: make the dataset again")
    rows = np.sort(np.concatenate([evenly(np.flatnonzero(label == i), per_class) for i in range(len(names))]))
    optional = [name for name in (*JET_COLUMNS, *KINDS, WEIGHT) if name in dataset.columns]
    read = dataset.read([*P4_COLUMNS, *SHAPE_COLUMNS, *optional], rows)
    first = _ragged(read, P4_COLUMNS[0])
    p4 = np.stack([_ragged(read, name).values for name in P4_COLUMNS], axis=1).astype(np.float64)
    flags = {i: _ragged(read, name).values for i, name in enumerate(KINDS) if name in read}
    return JetSample(
        classes=names,
        rows=tuple(int(count) for count in np.bincount(label[label >= 0], minlength=len(names))),
        label=label[rows],
        columns=_quantities(read, p4, first.offsets),
        offsets=np.asarray(first.offsets, dtype=np.int64),
        p4=p4,
        part_deta=_ragged(read, "part_deta").values.astype(np.float64),
        part_dphi=_ragged(read, "part_dphi").values.astype(np.float64),
        part_type=np.select([flag.astype(bool) for flag in flags.values()], list(flags), -1)
        if flags
        else np.full(len(p4), -1),
        weight=_weight(read[WEIGHT]) if WEIGHT in read else None,
    )


def evenly(rows: Int[np.ndarray, " n"], count: int) -> Int[np.ndarray, " m"]:
    """At most `count` of the rows, evenly spaced.

    Example:
        >>> evenly(np.arange(10), 4).tolist()
        [0, 2, 5, 7]
    """
    if len(rows) <= count:
        return rows
    return np.asarray(rows[np.arange(count) * len(rows) // count])


def _labels(dataset: Dataset) -> Int[np.ndarray, " rows"]:
    if "jet_label" not in dataset.columns:
        return np.zeros(len(dataset), dtype=np.int64)
    return np.asarray(dataset.read(["jet_label"])["jet_label"]).astype(np.int64)


def _largest(
    classes: Sequence[str], label: Int[np.ndarray, " rows"]
) -> tuple[tuple[str, ...], Int[np.ndarray, " rows"]]:
    """The largest classes, at most ten, in the order of the dataset, and labels that count among them (else −1)."""
    known = (label >= 0) & (label < len(classes))
    counts = np.bincount(label[known], minlength=len(classes))
    kept = np.sort(np.argsort(-counts, kind="stable")[:CLASSES])
    kept = kept[counts[kept] > 0]
    place = np.full(len(classes) + 1, -1)
    place[kept] = np.arange(len(kept))
    return tuple(classes[i] for i in kept), place[np.where(known, label, -1)]


def _weight(column: object) -> Float[np.ndarray, " jets"]:
    """One weight a jet; zero for those that are not finite, which no loader yields."""
    if isinstance(column, Ragged):
        raise JetkitError(f"column {WEIGHT} should hold a number for each jet")
    return np.nan_to_num(np.asarray(column, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)


def _ragged(read: Mapping[str, object], name: str) -> Ragged:
    column = read[name]
    if not isinstance(column, Ragged):
        raise JetkitError(f"column {name} should hold a list for each jet")
    return column


def _quantities(
    read: Mapping[str, object], p4: Float[np.ndarray, "particles 4"], offsets: Int[np.ndarray, " jets+1"]
) -> dict[str, Float[np.ndarray, " jets"]]:
    """The quantities that can be had from the columns read, in the order in which they are shown."""
    jet = {name.removeprefix("jet_"): np.asarray(read[name], dtype=np.float64) for name in JET_COLUMNS if name in read}
    jets = len(offsets) - 1
    owner = np.repeat(np.arange(jets), np.diff(offsets))
    total = np.stack([np.bincount(owner, weights=p4[:, i], minlength=jets) for i in range(4)], axis=1)
    made = {
        "pt": np.hypot(total[:, 1], total[:, 2]),
        "mass": np.sqrt(np.maximum(total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(axis=1), 0)),
        "nparticles": np.diff(offsets).astype(np.float64),
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, above, below in (("tau21", "tau2", "tau1"), ("tau32", "tau3", "tau2")):
            if above in jet and below in jet:
                made[name] = np.where(jet[below] > 0, jet[above] / jet[below], np.nan)
    order = ("pt", "mass", "sdmass", "nparticles", "tau21", "tau32")
    return {name: {**made, **jet}[name] for name in order if name in made or name in jet}
