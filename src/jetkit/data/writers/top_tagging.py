"""HDF5 tables in the layout of the top tagging reference dataset."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from jetkit.data.atomic import partial_of
from jetkit.data.columns import P4_COLUMNS
from jetkit.data.dataset import Dataset
from jetkit.data.ragged import Array, Ragged, Values
from jetkit.errors import JetkitError, require
from jetkit.physics import four_vectors
from jetkit.physics.ragged import jet_of

PLACES = 200
"""Number of particles per jet in the layout."""
MOMENTA = tuple(f"{axis}_{place}" for place in range(PLACES) for axis in ("E", "PX", "PY", "PZ"))
TRUTH = {"truthE": "truth_energy", "truthPX": "truth_px", "truthPY": "truth_py", "truthPZ": "truth_pz"}
AT_ONCE = 10_000


def write_top_tagging(dataset: Dataset, path: str | os.PathLike[str], *, ttv: int = 0) -> None:
    """Write one pandas table ``table`` with E_0, PX_0, …, PZ_199, truthE, …, ttv and is_signal_new.

    The 200 particles of largest pT are written by falling pT, float32 as in the dataset; is_signal_new is jet_label.
    Where the dataset has no momentum of the top quark, it is 0; where it has no ``ttv``, it is the number given
    (0 train, 1 test, 2 validation). The layout is that of doi:10.5281/zenodo.2603256.

    Source: The Machine Learning Landscape of Top Taggers, 2019, arXiv:1902.09914.

    Raises:
        JetkitError: not two classes, no jets, a column is absent, pandas or PyTables is, or a full disk.

    Example:
        >>> from jetkit import open_dataset
        >>> def export(folder):
        ...     write_top_tagging(open_dataset(folder).split("test"), "test.h5", ttv=1)
    """
    if len(dataset.classes) != 2 or not len(dataset):
        raise JetkitError(f"this layout holds jets of two classes, got {len(dataset)} jets of {list(dataset.classes)}")
    pandas, target = require("pandas"), Path(path)
    require("tables")
    partial = partial_of(target)
    try:
        with pandas.HDFStore(partial, mode="w", complevel=1, complib="zlib") as store:
            for start in range(0, len(dataset), AT_ONCE):
                store.append("table", _frame(pandas, dataset, start, ttv), format="table", index=False)
        partial.replace(target)
    except OSError as error:
        raise JetkitError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def hardest(
    p4: Float[np.ndarray, "M 4"], offsets: Int[np.ndarray, "bounds"], most: int
) -> tuple[Int[np.ndarray, "n"], Bool[np.ndarray, "J most"]]:
    """Return the particles of largest pT in each jet, by falling pT, and their places in an array padded to ``most``.

    Example:
        >>> p4 = np.array([[1.0, 1, 0, 0], [3.0, 3, 0, 0], [2.0, 2, 0, 0], [5.0, 5, 0, 0]])
        >>> chosen, places = hardest(p4, np.array([0, 3, 4]), 2)
        >>> chosen.tolist(), places.tolist()
        ([1, 2, 3], [[True, True], [True, False]])
    """
    jet = jet_of(offsets)
    order = np.lexsort((-four_vectors.pt(p4), jet))
    place = np.arange(len(order)) - offsets[jet]
    return order[place < most], np.arange(most) < np.diff(offsets)[:, None]


def momenta_of(rows: dict[str, Values]) -> tuple[Float[np.ndarray, "M 4"], Int[np.ndarray, "bounds"]]:
    """Return the momenta (E, px, py, pz) of all particles, and the offsets of the jets."""
    lists = [column for column in (rows[name] for name in P4_COLUMNS) if isinstance(column, Ragged)]
    return np.stack([column.values for column in lists], axis=-1), lists[0].offsets


def _frame(pandas: Any, dataset: Dataset, start: int, ttv: int) -> Any:
    """Return some jets as a table."""
    others = [name for name in (*TRUTH.values(), "ttv") if name in dataset.columns]
    rows = dataset.read([*P4_COLUMNS, "jet_label", *others], slice(start, start + AT_ONCE))
    p4, offsets = momenta_of(rows)
    chosen, places = hardest(p4, offsets, PLACES)
    padded = np.zeros((*places.shape, 4), np.float32)
    padded[places] = p4[chosen]
    empty = np.zeros(len(padded), np.float32)
    truth: list[Array] = [np.asarray(rows.get(name, empty)) for name in TRUTH.values()]
    columns = np.column_stack([padded.reshape(len(padded), -1), *truth])
    index = np.arange(start, start + len(padded))
    frame = pandas.DataFrame(columns.astype(np.float32), columns=[*MOMENTA, *TRUTH], index=index)
    part = np.asarray(rows.get("ttv", np.full(len(padded), ttv)), np.int64)
    return frame.assign(ttv=part, is_signal_new=np.asarray(rows["jet_label"], np.int64))
