"""Tables that pandas wrote to HDF5, read without pandas and without unpickling."""

from __future__ import annotations

import pickletools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jetkit.data.ragged import Array
from jetkit.data.readers.hdf5 import Table, native
from jetkit.errors import JetkitError

STRUCTURE = {"PROTO", "FRAME", "MARK", "LIST", "EMPTY_LIST", "PUT", "BINPUT", "MEMOIZE", "APPEND", "APPENDS", "STOP"}
TEXT = {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "STRING", "BINSTRING", "SHORT_BINSTRING"}
NUMBER = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"}


class Place(NamedTuple):
    """Location of a column: a dataset, a field of its records (or none), and the column in it."""

    dataset: str
    field: str
    column: int


class PandasTable(Table):
    """One table of an HDF5 file, in either format of ``DataFrame.to_hdf``.

    Args:
        path: the file
        key: name of the table; none: the only one of the file

    Raises:
        JetkitError: the file is absent, cut short, a web page, not HDF5, or has no such table.
    """

    def __init__(self, path: Path, key: str = "") -> None:
        super().__init__(path)
        keys = {name.rpartition("/")[0] for name in self.names if name.endswith(("/table", "/axis1"))}
        if key not in keys and (key or len(keys) != 1):
            raise JetkitError(f"{path} has no pandas table {key!r}; it has {', '.join(sorted(keys)) or 'none'}")
        key = key or keys.pop()
        records = f"{key}/table" in self.names
        self.places = self._of_records(f"{key}/table") if records else self._of_blocks(key)
        self.columns = tuple(self.places)
        self.rows = self.shape(f"{key}/table" if records else f"{key}/axis1")[0]

    def columns_of(self, names: Sequence[str], start: int, stop: int) -> dict[str, Array]:
        """Read some columns for the rows from ``start`` to ``stop``.

        Raises:
            JetkitError: a column is absent, or the file is damaged.
        """
        absent = [name for name in names if name not in self.places]
        if absent:
            raise JetkitError(f"{self.path} has no column {absent[0]}; it has {', '.join(self.columns[:12])}, ...")
        read = {dataset: self.read(dataset, start, stop) for dataset in {self.places[name].dataset for name in names}}
        found = {}
        for name in names:
            dataset, field, column = self.places[name]
            values = read[dataset][field] if field else read[dataset]
            found[name] = native(values if values.ndim == 1 else values[:, column])
        return found

    def _of_records(self, dataset: str) -> dict[str, Place]:
        """Locate the columns of the format ``table``: fields of records, some with blocks of columns."""
        places: dict[str, Place] = {}
        dtype = self._file[dataset].dtype
        for field in dtype.names or ():
            width = int(np.prod(dtype[field].shape))
            attribute = self._file[dataset].attrs.get(f"{field}_kind")
            pickled = isinstance(attribute, bytes) and field != "index"  # the kind of the index is plain text
            names = listed(bytes(attribute), self.path) if pickled else [field]
            names = [field] if width == 1 and len(names) != 1 else names
            if len(names) != width:
                raise JetkitError(f"{self.path}: block {field} has {width} columns but {len(names)} names")
            places |= {name: Place(dataset, field, column) for column, name in enumerate(names)}
        return places

    def _of_blocks(self, key: str) -> dict[str, Place]:
        """Locate the columns of the format ``fixed``: arrays of columns, and arrays of their names."""
        places: dict[str, Place] = {}
        for items in sorted(name for name in self.names if name.startswith(f"{key}/block") and name.endswith("_items")):
            names = [name.decode() if isinstance(name, bytes) else str(name) for name in self.read(items).tolist()]
            dataset = items.removesuffix("_items") + "_values"
            places |= {name: Place(dataset, "", column) for column, name in enumerate(names)}
        return places


def listed(pickled: bytes, path: Path) -> list[str]:
    """Return the texts or integers of a pickled list, parsed without unpickling, so that no code can run.

    Raises:
        JetkitError: the pickle contains anything else.

    Example:
        >>> import pickle
        >>> listed(pickle.dumps(["E_0", "PX_0"], 0), Path("x.h5"))
        ['E_0', 'PX_0']
    """
    found = []
    try:
        for opcode, argument, _ in pickletools.genops(pickled):
            if opcode.name in TEXT | NUMBER:
                found.append(str(argument))
            elif opcode.name not in STRUCTURE:
                raise ValueError(f"it has {opcode.name}")
    except ValueError as error:
        raise JetkitError(f"{path}: the names of the columns are no list of texts ({error})") from error
    return found
