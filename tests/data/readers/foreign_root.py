"""ROOT and Parquet files as the experiments and generators write them, small; and the real ones where they are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from jetkit.data.convert import ConvertOptions, convert
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.ragged import Array, Ragged, Values
from jetkit.data.readers.jetclass import CLASSES
from jetkit.data.readers.root import write_tree
from jetkit.errors import JetkitError

from ..conftest import make_jets

REAL = Path(__file__).parents[3] / ".." / "shared" / "data"
COUNTS = [3, 1, 0, 4, 2, 5]
"""Particles of an entry; one entry is empty."""
SHARD = 4


def real(name: str) -> Path:
    """A public file."""
    if not (REAL / name).exists():
        pytest.skip(f"the public file {name} is not here")
    return REAL / name


def tree_of(path: Path, name: str) -> Any:
    """The tree as uproot alone gives it."""
    return uproot.open(path)[name]


def converted(format: str, out: Path, file: Path, shard: int = SHARD, **values: Any) -> Dataset:
    """The dataset made of a file, in pieces of a few entries."""
    return open_dataset(convert(format, [file], ConvertOptions(out=str(out), shard=shard), values))


def same(ours: Values, theirs: Values) -> None:
    """Equal to the bit, offsets included."""
    pairs = zip(ours, theirs, strict=True) if isinstance(ours, Ragged) else [(ours, theirs)]
    for one, two in pairs:
        np.testing.assert_array_equal(one, two)


def lists(dataset: Dataset, name: str) -> list[list[Any]]:
    """A column of lists as Python lists."""
    column = dataset.read([name])[name]
    assert isinstance(column, Ragged)
    return [values.tolist() for values in np.split(column.values, column.offsets[1:-1])]


def values(dataset: Dataset, name: str) -> Array:
    """All values of a column of lists."""
    column = dataset.read([name])[name]
    assert isinstance(column, Ragged)
    return column.values


def jets(counts: list[int], **changed: Values) -> dict[str, Values]:
    """Columns of random jets, float32 and int32 as in public files, without label and event."""
    columns: dict[str, Values] = {}
    for name, column in make_jets(counts).items():
        values = column[0] if isinstance(column, tuple) else np.asarray(column)
        values = values.astype({"f": np.float32, "i": np.int32}.get(values.dtype.kind, values.dtype))
        columns[name] = Ragged(values, column[1]) if isinstance(column, tuple) else values
    del columns["event_id"], columns["jet_label"]
    return columns | changed


def write_present(path: Path, tree: str, columns: Mapping[str, Values | None]) -> None:
    """Write a tree of the columns that are there; None stands for a branch that the file lacks."""
    write_tree(path, tree, {name: column for name, column in columns.items() if column is not None})


def jetclass_file(path: Path, counts: list[int], **changed: Values) -> dict[str, Values]:
    """A JetClass file; jet i is of class i."""
    label = np.arange(len(counts)) % len(CLASSES)
    columns = jets(counts) | {f"label_{name}": label == index for index, name in enumerate(CLASSES)} | changed
    write_present(path, "tree", columns)
    return columns


def objects(counts: list[int], seed: int = 0) -> dict[str, Ragged]:
    """pt, eta, phi (float32) of objects, by falling pT."""
    random, offsets = np.random.default_rng(seed), np.concatenate([[0], np.cumsum(counts)])
    pt = np.concatenate([np.sort(random.uniform(20, 300, count))[::-1] for count in counts])
    values = {"pt": pt, "eta": random.normal(0, 1, len(pt)), "phi": random.uniform(-3, 3, len(pt))}
    return {name: Ragged(array.astype(np.float32), offsets) for name, array in values.items()}


def like(column: Ragged, values: Any, kind: Any = np.float32) -> Ragged:
    """Lists of the same lengths."""
    return Ragged(np.broadcast_to(np.asarray(values, kind), column.values.shape).copy(), column.offsets)


def momenta(pt: Array, eta: Array, phi: Array, mass: Any = 0.0) -> Array:
    """(E, px, py, pz), by its definition."""
    pz = pt * np.sinh(eta)
    return np.stack([np.sqrt(pt**2 + pz**2 + mass**2), pt * np.cos(phi), pt * np.sin(phi), pz], axis=-1)


def p4_of(dataset: Dataset) -> Array:
    """(E, px, py, pz) of all particles."""
    found = dataset.read([f"part_{name}" for name in ("energy", "px", "py", "pz")])
    return np.stack([column.values for column in found.values() if isinstance(column, Ragged)], axis=-1)


def flat(array: Any) -> Array:
    """All numbers of an awkward array."""
    return np.asarray(ak.to_numpy(ak.flatten(array, axis=None)))


def refuses_what_is_damaged(format: str, file: Path, **values: Any) -> None:
    """A file cut short and a web page under its name are told in one sentence that names the file."""
    content = file.read_bytes()
    for bad, message in (
        (content[: len(content) // 2], f"{file.name}.* cannot be read as"),
        (content[:20], f"{file.name}.* cannot be read as"),
        (b"", f"{file.name} is empty"),
        (b"<!DOCTYPE html><html>not found</html>", f"{file.name} is a web page"),
    ):
        file.write_bytes(bad)
        with pytest.raises(JetkitError, match=message):
            converted(format, file.parent / "bad", file, **values)
