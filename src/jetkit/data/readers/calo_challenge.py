"""CaloChallenge: calorimeter showers as energies of voxels in layers, rings and sectors."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jetkit.config import load
from jetkit.data.columns import Column
from jetkit.data.ragged import Array, Ragged, concatenate
from jetkit.data.readers.hdf5 import Table
from jetkit.data.readers.reader import Reader, Rows
from jetkit.errors import JetkitError
from jetkit.registry import register

SETS = {368: "1-photons", 533: "1-pions", 6480: "2", 40500: "3"}
"""Number of voxels → name of the calorimeter."""
AT_ONCE = 2**24
"""Number of voxels in memory at once."""


class Voxels(NamedTuple):
    """Voxels of a calorimeter in stored order: bin centres in mm and rad, and layers."""

    r: Float[np.ndarray, " V"]
    alpha: Float[np.ndarray, " V"]
    layer: Int[np.ndarray, " V"]


class Layers(NamedTuple):
    """Layers of a calorimeter in ascending order: number, edges of the rings in mm, number of sectors."""

    number: Int[np.ndarray, " L"]
    edges: tuple[Float[np.ndarray, "_"], ...]
    sectors: Int[np.ndarray, " L"]


@lru_cache
def layers_of(name: str) -> Layers:
    """Return the layers of ``1-photons``, ``1-pions``, ``2`` or ``3``.

    Example:
        >>> layers_of("1-photons").number.tolist()
        [0, 1, 2, 3, 12]
    """
    kinds = {str(key): value for key, value in load("geometries", "calo-challenge").items()}[name]
    each = [(number, np.array(kind["r"], np.float64), kind["alpha"]) for kind in kinds for number in kind["layers"]]
    numbers, edges, sectors = zip(*each, strict=True)
    return Layers(np.array(numbers), edges, np.array(sectors))


@lru_cache
def voxels(name: str) -> Voxels:
    """Return the voxels of ``1-photons``, ``1-pions``, ``2`` or ``3``: r fastest, then α from −π, then the layer.

    Example:
        >>> len(voxels("1-pions").r), voxels("2").r[:2].round(3).tolist()
        (533, [2.325, 6.975])
    """
    layers = layers_of(name)
    r, alpha, layer = [], [], []
    for number, edges, sectors in zip(*layers, strict=True):
        rings = (edges[1:] + edges[:-1]) / 2
        r.append(np.tile(rings, sectors))
        alpha.append(np.repeat((np.arange(sectors) + 0.5) * 2 * np.pi / sectors - np.pi, len(rings)))
        layer.append(np.full(len(rings) * sectors, number))
    return Voxels(np.concatenate(r), np.concatenate(alpha), np.concatenate(layer))


def voxels_of(rows: Rows, name: str) -> Float[np.ndarray, "N V"]:
    """Compute the energy of each voxel in MeV, in stored order, from showers as clouds; inverse of ``form=cloud``.

    Energies of cells in the same voxel are added. Only ``cell_r`` (mm), ``cell_alpha`` (rad), ``cell_layer`` and
    ``cell_energy`` (GeV) are used; a cell need not be at the centre of its voxel.

    Raises:
        JetkitError: a cell is outside of the calorimeter.

    Example:
        >>> cell = {"r": 1.0, "alpha": 0.1, "layer": 12, "energy": 0.25}
        >>> found = voxels_of({f"cell_{key}": Ragged(np.array([x]), np.array([0, 1])) for key, x in cell.items()}, "2")
        >>> found.shape, int(found.argmax()), float(found.max())
        ((1, 6480), 1800, 250.0)
    """
    energy = rows["cell_energy"]
    assert isinstance(energy, Ragged)
    places = np.stack([_flat(rows, f"cell_{key}") for key in ("layer", "r", "alpha")])
    voxel, size = _voxel(layers_of(name), *places), len(voxels(name).r)
    shower = np.repeat(np.arange(len(energy.counts)), energy.counts)
    found = np.zeros((len(energy.counts), size), np.float32)
    np.add.at(found, (shower, voxel), energy.values.astype(np.float64) * 1000)
    return found


@register(
    "calo-challenge",
    kind="reader",
    paper="CaloChallenge 2022: A Community Challenge for Fast Calorimeter Simulation, 2024, arXiv:2410.21611",
)
class CaloChallenge(Reader):
    """CaloChallenge HDF5 files (``showers``, ``incident_energies``): cells with energy, or all voxels; GeV, mm.

    Args:
        set: which calorimeter; default: by the number of voxels
        form: cloud (the cells above the threshold) or voxels (the energies of all, in stored order)
        threshold: energy in MeV above which a voxel is a cell of the cloud
    """

    suffixes = (".hdf5", ".h5")
    program = "h5py"
    objects = "cell"
    kept: ClassVar = {"showers": "cell_energy and the places of the cells", "incident_energies": "shower_energy"}
    columns: ClassVar = {
        "cell_x": Column("list[float32]", "mm", "r cos α of the centre of the cell, along η"),
        "cell_y": Column("list[float32]", "mm", "r sin α of the centre of the cell, along φ"),
        "cell_r": Column("list[float32]", "mm", "distance of the centre of the cell from the axis of the shower"),
        "cell_alpha": Column("list[float32]", "rad", "angle of the centre of the cell; 0 in rings that are not cut"),
        "cell_layer": Column("list[int32]", "1", "number of the layer"),
        "cell_energy": Column("list[float32]", "GeV", "energy in the cell"),
        "shower_energy": Column("float32", "GeV", "energy of the particle that made the shower"),
    }

    def __init__(
        self,
        path: Path,
        *,
        set: Literal["", "1-photons", "1-pions", "2", "3"] = "",
        form: Literal["cloud", "voxels"] = "cloud",
        threshold: float = 0.0,
    ) -> None:
        super().__init__(path)
        if not 0 <= threshold < np.inf:
            raise JetkitError(f"threshold should be an energy of 0 MeV or more, got {threshold}")
        self._table = Table(path)
        self.names = self._table.names
        self.need("showers", "incident_energies")
        shape, energies = self._table.shape("showers"), self._table.shape("incident_energies")
        size = shape[1] if len(shape) == 2 else 0
        name = set or SETS.get(size, "")
        if not name or size != len(voxels(name).r):
            known = ", ".join(f"{name}: {voxels}" for voxels, name in SETS.items())
            raise JetkitError(f"{path}: showers of shape {shape} are not those of set={set or 'any'}; voxels {known}")
        if energies not in ((shape[0], 1), (shape[0],)):
            raise JetkitError(f"{path}: {shape[0]} showers but incident_energies of shape {energies}")
        self.entries, self._voxels, self._form, self._threshold = shape[0], voxels(name), form, threshold

    def read(self, start: int, stop: int) -> Rows:
        """Read the showers of the entries from ``start`` to ``stop``."""
        step = max(1, AT_ONCE // len(self._voxels.r))
        parts = [self._some(first, min(first + step, stop)) for first in range(start, stop, step)]
        return {name: concatenate([part[name] for part in parts]) for name in parts[0]}

    def _some(self, start: int, stop: int) -> Rows:
        showers = self._table.read("showers", start, stop)
        incident = self._table.read("incident_energies", start, stop).reshape(-1)
        good = self._usable(showers, incident)
        showers, energy = showers[good], (incident[good].astype(np.float64) / 1000).astype("f4")
        rows: Rows = {"shower_energy": energy, "entry": start + np.flatnonzero(good)}
        if self._form == "voxels":
            offsets = np.arange(len(showers) + 1) * showers.shape[1]
            return rows | {"cell_energy": Ragged(_gev(showers.reshape(-1)), offsets)}
        cells = showers > self._threshold
        offsets = np.concatenate([[0], np.cumsum(cells.sum(axis=1))])
        r, alpha, layer = (values[np.nonzero(cells)[1]] for values in self._voxels)
        found = {"x": r * np.cos(alpha), "y": r * np.sin(alpha), "r": r, "alpha": alpha, "layer": layer}
        types = {name: self.columns[f"cell_{name}"].dtype for name in found}
        lists = {f"cell_{name}": Ragged(values.astype(types[name]), offsets) for name, values in found.items()}
        return rows | lists | {"cell_energy": Ragged(_gev(showers[cells]), offsets)}

    def _usable(self, showers: Array, incident: Array) -> Array:
        """Return a mask of showers with valid energies, and count the others."""
        finite = np.isfinite(showers).all(axis=1) & np.isfinite(incident)
        positive = (showers >= 0).all(axis=1) & (incident > 0)
        self.skipped["a shower with NaN or infinity"] += int((~finite).sum())
        self.skipped["a shower with a negative energy, or of no incident energy"] += int((finite & ~positive).sum())
        return finite & positive

    def close(self) -> None:
        """Close the file."""
        self._table.close()


def _gev(energy: Array) -> Array:
    """Convert MeV to GeV, with a single rounding."""
    return (energy.astype(np.float64) / 1000).astype(np.float32)


def _flat(rows: Rows, name: str) -> Array:
    column = rows[name]
    assert isinstance(column, Ragged)
    return column.values.astype(np.float64)


def _voxel(layers: Layers, layer: Array, r: Array, alpha: Array) -> Int[np.ndarray, " M"]:
    """Return the index of the voxel that contains each cell."""
    k = np.minimum(np.searchsorted(layers.number, layer), len(layers.number) - 1)
    rings = np.array([len(edges) - 1 for edges in layers.edges])
    first = np.cumsum([0, *(rings * layers.sectors)])[:-1]
    width = max(edges[-1] for edges in layers.edges) + 1  # puts the edges of all layers into one ascending row
    row = np.concatenate([number * width + edges for number, edges in enumerate(layers.edges)])
    with np.errstate(invalid="ignore"):
        ring = np.searchsorted(row, k * width + r, side="right") - 1 - np.cumsum([0, *(rings + 1)])[k]
        outside = (layers.number[k] != layer) | ~((r >= 0) & (ring < rings[k])) | ~np.isfinite(alpha)
    if outside.any():
        at = np.flatnonzero(outside)[0]
        raise JetkitError(f"a cell is outside of the calorimeter: layer {layer[at]:g}, r {r[at]} mm, alpha {alpha[at]}")
    turn = (alpha / (2 * np.pi) + 0.5) % 1
    sector = np.minimum((turn * layers.sectors[k]).astype(np.int64), layers.sectors[k] - 1)
    found: Array = first[k] + sector * rings[k] + ring
    return found
