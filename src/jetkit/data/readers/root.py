"""Trees of ROOT files as NumPy arrays and lists; the only module that depends on uproot."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from jetkit.data.ragged import Array, Ragged, Values
from jetkit.data.readers.files import check_file, reading
from jetkit.errors import JetkitError, require

BASKET = 10_000
"""Entries compressed together in files that jetkit writes."""


@dataclass(frozen=True)
class _Held:
    """Decoded entries of a branch that were not requested yet: the rest of its last basket."""

    start: int
    stop: int
    array: Any

    def extended(self, branch: Any, stop: int) -> _Held:
        """Append the entries that follow, read from the file."""
        if self.array is not None and stop == self.stop:
            return self
        more = branch.array(entry_start=self.stop, entry_stop=stop, library="ak")
        return _Held(
            self.start, stop, more if self.start == self.stop else require("awkward").concatenate([self.array, more])
        )


class Tree:
    """One tree of a ROOT file open for reading.

    Reading entries in order is fastest, because each basket, the compressed unit of a branch, is then decoded once.

    A split branch is represented by its parts under their own names: ``Jet.PT``, not ``Jet/Jet.PT``. List lengths
    (``nJet``) can be read, but are not among the ``names``, because the lists contain them.

    Raises:
        JetkitError: the file is absent, cut short or not ROOT, or has no such tree.
    """

    def __init__(self, path: Path, name: str) -> None:
        uproot = require("uproot")
        _use_isal(uproot)
        check_file(path, "ROOT")
        self.path = path
        with reading(path, "ROOT"):
            self._file = uproot.open(path, object_cache=None, array_cache=None, handler=uproot.MemmapSource)
            size, end = path.stat().st_size, int(self._file.file.fEND)
            if size < end:
                raise ValueError(f"it is cut short: {size} of {end} bytes")
            trees = [
                key for key, kind in self._file.classnames(cycle=False).items() if "Tree" in kind or "Tuple" in kind
            ]
            if name not in trees:
                found = f"it has {', '.join(trees)}" if trees else "it has none"
                raise JetkitError(f"{path} has no tree {name!r}: {found}")
            self._tree = self._file[name]
            self.entries = int(self._tree.num_entries)
            self._branches = _leaves(self._tree)
            lengths = _lengths(self._branches)
            self.names = [name for name in self._branches if name not in lengths]
            self._uuid = self._file.file.uuid.bytes
            self._held: dict[str, _Held] = {}

    def read(self, branches: Sequence[str], start: int, stop: int) -> dict[str, Values]:
        """Read branches of some entries: flat arrays, or `Ragged` for a list per entry.

        Raises:
            JetkitError: the file is damaged, or a branch is absent or neither numbers nor lists of numbers.
        """
        return {name: self._read(name, start, stop) for name in branches}

    def ragged(self, branches: Sequence[str], start: int, stop: int) -> dict[str, Ragged]:
        """Read branches that contain lists of numbers, for some entries.

        Raises:
            JetkitError: the file is damaged, or a branch is absent or anything else.
        """
        found = self.read(branches, start, stop)
        lists = {name: column for name, column in found.items() if isinstance(column, Ragged)}
        if len(lists) < len(found):
            raise JetkitError(f"{self.path}: branch {min(found.keys() - lists.keys())} should hold a list per entry")
        return lists

    def lists(self, branch: str, start: int, stop: int, field: str = "") -> tuple[Ragged, Array]:
        """Read a branch of lists of lists: the inner lists of all entries, and the bounds of the entries among them.

        Args:
            branch: its name
            start: first entry
            stop: entry after the last
            field: field of the innermost records; none: they are numbers

        Raises:
            JetkitError: the file is damaged, or a branch is absent or has no lists of lists.
        """
        awkward = require("awkward")
        with reading(self.path, "ROOT"):
            found = self._array(branch, start, stop)
            found = awkward.from_regular(found[field] if field else found, axis=None)
            if found.ndim != 3:
                raise JetkitError(f"branch {branch} holds no lists of lists")
            counts = awkward.to_numpy(awkward.num(found, axis=1))
            inner = _values(awkward.flatten(found, axis=1), branch)
        assert isinstance(inner, Ragged)
        return inner, np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])

    def firsts(self, branch: str, start: int, stop: int) -> Float[np.ndarray, " entries"] | None:
        """Read the first value of each entry of a branch, NaN if empty; None if all are empty or the branch is absent.

        Raises:
            JetkitError: the file is damaged, or the branch holds no numbers.
        """
        if branch not in self.names:
            return None
        found = self._read(branch, start, stop)
        if not isinstance(found, Ragged):
            return found.astype(np.float64)
        filled = found.counts > 0
        first = np.full(len(filled), np.nan)
        first[filled] = found.values[found.offsets[:-1][filled]]
        return first if filled.any() else None

    def events(self, start: int, stop: int) -> Int[np.ndarray, " entries"]:
        """Return entry numbers that are unique across files: 31 bits of the file's identity · 2³² + entry."""
        file = int.from_bytes(hashlib.sha256(self._uuid).digest()[:4], "big") >> 1
        return (file << 32) + np.arange(start, stop, dtype=np.int64)

    def _read(self, name: str, start: int, stop: int) -> Values:
        with reading(self.path, "ROOT"):
            return _values(self._array(name, start, stop), name)

    def _array(self, name: str, start: int, stop: int) -> Any:
        if name not in self._branches:
            raise JetkitError(f"{self.path} has no branch {name}; it has {', '.join(sorted(self.names)[:12])}")
        held = self._held.pop(name, None)
        if held is None or not held.start <= start <= held.stop:
            held = _Held(start, start, None)
        edges = getattr(self._branches[name], "entry_offsets", None)  # where its baskets begin
        end = stop if edges is None else int(edges[np.searchsorted(edges, stop)])
        held = held.extended(self._branches[name], max(end, held.stop))
        self._held[name] = _Held(stop, held.stop, held.array[stop - held.start :])
        return held.array[start - held.start : stop - held.start]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def unread(names: Iterable[str], used: Collection[str], at: str) -> list[str]:
    """Return the branches that are not used; a completely unused collection counts as one.

    Example:
        >>> unread(["HLT_Mu8", "HLT_Ele8", "Jet_pt", "Jet_area", "run"], ["Jet_pt"], "_")
        ['HLT_*', 'Jet_area', 'run']
    """
    opened = {name.split(at)[0] for name in used}
    left = [(name, name.split(at)[0]) for name in names if name not in used]
    return sorted({name if name == first or first in opened else f"{first}{at}*" for name, first in left})


