"""ROOT files in the format of JetClass: jets of one class per file, with ten one-hot labels."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from jetkit.data.atomic import partial_of
from jetkit.data.columns import COLUMNS
from jetkit.data.dataset import Dataset
from jetkit.data.readers.jetclass import CLASSES
from jetkit.data.readers.root import write_tree
from jetkit.data.writers.weaver import made, one_hot
from jetkit.errors import JetkitError


def write_jetclass(dataset: Dataset, path: str | os.PathLike[str], jets: int = 100_000) -> list[Path]:
    """Write a dataset as ROOT files with at most ``jets`` jets of one class: ``CLASS_000.root``, … (tree ``tree``).

    Columns known to jetkit keep their names, which are those of JetClass; ``jet_label`` becomes the ten branches
    ``label_QCD`` … ``label_Tbl``.

    Returns:
        The files.

    Raises:
        JetkitError: the dataset has other classes than JetClass, jets without a class, or the folder cannot be written.

    Example:
        >>> from jetkit import open_dataset
        >>> def to_jetclass(folder):
        ...     return write_jetclass(open_dataset(folder), "for-others")
    """
    others = [name for name in dataset.classes if name not in CLASSES]
    if others or "jet_label" not in dataset.columns or not dataset.classes:
        reason = f"{others[0]} is none of its classes" if others else "the dataset has no classes"
        raise JetkitError(
            f"JetClass files cannot hold this ({reason}: {', '.join(CLASSES)}); use the Parquet of weaver"
        )
    label = np.asarray(dataset.read(["jet_label"])["jet_label"])
    if ((label < 0) | (label >= len(dataset.classes))).any():
        raise JetkitError("JetClass files cannot hold jets without a class; select those that have one")
    folder = made(path)
    files = []
    for index, name in enumerate(dataset.classes):
        rows = np.flatnonzero(label == index)
        for number, start in enumerate(range(0, len(rows), jets)):
            files.append(folder / f"{name}_{number:03d}.root")
            _write(files[-1], dataset, rows[start : start + jets], CLASSES.index(name))
    return files


def _write(path: Path, dataset: Dataset, rows: np.ndarray, label: int) -> None:
    kept = [name for name in COLUMNS if name in dataset.columns and name != "jet_label"]
    columns = dataset.read(kept, rows)
    partial = partial_of(path)
    try:
        write_tree(partial, "tree", columns | one_hot(np.full(len(rows), label), CLASSES))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
