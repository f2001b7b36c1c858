"""JetNet files, for programs that read only this format."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from jetkit.data.atomic import partial_of
from jetkit.data.columns import P4_COLUMNS
from jetkit.data.dataset import Dataset
from jetkit.data.ragged import Array
from jetkit.data.readers.complete import with_sums
from jetkit.data.readers.hdf5 import write_table
from jetkit.data.writers.top_tagging import hardest, momenta_of
from jetkit.errors import JetkitError
from jetkit.physics import four_vectors
from jetkit.physics.ragged import jet_of

LETTERS = {"gluon": "g", "quark": "q", "top": "t", "tbqq": "t", "wqq": "w", "zqq": "z"} | {c: c for c in "gqtwz"}
"""Lower-case name of a class → name of its file."""
AXES = ("jet_pt", "jet_eta", "jet_phi", "jet_mass")
AT_ONCE = 10_000


def write_jetnet(dataset: Dataset, folder: str | os.PathLike[str], *, particles: int = 30) -> list[Path]:
    """Write a file per class that has jets (g.hdf5, …; g150.hdf5, … for 150 particles), and return their paths.

    ``particle_features`` (J, particles, 4) are η − jet_eta, φ − jet_phi, pT/jet_pt and 1 of the particles of largest
    pT by falling pT, then zeros; ``jet_features`` (J, 4) are jet_pt, jet_eta, jet_mass and the number of particles
    written; all float32. Masses of particles and the azimuth of jets have no place there.

    Source: Particle Cloud Generation with Message Passing Generative Adversarial Networks, 2021, arXiv:2106.11535.

    Raises:
        JetkitError: a class that is none of gluon, quark, top, W, Z (or their first letters), a column is absent, or a
            full disk.

    Example:
        >>> from jetkit import open_dataset
        >>> def export(folder):
        ...     return write_jetnet(open_dataset(folder), "jetnet", particles=150)
    """
    place = Path(folder)
    labels = np.asarray(dataset.read(["jet_label"])["jet_label"])
    files = {
        place / f"{_letter(name)}{'' if particles == 30 else particles}.hdf5": np.flatnonzero(labels == label)
        for label, name in enumerate(dataset.classes)
        if (labels == label).any()
    }
    for path, rows in files.items():
        _write(path, dataset, rows, particles)
    return list(files)


def _letter(name: str) -> str:
    if name.lower() not in LETTERS:
        raise JetkitError(
            f"JetNet has no class {name!r}, only gluon, quark, top, W and Z: leave its jets out with Dataset.where"
        )
    return LETTERS[name.lower()]


def _write(path: Path, dataset: Dataset, rows: Int[np.ndarray, "J"], particles: int) -> None:
    parts = [_features(dataset, rows[k : k + AT_ONCE], particles) for k in range(0, len(rows), AT_ONCE)]
    features, jets = (np.concatenate(part) for part in zip(*parts, strict=True))
    partial = partial_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(partial, {"particle_features": features, "jet_features": jets})
        partial.replace(path)
    except OSError as error:
        raise JetkitError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _features(
    dataset: Dataset, rows: Int[np.ndarray, "J"], particles: int
) -> tuple[Float[np.ndarray, "J N 4"], Float[np.ndarray, "J 4"]]:
    """Return both arrays for some jets."""
    known = [name for name in AXES if name in dataset.columns]
    read = with_sums(dataset.read([*P4_COLUMNS, *known], rows))
    pt, eta, phi, mass = (np.asarray(read[name], np.float64) for name in AXES)
    p4, offsets = momenta_of(read)
    p4 = p4.astype(np.float64)
    jet = jet_of(offsets)
    columns: list[Array] = [
        four_vectors.eta(p4) - eta[jet],
        four_vectors.delta_phi(four_vectors.phi(p4), phi[jet]),
        four_vectors.pt(p4) / pt[jet],
        np.ones(len(p4)),
    ]
    chosen, places = hardest(p4, offsets, particles)
    features = np.zeros((*places.shape, 4), np.float32)
    features[places] = np.stack(columns, axis=-1)[chosen]
    return features, np.stack([pt, eta, mass, places.sum(axis=1)], axis=-1).astype(np.float32)
