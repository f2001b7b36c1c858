"""TrackML: an event of hits in a silicon tracker as four CSV files."""

from __future__ import annotations

import gzip
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Int

from jetkit.data.columns import Column
from jetkit.data.ragged import Array, Ragged
from jetkit.data.readers.files import check_file, reading
from jetkit.data.readers.reader import Reader, Rows
from jetkit.errors import JetkitError
from jetkit.registry import register

NOISE = -1
"""Value of `hit_particle` for hits without a particle."""


def _columns(kind: str, unit: str, text: str, *names: str) -> dict[str, Column]:
    return {name: Column(f"list[{kind}]", unit, f"{name[-1]} component of {text}") for name in names}


@register(
    "track-ml",
    kind="reader",
    paper="The Tracking Machine Learning challenge: Accuracy phase, 2019, arXiv:1904.06778",
)
class TrackML(Reader):
    """TrackML events (eventN-hits.csv with -truth, -particles, -cells beside it, plain or .gz): hits, particles; mm.

    Args:
        truth: read -truth and -particles, which test events do not have
        cells: read -cells: how many cells each hit has and how much charge they hold
    """

    suffixes = ("-hits.csv", "-hits.csv.gz")
    program = "numpy"
    objects = "hit"
    kept: ClassVar = {
        "hits/hit_id": "hit_id",
        **{f"hits/{axis}": f"hit_{axis}" for axis in "xyz"},
        **{f"hits/{name}_id": f"hit_{name}" for name in ("volume", "layer", "module")},
        "truth/particle_id": "hit_particle_id",
        **{f"truth/t{axis}": f"hit_true_{axis}" for axis in "xyz"},
        **{f"truth/tp{axis}": f"hit_p{axis}" for axis in "xyz"},
        "truth/weight": "hit_weight",
        "particles/particle_id": "particle_id",
        "particles/particle_type": "particle_pid",
        **{f"particles/v{axis}": f"particle_v{axis}" for axis in "xyz"},
        **{f"particles/p{axis}": f"particle_p{axis}" for axis in "xyz"},
        "particles/q": "particle_charge",
        "particles/nhits": "particle_nhits",
        "cells/value": "hit_charge",
    }
    dropped: ClassVar = {
        "truth/hit_id": "joins the files",
        "cells/hit_id": "joins the files",
        "cells/ch0": "place of the cell in its module",
        "cells/ch1": "place of the cell in its module",
    }
    columns: ClassVar = {
        "hit_id": Column("list[int64]", "1", "number of the hit in its event"),
        **_columns("float32", "mm", "the measured position", "hit_x", "hit_y", "hit_z"),
        "hit_volume": Column("list[int32]", "1", "volume of the detector"),
        "hit_layer": Column("list[int32]", "1", "layer of the volume"),
        "hit_module": Column("list[int32]", "1", "module of the layer"),
        "hit_particle": Column("list[int32]", "1", "place of its particle in the lists particle_…; -1: noise"),
        "hit_particle_id": Column("list[int64]", "1", "number of its particle as in the file; 0: noise"),
        **_columns("float32", "mm", "the true position", "hit_true_x", "hit_true_y", "hit_true_z"),
        **_columns("float32", "GeV", "its particle's momentum at the hit; noise: any", "hit_px", "hit_py", "hit_pz"),
        "hit_weight": Column("list[float32]", "1", "weight of the hit in the score; 0: noise"),
        "hit_ncells": Column("list[int32]", "1", "number of cells of the hit"),
        "hit_charge": Column("list[float32]", "1", "charge in the cells of the hit, as digitised"),
        "particle_id": Column("list[int64]", "1", "number of the particle as in the file"),
        "particle_pid": Column("list[int32]", "1", "PDG code of the particle"),
        **_columns("float32", "mm", "the vertex", "particle_vx", "particle_vy", "particle_vz"),
        **_columns("float32", "GeV", "the momentum at the vertex", "particle_px", "particle_py", "particle_pz"),
        "particle_charge": Column("list[int32]", "e", "electric charge of the particle"),
        "particle_nhits": Column("list[int32]", "1", "number of hits that the particle made, as in the file"),
    }

    def __init__(self, path: Path, *, truth: bool = True, cells: bool = True) -> None:
        super().__init__(path)
        stem, middle, suffix = path.name.rpartition("-hits.csv")
        if not middle or suffix not in ("", ".gz"):
            raise JetkitError(f"{path} is no file of hits: name eventN-hits.csv or the folder that holds it")
        wanted = ["hits", *(["truth", "particles"] if truth else []), *(["cells"] if cells else [])]
        self._stem, self._paths = stem, {kind: _beside(path, f"{stem}-{kind}.csv") for kind in wanted}
        self.companions = tuple(self._paths.values())
        for kind, place in self._paths.items():
            if kind != "hits" and not place.exists():
                option = "cells" if kind == "cells" else "truth"
                raise JetkitError(
                    f"{place} does not exist: copy it beside the hits, or read without it: {option}=false"
                )
        self._headers = {kind: header(place) for kind, place in self._paths.items()}
        self.names = [f"{kind}/{name}" for kind, names in self._headers.items() for name in names]
        known = (*self.kept, *(name for name in self.dropped if name.endswith("hit_id")))
        self.need(*(name for name in known if name.split("/")[0] in wanted and name != "particles/particle_type"))
        self.entries = 1

    def read(self, start: int, stop: int) -> Rows:
        """Read the event."""
        hits = self._file("hits")
        found = {self.kept[f"hits/{name}"]: values for name, values in hits.items()}
        if "truth" in self._paths:
            found |= self._truth(hits["hit_id"])
        if "cells" in self._paths:
            cells = self._file("cells")
            hit, size = places(cells["hit_id"], hits["hit_id"], "hit", self._paths["cells"]), len(hits["hit_id"])
            charge = np.bincount(hit, weights=cells["value"], minlength=size)
            found |= {"hit_ncells": np.bincount(hit, minlength=size), "hit_charge": charge}
        typed = {name: values.astype(self.columns[name].dtype) for name, values in found.items()}
        use = start < stop and all(np.isfinite(values).all() for values in typed.values())
        self.skipped["an event with NaN or infinity"] += int(start < stop and not use)
        number = re.search(r"\d+$", self._stem)
        rows: Rows = (
            {"event_id": np.array([int(number[0])], np.int64)[: int(use)]}
            if number
            else {"entry": np.arange(start, start + use)}
        )
        return rows | {name: one_row(values, use) for name, values in typed.items()}

    def _truth(self, hit_id: Array) -> dict[str, Array]:
        """Read the origin of each hit, and the particles."""
        truth, particles = self._file("truth"), self._file("particles")
        if len(truth["hit_id"]) != len(hit_id):
            raise JetkitError(
                f"{self._paths['truth']} has {len(truth['hit_id'])} hits, not {len(hit_id)}: copy it again"
            )
        order = places(hit_id, truth["hit_id"], "hit", self._paths["truth"])
        found = {self.kept[f"truth/{name}"]: values[order] for name, values in truth.items() if name != "hit_id"}
        real = found["hit_particle_id"] != 0
        particle = np.full(len(hit_id), NOISE)
        ids = found["hit_particle_id"][real]
        particle[real] = places(ids, particles["particle_id"], "particle", self._paths["particles"])
        found |= {self.kept[f"particles/{name}"]: values for name, values in particles.items()}
        return found | {"hit_particle": particle}

    def _file(self, kind: str) -> dict[str, Array]:
        """Read the known columns of a file: 64-bit integers exactly, all others in double precision."""
        known = [name for name in self._headers[kind] if f"{kind}/{name}" in self.kept or name == "hit_id"]
        to = {name: self.columns[self.kept.get(f"{kind}/{name}", "hit_id")].dtype for name in known}
        kinds = {name: "i8" if dtype.kind == "i" else "f8" for name, dtype in to.items()}
        return read_csv(self._paths[kind], self._headers[kind], kinds)

    def close(self) -> None:
        """Do nothing, since no file stays open between two reads."""


