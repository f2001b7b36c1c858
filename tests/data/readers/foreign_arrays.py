"""Files as other people write them: arrays of jets in NumPy, HDF5 and pandas files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jetkit.data.convert import ConvertOptions, convert
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.ragged import Array
from jetkit.data.readers.hdf5 import write_table

PID = np.array([211, -211, 22, 130, 2112, 2212, -2212, 321, -321, 11, -11, 13, -13])


def particles(counts: list[int], places: int, seed: int = 0, jet_eta: float = 0.8) -> Array:
    """Padded (J, places, 3) pT, η, φ of jets with the given numbers of particles, by falling pT."""
    random = np.random.default_rng(seed)
    found = np.zeros((len(counts), places, 3))
    for jet, count in enumerate(counts):
        found[jet, :count, 0] = np.sort(random.exponential(20, count) + 0.1)[::-1]
        found[jet, :count, 1] = jet_eta + random.normal(0, 0.2, count)
        found[jet, :count, 2] = random.uniform(-3, 3) + random.normal(0, 0.2, count)
    return found


def with_pid(jets: Array, seed: int = 1) -> Array:
    """The same with a PDG code for each particle, as a fourth number."""
    code = np.random.default_rng(seed).choice(PID, jets.shape[:2]) * (jets[..., 0] > 0)
    return np.concatenate([jets, code[..., None]], axis=-1)


def dijets(events: int, seed: int = 2) -> Array:
    """Events (events, 2100) of 700 × (pT, η, φ): two sprays back to back, of unequal and varied hardness."""
    random = np.random.default_rng(seed)
    rows = np.zeros((events, 700, 3))
    for event in range(events):
        axis, counts = random.uniform(-3, 0), random.integers(20, 60, 2)
        for jet, count in enumerate(counts):
            here = slice(jet * counts[0], jet * counts[0] + count)
            rows[event, here, 0] = random.exponential(1500 / count, count) + 1
            rows[event, here, 1] = random.normal(0.5 - jet, 0.1, count)
            rows[event, here, 2] = axis + jet * 3.0 + random.normal(0, 0.1, count)
        random.shuffle(rows[event, : counts.sum()])
    return rows.reshape(events, 2100)


def momenta(pt: Array, eta: Array, phi: Array) -> Array:
    """Massless (E, px, py, pz), by their definition."""
    return np.stack([pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=-1)


def pandas_file(path: Path, columns: dict[Any, Array], key: str = "df", **options: Any) -> Path:
    """What ``DataFrame(columns).to_hdf`` writes."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    pandas.DataFrame(columns).to_hdf(path, key=key, mode="w", **options)
    return path


def fixed_file(path: Path, values: Array) -> Path:
    """A pandas table of the format ``fixed`` whose columns are numbered, of any type of number."""
    names = np.arange(values.shape[1])
    rows = {"axis0": names, "axis1": np.arange(len(values)), "block0_items": names, "block0_values": values}
    write_table(path, {f"df/{name}": array for name, array in rows.items()})
    return path


def converted(format: str, out: Path, *files: Path, shard: int = 7, **values: Any) -> Dataset:
    """The files as a dataset, in pieces of a few entries."""
    return open_dataset(convert(format, files, ConvertOptions(out=str(out), shard=shard), values))


def p4_of(dataset: Dataset) -> tuple[Array, Array]:
    """Momenta (E, px, py, pz) of all particles of a dataset, and the number in each row."""
    found = [dataset.read([f"part_{name}"])[f"part_{name}"] for name in ("energy", "px", "py", "pz")]
    return np.stack([column.values for column in found], axis=-1), found[0].counts


def damaged(path: Path, whole: Path) -> Path:
    """The first two thirds of a file."""
    content = whole.read_bytes()
    path.write_bytes(content[: 2 * len(content) // 3])
    return path


def web_page(path: Path) -> Path:
    path.write_text("<!DOCTYPE html><html><body>404</body></html>")
    return path
