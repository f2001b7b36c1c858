"""Detectors as data: the numbers of a card, checked when read, as arrays for the compiled kernels."""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from jetkit.config import ConfigError, build, load
from jetkit.simulation.particles import Floats, Ints

Row = list[float]
SPECIES = ("hadron", "electron", "muon")


@dataclass(frozen=True)
class Species:
    """Tracking efficiency and resolution for one kind of particle.

    Attributes:
        efficiency: rows |η| min, |η| max, pT min, pT max [GeV], ε, fall-off k [1/GeV]: ε·exp(−k (pT − pT min)).
        resolution: rows |η| max, a, b: σ(pT)/pT = a ⊕ b·pT, at most 1.
    """

    efficiency: list[Row]
    resolution: list[Row]


@dataclass(frozen=True)
class Towers:
    """Towers that share a segmentation in φ; each edge is the upper edge of one tower.

    The edges are ``eta``, or ``start + k·step`` for k = first … last.
    """

    phi: Annotated[int, Field(gt=0, description="number of towers around the beam")]
    eta: list[float] = Field(default_factory=list)
    start: float = 0.0
    step: float = 0.0
    first: int = 0
    last: int = -1

    def edges(self) -> list[float]:
        """Upper edges of the towers in η."""
        return [*self.eta, *(self.start + k * self.step for k in range(self.first, self.last + 1))]


@dataclass(frozen=True)
class Calorimeter:
    """One calorimeter: its towers, the energy share of each particle, and its resolution.

    Attributes:
        fractions: share of a particle's energy left here, by |PDG code|; 'default' for all others.
        resolution: rows |η| max, a, b, c, k0, k1, k2: σ(E) = (k0 + k1 (|η| − k2)²)·(a·E ⊕ b·√E ⊕ c).
    """

    energy_min: float
    significance_min: float
    fractions: dict[str, float]
    resolution: list[Row]
    towers: list[Towers]


@dataclass(frozen=True)
class DetectorCard:
    """All parameters of a detector; lengths in mm, field in tesla.

    Attributes:
        track_momentum: 'smeared' with the resolution of its species; or 'true', with no error assigned to it.
        track_mass: 'true' keeps the mass (E² = p² + m²); 'zero' sets E = |p|.
        impact_parameters: file of σ(d0), σ(dz) beside the card; empty for a detector without.
    """

    description: str
    source: str
    field: float
    radius: float
    half_length: float
    track_momentum: Literal["smeared", "true"]
    track_mass: Literal["true", "zero"]
    hadron: Species
    electron: Species
    muon: Species
    ecal: Calorimeter
    hcal: Calorimeter
    impact_parameters: str = ""
    resolution_scale: Annotated[float, Field(gt=0, description="multiplies every resolution")] = 1.0
    differences: list[str] = Field(default_factory=list)


def load_card(name: str, resolution_scale: float = 1.0) -> DetectorCard:
    """Load a detector card by its name or from a YAML file.

    Raises:
        ConfigError: no such card, or one with an unknown or missing number.

    Example:
        >>> load_card("atlas").field
        2.0
    """
    card = build(DetectorCard, load("detectors", name), f"the detector card {name}")
    for species in SPECIES:
        _require_columns(getattr(card, species).efficiency, 6, f"{name}: {species} efficiency")
        _require_columns(getattr(card, species).resolution, 3, f"{name}: {species} resolution")
    for part in ("ecal", "hcal"):
        _require_columns(getattr(card, part).resolution, 7, f"{name}: {part} resolution")
    return replace(card, resolution_scale=card.resolution_scale * resolution_scale)


def _require_columns(rows: list[Row], columns: int, what: str) -> None:
    if not rows or any(len(row) != columns for row in rows):
        raise ConfigError(f"{what} should be rows of {columns} numbers each")


class Grid(NamedTuple):
    """Towers as arrays: row r lies between edges[r] and edges[r+1] and has phi[r] cells, numbered from first[r] on."""

    edges: Floats
    phi: Ints
    first: Ints


def grid(calorimeter: Calorimeter) -> Grid:
    """Return the towers of a calorimeter as arrays, sorted in η.

    Example:
        >>> g = grid(load_card("atlas").hcal)
        >>> float(g.edges[0]), float(g.edges[-1]), int(g.phi.max())
        (-4.9, 4.9, 36)
    """
    upper = sorted((edge, towers.phi) for towers in calorimeter.towers for edge in towers.edges())
    edges = np.array([edge for edge, _ in upper])
    phi = np.array([cells for _, cells in upper[1:]], dtype=np.int64)
    return Grid(edges, phi, np.concatenate([[0], np.cumsum(phi)]))


def shares(calorimeter: Calorimeter, pid: Ints) -> Floats:
    """Return the share (M,) of each particle's energy that it deposits in this calorimeter."""
    kinds, place = np.unique(np.abs(pid), return_inverse=True)
    default = calorimeter.fractions["default"]
    return np.array([calorimeter.fractions.get(str(kind), default) for kind in kinds.tolist()])[place]


@lru_cache(maxsize=4)
def impact_parameter_table(name: str) -> tuple[Floats, Floats]:
    """Read σ(d0) and σ(dz) in mm, as rows |η| min, |η| max, pT min, pT max, σ."""
    text = files("jetkit").joinpath("recipes", "detectors", name).read_text(encoding="utf-8")
    lines = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    keys = ("abs_eta_min", "abs_eta_max", "pt_min_gev", "pt_max_gev", "sigma_mm")
    tables = [[[float(line[key]) for key in keys] for line in lines if line["quantity"] == q] for q in ("d0", "dz")]
    return np.array(tables[0]), np.array(tables[1])
