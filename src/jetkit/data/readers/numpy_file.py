"""Rows of .npz, .npy and .csv files, read without unpickling."""

from __future__ import annotations

import csv
import math
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jetkit.data.ragged import Array
from jetkit.data.readers.files import check_file, reading
from jetkit.data.readers.hdf5 import native
from jetkit.errors import JetkitError


class Archive:
    """Arrays of an .npz file; rows are read on demand, however large the array.

    Raises:
        JetkitError: the file is absent, cut short, a web page or not .npz.
    """

    def __init__(self, path: Path) -> None:
        check_file(path, "NumPy (npz)")
        self.path = path
        with reading(path, "NumPy"):
            self._zip = zipfile.ZipFile(path)
            self.names = tuple(name.removesuffix(".npy") for name in self._zip.namelist())
        self._opened: dict[str, ArrayFile] = {}

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array in the file.

        Raises:
            JetkitError: the array does not contain numbers, or the file is damaged.
        """
        with reading(self.path, "NumPy"):
            self._opened[name] = self._opened.get(name) or ArrayFile(self._zip, f"{name}.npy")
            return self._opened[name].shape

    def read(self, name: str, start: int, stop: int) -> Array:
        """Read rows of an array in native byte order; half precision becomes single.

        Raises:
            JetkitError: the file is damaged.
        """
        self.shape(name)
        with reading(self.path, "NumPy"):
            return native(self._opened[name].read(start, stop))

    def close(self) -> None:
        """Close the file."""
        self._zip.close()


class ArrayFile:
    """One array of an .npz file; only its header is read at first."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self._file = archive.open(name)
        version = np.lib.format.read_magic(self._file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        self.shape, by_column, self.dtype = header(self._file)
        if self.dtype.kind not in "biuf" or not self.shape:
            raise JetkitError(f"array {name.removesuffix('.npy')} of {archive.filename} holds no rows of numbers")
        self._first = self._file.tell()
        self._whole = self._by_column() if by_column else None

    def read(self, start: int, stop: int) -> Array:
        """Read some rows."""
        if self._whole is not None:
            return self._whole[start:stop]
        shape = (min(stop, self.shape[0]) - start, *self.shape[1:])
        row = self.dtype.itemsize * math.prod(self.shape[1:])
        self._file.seek(self._first + start * row)
        return np.frombuffer(self._file.read(shape[0] * row), self.dtype).reshape(shape)

    def _by_column(self) -> Array:
        """Read the complete array, for arrays not stored row by row."""
        values = np.frombuffer(self._file.read(), self.dtype)
        return values.reshape(self.shape[::-1]).transpose()


def rows_of(path: Path) -> Array:
    """Map the array of an .npy file, without loading it.

    Raises:
        JetkitError: the file is absent, cut short, a web page or not .npy, or holds no numbers.
    """
    check_file(path, "NumPy (npy)")
    with reading(path, "NumPy"):
        values: Array = np.lib.format.open_memmap(path, mode="r")
    if values.dtype.kind not in "biuf":
        raise JetkitError(f"{path} holds {values.dtype}, not numbers")
    return values


class CsvTable:
    """A numeric table in text form: names in the first line, then one line per row. It is read completely.

    Raises:
        JetkitError: the file is absent, empty or a web page, or a line does not have one number per name.
    """

    def __init__(self, path: Path) -> None:
        check_file(path, "CSV")
        self.path = path
        with reading(path, "CSV"), path.open(encoding="utf-8", newline="") as file, warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy warns where there are no rows
            self.columns = tuple(next(csv.reader(file)))
            self._values = np.loadtxt(file, delimiter=",", ndmin=2)
        self.rows = len(self._values)
        if self._values.shape[1] != len(self.columns):
            raise JetkitError(f"{path} has {len(self.columns)} names but {self._values.shape[1]} columns")

    def columns_of(self, names: Sequence[str], start: int, stop: int) -> dict[str, Array]:
        """Return some columns for the rows from ``start`` to ``stop``."""
        return {name: self._values[start:stop, self.columns.index(name)] for name in names}

    def close(self) -> None:
        """Release the table."""
