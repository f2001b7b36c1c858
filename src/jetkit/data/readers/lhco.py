"""LHC Olympics: events of up to 700 hadrons, clustered into jets, and feature tables of their two jets."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jetkit.data.columns import Column
from jetkit.data.ragged import Ragged
from jetkit.data.readers.numpy_file import CsvTable
from jetkit.data.readers.pandas_table import PandasTable
from jetkit.data.readers.particles import from_padded
from jetkit.data.readers.reader import Reader, Rows
from jetkit.errors import JetkitError
from jetkit.physics import four_vectors
from jetkit.physics.clustering import ANTI_KT, cluster, constituents, inclusive_jets
from jetkit.physics.ragged import jet_of
from jetkit.registry import register

PAPER = "The LHC Olympics 2020, 2021, arXiv:2101.08320"
CLASSES = ("background", "signal")
HADRONS = tuple(str(column) for column in range(2100))
LABEL = "2100"
MOMENTUM = ("part_energy", "part_px", "part_py", "part_pz")


@register("lhco", kind="reader", paper=PAPER)
class LHCO(Reader):
    """Events of the R&D file or a black box (pandas, 700 × (pT, η, φ)), as leading anti-kT jets with one row each.

    Args:
        radius: R of the anti-kT algorithm
        pt_min: least transverse momentum of a jet in GeV
        leading: jets kept of each event; events with fewer are left out
    """

    suffixes = (".h5", ".hdf5")
    program = "h5py"
    kept = dict.fromkeys(HADRONS, "momenta of the particles") | {LABEL: "jet_label"}
    dropped: ClassVar = {"index": "number of the row"}

    def __init__(self, path: Path, *, radius: float = 1.0, pt_min: float = 20.0, leading: int = 2) -> None:
        super().__init__(path)
        if not (radius > 0 and pt_min >= 0 and leading > 0):
            raise JetkitError(f"radius and leading should be positive, got radius={radius} leading={leading}")
        self.radius, self.pt_min, self.leading = radius, pt_min, leading
        self._table = PandasTable(path)
        self.entries, self.names = self._table.rows, self._table.columns
        self.need(*HADRONS)
        self.classes = CLASSES if LABEL in self.names else ()

    def read(self, start: int, stop: int) -> Rows:
        """Read the leading jets of the events from ``start`` to ``stop``; constituents by falling pT."""
        wanted = [*HADRONS, LABEL] if self.classes else HADRONS
        found = self._table.columns_of(wanted, start, stop)
        values = np.stack([found[name] for name in HADRONS], axis=1).reshape(-1, 700, 3)
        p4, offsets, usable = momenta_of_events(values)
        jets = leading_jets(p4, offsets, self.radius, self.pt_min, self.leading)
        entry = usable[jets.event]
        self.skipped["an event with NaN, infinity or a negative pT"] += len(values) - len(usable)
        self.skipped[f"an event with fewer jets than {self.leading}"] += len(usable) - len(np.unique(entry))
        rows: Rows = {name: Ragged(jets.p4[:, k], jets.offsets) for k, name in enumerate(MOMENTUM)}
        rows |= {"entry": start + entry, "jet_rank": jets.rank}
        rows |= {"event_mjj": jets.mjj} if self.leading > 1 else {}
        return rows | ({"jet_label": found[LABEL][entry]} if self.classes else {})

    def close(self) -> None:
        """Close the file."""
        self._table.close()


class LeadingJets(NamedTuple):
    """Jets of many events, by falling pT within each; jet j has the constituents p4[offsets[j] : offsets[j + 1]]."""

    event: Int[np.ndarray, "J"]
    rank: Int[np.ndarray, "J"]
    mjj: Float[np.ndarray, "J"]
    """Mass in GeV of the two hardest jets of the event, or of the only one."""
    p4: Float[np.ndarray, "M 4"]
    offsets: Int[np.ndarray, "bounds"]


def leading_jets(
    p4: Float[np.ndarray, "M 4"], offsets: Int[np.ndarray, "bounds"], radius: float, pt_min: float, leading: int
) -> LeadingJets:
    """Return the hardest anti-kT jets of events with enough jets above ``pt_min``; constituents by falling pT.

    Example:
        >>> p4 = np.array([[100.0, 100.0, 0.0, 0.0], [50.0, -50.0, 0.0, 0.0], [60.0, -60.0, 0.0, 0.0]])
        >>> jets = leading_jets(p4, np.array([0, 3]), 1.0, 20.0, 2)
        >>> jets.p4[:, 0].tolist(), jets.offsets.tolist(), jets.mjj.round(2).tolist()
        ([60.0, 50.0, 100.0], [0, 2, 3], [209.76, 209.76])
    """
    trees = cluster(p4, offsets, power=ANTI_KT, radius=radius)
    nodes, limits = inclusive_jets(trees)
    hard = four_vectors.pt(trees.p4[nodes]) > pt_min
    events = np.flatnonzero(np.bincount(jet_of(limits)[hard], minlength=len(limits) - 1) >= leading)
    chosen = nodes[limits[events][:, None] + np.arange(leading)]
    leaves, bounds = constituents(trees, chosen.ravel())
    p4 = trees.p4[leaves]
    p4 = p4[np.lexsort((-four_vectors.pt(p4), jet_of(bounds)))]
    mjj = np.repeat(four_vectors.mass(trees.p4[chosen[:, :2]].sum(axis=1)), leading)
    return LeadingJets(np.repeat(events, leading), np.tile(np.arange(leading), len(events)), mjj, p4, bounds)


def momenta_of_events(
    values: Float[np.ndarray, "E 700 3"],
) -> tuple[Float[np.ndarray, "M 4"], Int[np.ndarray, "bounds"], Int[np.ndarray, "U"]]:
    """Return the momenta of massless particles in usable events, their offsets, and the usable events.

    Slots without pT are empty. Events with a non-finite momentum or a negative pT are not usable.
    """
    pt, eta, phi = (column.values.astype(np.float64) for column in from_padded(values, values[..., 0] != 0))
    counts = (values[..., 0] != 0).sum(axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        p4 = four_vectors.from_ptetaphim(pt, eta, phi, np.zeros(len(pt)))
    event = np.repeat(np.arange(len(values)), counts)
    good = np.ones(len(values), dtype=bool)
    good[event[~np.isfinite(p4).all(axis=1) | (pt < 0)]] = False
    return p4[good[event]], np.concatenate([[0], np.cumsum(counts[good])]), np.flatnonzero(good)


TAUS = ("tau1", "tau2", "tau3")
MOMENTA = tuple(f"{name}j{jet}" for jet in (1, 2) for name in ("px", "py", "pz", "m"))


@register("lhco-features", kind="reader", paper=PAPER)
class LHCOFeatures(Reader):
    """Feature tables of the R&D events (pandas or CSV): one row per event, with its two jets as particles."""

    suffixes = (".h5", ".hdf5", ".csv")
    program = "h5py"
    kept = (
        dict.fromkeys(MOMENTA, "momenta and masses of the two jets")
        | {f"{tau}j{jet}": f"part_{tau}" for tau in TAUS for jet in (1, 2)}
        | {"label": "jet_label"}
    )
    dropped: ClassVar = {"index": "number of the row", "": "number of the row"}
    columns: ClassVar = {
        "part_mass": Column("list[float32]", "GeV", "mass of the jet that stands for a particle"),
        **{f"part_{tau}": Column("list[float32]", "1", f"its N-subjettiness, N = {tau[-1]}") for tau in TAUS},
    }

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._table = CsvTable(path) if path.suffix.lower() == ".csv" else PandasTable(path)
        self.entries, self.names = self._table.rows, self._table.columns
        self.need(*MOMENTA)
        self.classes = CLASSES if "label" in self.names else ()

    def read(self, start: int, stop: int) -> Rows:
        """Read the events of the entries from ``start`` to ``stop``."""
        found = self._table.columns_of([name for name in self.names if name in self.kept], start, stop)
        offsets = 2 * np.arange(len(found["mj1"]) + 1)
        taus = [tau for tau in TAUS if f"{tau}j1" in found and f"{tau}j2" in found]
        pairs = {
            name: np.stack([found[f"{name}j1"], found[f"{name}j2"]], axis=1).ravel().astype(np.float64)
            for name in ("px", "py", "pz", "m", *taus)
        }
        mass = pairs.pop("m")
        energy = np.sqrt(pairs["px"] ** 2 + pairs["py"] ** 2 + pairs["pz"] ** 2 + mass**2)
        lists = {f"part_{name}": values for name, values in pairs.items()} | {"part_energy": energy, "part_mass": mass}
        rows: Rows = {name: Ragged(values.astype(np.float32), offsets) for name, values in lists.items()}
        return rows | ({"jet_label": found["label"]} if self.classes else {})

    def close(self) -> None:
        """Close the file."""
        self._table.close()
