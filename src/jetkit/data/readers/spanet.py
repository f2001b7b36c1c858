"""SPANet: events of jets, with the jet assigned to each decay product of the hard process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from jetkit.config import load
from jetkit.data.columns import Column
from jetkit.data.ragged import Array, Ragged
from jetkit.data.readers.hdf5 import Table
from jetkit.data.readers.particles import from_padded, momenta
from jetkit.data.readers.reader import Reader, Rows
from jetkit.errors import JetkitError
from jetkit.registry import register

ABSENT = -1
"""Target of a decay product without a jet."""
MOMENTUM = ("mass", "pt", "eta", "phi", "sin_phi", "cos_phi")


class Named(dict[str, Column]):
    """Columns with file-specific names; the prefix of the name gives their type."""

    def __missing__(self, name: str) -> Column:
        for start, column in self.items():
            if start.endswith("_") and name.startswith(start):
                return column
        raise KeyError(name)

    def __ror__(self, other: Mapping[str, Column]) -> Named:  # type: ignore[override]
        return Named({**other, **self})


@register(
    "spanet",
    kind="reader",
    paper="SPANet: Generalized Permutationless Set Assignment for Particle Physics using Symmetry Preserving "
    "Attention, 2021, arXiv:2106.03898",
)
class SPANet(Reader):
    """SPANet HDF5 files (INPUTS, TARGETS, ...): events as rows, jets as particles; all features and targets are kept.

    Args:
        event: event file (.yaml), which gives the order of sequential inputs; required if there are several
    """

    suffixes = (".h5", ".hdf5")
    program = "h5py"
    columns = Named({
        "part_input": Column("list[int32]", "1", "from which of the sequential inputs it comes, in their order"),
        "part_": Column("list[float32]", "as in the file", "feature of the jet"),
        "target_": Column("int32", "1", "place of the jet of this decay product among the event's jets; -1: none"),
        "event_": Column("float32", "as in the file", "feature of the whole event"),
        "regression_": Column("float32", "as in the file", "quantity to regress; NaN: none"),
        "classification_": Column("int32", "1", "class; -1: none"),
    })  # fmt: skip

    def __init__(self, path: Path, *, event: str = "") -> None:
        super().__init__(path)
        self._table = Table(path)
        self.names = self._table.names
        recipe = load("events", event) if event else {}
        self.companions = (Path(event),) if event else ()
        self._inputs = self._sequential(recipe)
        masks = [self._table.shape(f"INPUTS/{name}/MASK") for name in self._inputs]
        self.entries, self._features = masks[0][0], self._common()
        self.need(
            *_described(recipe), *(f"INPUTS/{name}/{key}" for name in self._inputs for key in ("mass", "pt", "eta"))
        )
        numbers = [name for name in self.names if column_of(name) and len(self._table.shape(name)) == 1]
        self._flat = {name: column_of(name) for name in numbers}
        expected: dict[str, tuple[int, ...]] = dict.fromkeys(numbers, (self.entries,))
        for name, mask in zip(self._inputs, masks, strict=True):
            expected |= {f"INPUTS/{name}/{key}": (self.entries, *mask[1:2]) for key in ("MASK", *self._features)}
        for name, shape in expected.items():
            if self._table.shape(name) != shape:
                raise JetkitError(
                    f"{path}: {name} has shape {self._table.shape(name)}, not {shape}: the file is damaged"
                )

    @property
    def unknown(self) -> list[str]:
        """Return the datasets that are neither targets nor features of all inputs."""
        used = {f"INPUTS/{name}/{key}" for name in self._inputs for key in ("MASK", *self._features)}
        return sorted(set(self.names) - used - self._flat.keys())

    def read(self, start: int, stop: int) -> Rows:
        """Read the events of the entries from ``start`` to ``stop``."""
        real = self._padded("MASK", start, stop).astype(bool)
        values = np.stack([self._padded(name, start, stop).astype(np.float64) for name in self._features], axis=2)
        lists = dict(zip(self._features, from_padded(values, real), strict=True))
        pt = lists["pt"]
        phi = lists["phi"] if "phi" in lists else _angle(lists["sin_phi"], lists["cos_phi"])
        rows: Rows = {
            f"part_{name}": column._replace(values=column.values.astype(np.float32))
            for name, column in lists.items()
            if name not in MOMENTUM
        }
        if len(self._inputs) > 1:
            widths = [self._table.shape(f"INPUTS/{name}/MASK")[1] for name in self._inputs]
            which = np.broadcast_to(np.repeat(np.arange(len(widths)), widths), real.shape)[real]
            rows["part_input"] = pt._replace(values=which.astype(np.int32))
        rows |= momenta(pt, lists["eta"], phi, lists["mass"])
        return rows | {to: self._value(name, to, real, start) for name, to in self._flat.items()}

    def _value(self, name: str, to: str, real: Array, start: int) -> Array:
        """Return one number per event."""
        values = self._table.read(name, start, start + len(real))
        if name.startswith("TARGETS/"):
            return packed(values, real, f"{self.path}: {name}")
        return values.astype(self.columns[to].dtype)

    def _sequential(self, recipe: Mapping[str, object]) -> list[str]:
        """Return the sequential inputs, in the order in which targets count them."""
        found = [name.split("/")[1] for name in self.names if name.startswith("INPUTS/") and name.endswith("/MASK")]
        if not found:
            self.need("INPUTS/…/MASK")
        inputs = recipe.get("INPUTS")
        given = inputs.get("SEQUENTIAL") if isinstance(inputs, dict) else None
        if recipe and not isinstance(given, dict):
            raise JetkitError("the event file has no INPUTS: SEQUENTIAL: that names the inputs of the file")
        order = list(given or ())
        self.need(*(f"INPUTS/{name}/MASK" for name in order))
        if len(found) > 1 and not order:
            raise JetkitError(
                f"{self.path} has the inputs {', '.join(found)}: give event=FILE.yaml, which tells their order"
            )
        return order or found

    def _common(self) -> list[str]:
        """Return the features that every sequential input has."""
        each = [
            [key.split("/")[2] for key in self.names if key.startswith(f"INPUTS/{name}/") and not key.endswith("/MASK")]
            for name in self._inputs
        ]
        common = [feature for feature in each[0] if all(feature in other for other in each)]
        if "phi" not in common and not {"sin_phi", "cos_phi"} <= set(common):
            self.need(*(f"INPUTS/{name}/phi" for name in self._inputs))
        return common

    def _padded(self, feature: str, start: int, stop: int) -> Array:
        """Return a feature of the jets of all sequential inputs, joined side by side."""
        return np.concatenate(
            [self._table.read(f"INPUTS/{name}/{feature}", start, stop) for name in self._inputs], axis=1
        )

    def close(self) -> None:
        """Close the file."""
        self._table.close()


def _angle(sine: Ragged, cosine: Ragged) -> Ragged:
    return Ragged(np.arctan2(sine.values, cosine.values), sine.offsets)


def column_of(name: str) -> str:
    """Return the column name of a dataset with one number per event; empty for all others.

    Example:
        >>> column_of("TARGETS/t1/q2"), column_of("INPUTS/Met/met"), column_of("other")
        ('target_t1_q2', 'event_Met_met', '')
    """
    starts = {"TARGETS": "target", "REGRESSIONS": "regression", "CLASSIFICATIONS": "classification", "INPUTS": "event"}
    kind, *rest = name.split("/")
    return "_".join([starts[kind], *rest]) if kind in starts and rest else ""


def packed(target: Array, real: Array, where: str) -> Array:
    """Convert targets that count padding to indices among the real jets.

    Raises:
        JetkitError: a target points to a slot without a jet.

    Example:
        >>> packed(np.array([2, -1]), np.array([[True, False, True], [True, True, False]]), "TARGETS/t1/b").tolist()
        [1, -1]
    """
    there = target != ABSENT
    wrong = there & ((target < 0) | (target >= real.shape[1]))
    wrong[~wrong & there] = ~real[~wrong & there, target[~wrong & there]]
    if wrong.any():
        raise JetkitError(f"{where} is {target[wrong][0]} in an event that has no jet there: the file is damaged")
    before = np.cumsum(real, axis=1) - 1
    found = np.full(len(target), ABSENT, np.int32)
    found[there] = before[there, target[there]]
    return found


def _described(recipe: Mapping[str, object]) -> list[str]:
    """Return the targets that an event file describes."""
    event = recipe.get("EVENT")
    if not isinstance(event, dict):
        return []
    return [
        f"TARGETS/{particle}/{next(iter(product)) if isinstance(product, dict) else product}"
        for particle, products in event.items()
        for product in products or ()
    ]