def beside(columns: Sequence[Ragged]) -> Ragged:
    """Concatenate the lists of several branches, entry by entry.

    Example:
        >>> one, two = Ragged(np.array([1, 2]), np.array([0, 1, 2])), Ragged(np.array([3]), np.array([0, 1, 1]))
        >>> beside([one, two]).values, beside([one, two]).offsets
        (array([1, 3, 2]), array([0, 2, 3]))
    """
    entry = np.concatenate([np.repeat(np.arange(len(column.counts)), column.counts) for column in columns])
    offsets = np.concatenate([[0], np.cumsum(np.sum([column.counts for column in columns], axis=0))])
    values = np.concatenate([column.values for column in columns])
    return Ragged(values[np.argsort(entry, kind="stable")], offsets)


def write_tree(path: Path, name: str, columns: Mapping[str, Values]) -> None:
    """Write one TTree; a list per entry becomes a variable-length branch with its length in another branch.

    Raises:
        JetkitError: the file cannot be written.
    """
    uproot, awkward = require("uproot"), require("awkward")
    arrays = {key: _awkward(awkward, values) for key, values in columns.items()}
    try:
        with uproot.recreate(path) as file:
            tree = file.mktree(name, {key: _type(values) for key, values in arrays.items()})
            for start in range(0, len(next(iter(arrays.values()), ())), BASKET):
                tree.extend({key: values[start : start + BASKET] for key, values in arrays.items()})
    except OSError as error:
        raise JetkitError(f"{path} cannot be written: {error.strerror or error}") from error


def _use_isal(uproot: Any) -> None:
    """Decompress zlib with Intel's ISA-L: identical bytes in about half the time.

    uproot has a switch for it, but none that is public for reading; where it is gone, Python's zlib does the work.
    """
    zlib: Any = getattr(uproot.compression, "_decompress_ZLIB", None)
    if hasattr(zlib, "library") and find_spec("isal"):
        zlib.library = "isal"


def _leaves(tree: Any) -> dict[str, Any]:
    """Map names to unsplit branches, or to the fields of an RNTuple."""
    if not hasattr(tree, "branches"):
        return {str(name): tree[name] for name in tree.keys(recursive=False)}
    return {str(branch.name): branch for branch in tree.itervalues(recursive=True) if not branch.branches}


def _lengths(branches: Mapping[str, Any]) -> set[str]:
    """Return the names of branches that contain only the list lengths of others."""
    counts = {name: getattr(branch, "count_branch", None) for name, branch in branches.items()}
    return {str(count.name) for count in counts.values() if count is not None and counts.get(count.name) is None}


def _values(array: Any, name: str) -> Values:
    """Convert an awkward array of numbers or of lists of numbers to NumPy."""
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


def _type(values: Any) -> Any:
    """Return uproot's type for a branch."""
    return values.dtype if isinstance(values, np.ndarray) else values.type.content