def header(path: Path) -> list[str]:
    """Return the column names of a CSV file, plain or compressed.

    Raises:
        JetkitError: the file is absent, empty, cut short or a web page.
    """
    check_file(path, "CSV")
    opened = gzip.open if path.suffix == ".gz" else open
    with reading(path, "CSV"):
        with opened(path, "rt", encoding="utf-8") as file:
            names = file.readline().strip().split(",")
        if path.suffix != ".gz" and _last_byte(path) != b"\n":
            raise JetkitError(f"{path} is cut short: its last line has no end; copy or download it again")
    return names


def read_csv(path: Path, names: list[str], types: Mapping[str, str]) -> dict[str, Array]:
    """Read some columns of a CSV file; 64-bit integers are exact.

    Raises:
        JetkitError: the file is damaged, or a value is not a number of its type.
    """
    dtype = np.dtype([(name, kind) for name, kind in types.items()])
    with reading(path, "CSV"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "loadtxt: input contained no data")
        table = np.loadtxt(
            path,
            dtype,
            comments=None,
            delimiter=",",
            skiprows=1,
            usecols=[names.index(name) for name in types],
            ndmin=1,
        )
    return {name: table[name] for name in types}


def places(ids: Int[np.ndarray, " N"], among: Int[np.ndarray, " M"], what: str, path: Path) -> Int[np.ndarray, " N"]:
    """Return the index of each number in an unordered array.

    Raises:
        JetkitError: a number is absent, or occurs twice.

    Example:
        >>> places(np.array([7, 3]), np.array([3, 5, 7]), "hit", Path("event1-truth.csv")).tolist()
        [2, 0]
    """
    order = np.argsort(among, kind="stable")
    ascending = among[order]
    if (ascending[1:] == ascending[:-1]).any():
        twice = ascending[1:][ascending[1:] == ascending[:-1]][0]
        raise JetkitError(f"{path}: {what} {twice} is there twice; the files do not go together, copy them again")
    found = np.searchsorted(ascending, ids)
    absent = (ascending[np.minimum(found, len(among) - 1)] != ids) if len(among) else np.ones(len(ids), bool)
    if absent.any():
        raise JetkitError(f"{path} does not go with the other files of its event: {what} {ids[absent][0]} is missing")
    return np.asarray(order[found])


def one_row(values: Array, use: bool) -> Ragged:
    """Return a column with a single row, or with none."""
    return Ragged(values, np.array([0, len(values)])) if use else Ragged(values[:0], np.zeros(1, np.int64))


def _beside(path: Path, name: str) -> Path:
    """Return the file of this name in the same folder, with the suffix of the hits or the other one."""
    compressed, plain = path.with_name(f"{name}.gz"), path.with_name(name)
    return compressed if compressed.exists() and (path.suffix == ".gz" or not plain.exists()) else plain


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1)
