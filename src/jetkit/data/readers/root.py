"""Trees of ROOT files as NumPy arrays and lists: the one file that knows uproot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jetkit.data.ragged import Array, Ragged, Values
from jetkit.data.readers.files import check_file, reading
from jetkit.errors import JetkitError, require


class Tree:
    """One tree of a ROOT file, open for reading.

    Raises:
        JetkitError: the file is absent, cut short or not ROOT, or has no such tree.
    """

    def __init__(self, path: Path, name: str) -> None:
        uproot = require("uproot")
        check_file(path, "ROOT")
        self.path = path
        with reading(path, "ROOT"):
            self._file = uproot.open(path, object_cache=None, array_cache=None)
            trees = [
                key for key, kind in self._file.classnames(cycle=False).items() if "Tree" in kind or "Tuple" in kind
            ]
            if name not in trees:
                found = f"it has {', '.join(trees)}" if trees else "it has none"
                raise JetkitError(f"{path} has no tree {name!r}: {found}")
            self._tree = self._file[name]
            self.entries = int(self._tree.num_entries)
            self.names = [str(branch) for branch in self._tree.keys(recursive=True)]

    def read(self, branches: Sequence[str], start: int, stop: int) -> dict[str, Values]:
        """Branches of some entries: flat arrays, or `Ragged` for a list per entry.

        Raises:
            JetkitError: the file is damaged, or a branch is neither numbers nor lists of numbers.
        """
        with reading(self.path, "ROOT"):
            found = self._tree.arrays(list(branches), entry_start=start, entry_stop=stop, library="ak", how=dict)
            return {name: _values(found[name], name) for name in branches}

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


def write_tree(path: Path, name: str, columns: Mapping[str, Values]) -> None:
    """Write one tree; a list per entry becomes a variable-length branch, as in files written by ROOT.

    Raises:
        JetkitError: the file cannot be written.
    """
    uproot, awkward = require("uproot"), require("awkward")
    arrays = {key: _awkward(awkward, values) for key, values in columns.items()}
    try:
        with uproot.recreate(path) as file:
            file[name] = arrays
    except OSError as error:
        raise JetkitError(f"{path} cannot be written: {error.strerror or error}") from error


def _values(array: Any, name: str) -> Values:
    """NumPy form of an awkward array of numbers or of lists of numbers."""
    awkward = require("awkward")
    if array.ndim == 1:
        flat: Array = awkward.to_numpy(array, allow_missing=False)
        return flat
    if array.ndim != 2:
        raise JetkitError(f"branch {name} holds lists of lists, which no column can")
    packed = awkward.to_packed(awkward.from_regular(array, axis=1)).layout
    offsets = np.asarray(packed.to_ListOffsetArray64(True).offsets, dtype=np.int64)
    return Ragged(np.asarray(awkward.to_numpy(packed.content)), offsets)


def _awkward(awkward: Any, values: Values) -> Any:
    if not isinstance(values, Ragged):
        return values
    content = awkward.contents.NumpyArray(np.ascontiguousarray(values.values))
    return awkward.Array(awkward.contents.ListOffsetArray(awkward.index.Index64(values.offsets), content))
