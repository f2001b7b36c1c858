"""JetNet: HDF5 files of the 30 or 150 hardest particles of gluon, light quark, top, W and Z jets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import numpy as np

from jetkit.data.columns import Column
from jetkit.data.ragged import Ragged
from jetkit.data.readers.hdf5 import Table
from jetkit.data.readers.particles import from_padded, momenta
from jetkit.data.readers.reader import Reader, Rows
from jetkit.errors import JetkitError
from jetkit.physics.ragged import jet_of
from jetkit.registry import register

CLASSES = ("g", "q", "t", "w", "z")


@register("jetnet", kind="reader", paper="Particle Cloud Generation with Message Passing GANs, 2021, arXiv:2106.11535")
class JetNet(Reader):
    """g.hdf5, …, z150.hdf5 of JetNet, named by class; jets lie at φ = 0, because the files contain no jet azimuth.

    Args:
        label: class of all jets (g, q, t, w or z); none: the first letter of the file name
    """

    suffixes = (".hdf5", ".h5")
    program = "h5py"
    kept: ClassVar = {
        "particle_features": "momenta (massless) and relative coordinates of the particles",
        "jet_features": "jet_pt, jet_eta, jet_mass, jet_nparticles",
    }
    columns: ClassVar = {
        "part_etarel": Column("list[float32]", "1", "eta − jet_eta as stored"),
        "part_phirel": Column("list[float32]", "rad", "phi − jet_phi as stored"),
        "part_ptrel": Column("list[float32]", "1", "pT/jet_pt as stored"),
    }

    def __init__(self, path: Path, *, label: str = "") -> None:
        super().__init__(path)
        self._table = Table(path)
        self.names, self.classes = self._table.names, CLASSES
        self.need("particle_features", "jet_features")
        particles, jets = self._table.shape("particle_features"), self._table.shape("jet_features")
        if particles[2:] != (4,) or jets != (particles[0], 4):
            raise JetkitError(
                f"{path} has particle_features {particles} and jet_features {jets}, not (J, N, 4) and (J, 4)"
            )
        self.entries, self.label = particles[0], label_of(path, label)

    def read(self, start: int, stop: int) -> Rows:
        """Read the jets of the entries from ``start`` to ``stop``."""
        values = self._table.read("particle_features", start, stop)
        jets = self._table.read("jet_features", start, stop)
        etarel, phirel, ptrel, _ = from_padded(values, values[..., 3] > 0)
        pt, eta, mass = jets[:, :3].astype(np.float64).T
        jet, offsets = jet_of(etarel.offsets), etarel.offsets
        rows = momenta(Ragged(ptrel.values * pt[jet], offsets), Ragged(etarel.values + eta[jet], offsets), phirel)
        return rows | {
            "part_etarel": etarel,
            "part_phirel": phirel,
            "part_ptrel": ptrel,
            "jet_pt": pt,
            "jet_eta": eta,
            "jet_phi": np.zeros(len(jets)),
            "jet_energy": np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2),
            "jet_mass": mass,
            "jet_nparticles": jets[:, 3],
            "jet_label": np.full(len(jets), self.label),
        }

    def close(self) -> None:
        """Close the file."""
        self._table.close()


def label_of(path: Path, label: str = "") -> int:
    """Return the index in `CLASSES` of a class letter, or else of the class in the file name.

    Raises:
        JetkitError: neither is one of the five.

    Example:
        >>> label_of(Path("t150.hdf5")), label_of(Path("tops.hdf5"), "t")
        (2, 2)
    """
    found = re.fullmatch(r"([gqtwz])(30|150)?", label or path.stem.lower())
    if not found:
        name = f"label {label!r}" if label else f"{path.name} begins with no class: its label"
        raise JetkitError(f"{name} should be one of {', '.join(CLASSES)}, as in label=t")
    return CLASSES.index(found[1])
