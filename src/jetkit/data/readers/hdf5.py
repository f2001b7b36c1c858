"""Datasets of HDF5 files as NumPy arrays; the only module that depends on h5py."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from jetkit.data.ragged import Array
from jetkit.data.readers.files import check_file, reading
from jetkit.errors import JetkitError, require


class Table:
    """An HDF5 file open for reading.

    Raises:
        JetkitError: the file is absent, cut short, a web page or not HDF5.
    """

    def __init__(self, path: Path) -> None:
        h5py = require("h5py")
        check_file(path, "HDF5")
        self.path = path
        found: list[str] = []
        with reading(path, "HDF5"):
            self._file = h5py.File(path, "r")
            self._file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
        self.names = found

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a dataset.

        Raises:
            JetkitError: the file has no dataset of this name.
        """
        if name not in self.names:
            raise JetkitError(f"{self.path} has no dataset {name}; it has {', '.join(self.names[:12]) or 'none'}")
        return tuple(int(size) for size in self._file[name].shape)

    def read(self, name: str, start: int = 0, stop: int | None = None) -> Array:
        """Read rows of a dataset in native byte order; half precision becomes single.

        Raises:
            JetkitError: the file has no dataset of this name, or is damaged.
        """
        self.shape(name)
        with reading(self.path, "HDF5"):
            self._need_filters(name)
            found: Array = self._file[name][start:stop]
        return native(found)

    def _need_filters(self, name: str) -> None:
        """Import the compression filters of a dataset, beyond those built into h5py such as gzip."""
        h5py = require("h5py")
        plan = self._file[name].id.get_create_plist()
        filters = [plan.get_filter(k) for k in range(plan.get_nfilters())]
        for code, _, _, described in filters:
            if not h5py.h5z.filter_avail(code):
                with suppress(ImportError):
                    import_module("hdf5plugin")
            if not h5py.h5z.filter_avail(code):
                compression = described.decode(errors="replace") or f"filter {code}"
                raise JetkitError(
                    f"{self.path}: {name} is compressed with {compression}, which needs: pip install hdf5plugin"
                )

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def native(values: Array) -> Array:
    """Convert numbers to native byte order, and half precision to single.

    Example:
        >>> import numpy as np
        >>> native(np.array([1.5], dtype=">f2")).dtype
        dtype('float32')
    """
    if values.dtype.kind == "f" and values.dtype.itemsize == 2:
        return values.astype("float32")
    return values if values.dtype.isnative or values.dtype.names else values.astype(values.dtype.newbyteorder("="))


def write_table(path: Path, datasets: Mapping[str, Array]) -> None:
    """Write arrays as datasets; a slash in a name makes a group.

    Raises:
        JetkitError: the file cannot be written.
    """
    try:
        with require("h5py").File(path, "w") as file:
            for name, values in datasets.items():
                file.create_dataset(name, data=values)
    except OSError as error:
        raise JetkitError(f"{path} cannot be written: {error}") from error
