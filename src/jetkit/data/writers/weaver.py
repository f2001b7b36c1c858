"""Parquet files for weaver-core: jetkit's columns, and a branch ``label_X`` of 0 and 1 for each class."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from jetkit.data.dataset import Dataset
from jetkit.data.ragged import Array, Values
from jetkit.data.shards import write_shard
from jetkit.errors import JetkitError


def write_weaver(dataset: Dataset, path: str | os.PathLike[str], jets: int = 100_000) -> list[Path]:
    """Write a dataset to a folder as Parquet files of at most ``jets`` rows: ``0000.parquet``, ….

    All columns are unchanged but ``jet_label``, which becomes ``label_CLASS``. Rows that no loader would yield are
    written too. A row without a class has no label.

    Returns:
        The files.

    Raises:
        JetkitError: the dataset has no classes, or the folder cannot be written.

    Example:
        >>> from jetkit import open_dataset
        >>> def to_weaver(folder):
        ...     return write_weaver(open_dataset(folder), "for-weaver")
    """
    if "jet_label" not in dataset.columns or not dataset.classes:
        raise JetkitError("weaver needs classes, and the dataset has no jet_label or no names of classes")
    folder = made(path)
    files = []
    for number, start in enumerate(range(0, len(dataset), jets)):
        columns = dataset.read(list(dataset.columns), slice(start, start + jets))
        columns |= one_hot(np.asarray(columns.pop("jet_label")), dataset.classes)
        files.append(folder / f"{number:04d}.parquet")
        write_shard(files[-1], columns)
    return files


def one_hot(label: Array, classes: tuple[str, ...]) -> dict[str, Values]:
    """Return a boolean column ``label_CLASS`` for each class.

    Example:
        >>> one_hot(np.array([1, 0]), ("QCD", "top"))["label_top"].tolist()
        [True, False]
    """
    return {f"label_{name}": label == index for index, name in enumerate(classes)}


def made(path: str | os.PathLike[str]) -> Path:
    """Create an empty folder, and return its path.

    Raises:
        JetkitError: the folder cannot be created, or is not empty.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JetkitError(f"cannot make the folder {folder}: {error.strerror}; choose another") from error
    if any(folder.iterdir()):
        raise JetkitError(f"{folder} is not empty; choose another folder or empty it")
    return folder
