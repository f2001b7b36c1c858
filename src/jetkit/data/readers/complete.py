"""Completion of foreign rows: derived columns are added, unusable jets are counted."""

from __future__ import annotations

from collections import Counter

import numpy as np
from jaxtyping import Float, Int

from jetkit.data.columns import COLUMNS, P4_COLUMNS
from jetkit.data.ragged import Array, Ragged, take_rows
from jetkit.data.readers.reader import Rows
from jetkit.data.usable import REASONS, judge_particles
from jetkit.errors import JetkitError
from jetkit.physics import four_vectors
from jetkit.physics.ragged import sum_per_jet
from jetkit.physics.relative import about_axis


def complete(rows: Rows, objects: str = "part") -> tuple[Rows, Counter[str]]:
    """Return the usable jets with derived columns added, and the numbers of other jets by reason.

    If absent, jet momentum, mass and multiplicity (from the sum of the particles), part_deta and part_dphi are added.
    Columns in ``COLUMNS`` are cast to the type given there; nothing else changes. If the ``objects`` are not particles
    (``hit``, ``cell``), nothing is added.

    Raises:
        JetkitError: no momenta, columns of unequal length, or a column of a wrong type.
    """
    absent = [name for name in P4_COLUMNS if name not in rows]
    if absent and objects == "part":
        raise JetkitError(f"the reader gives no {', '.join(absent)}, and without momenta there are no jets")
    rows = {name: _typed(name, column) for name, column in rows.items()}
    size = _size(rows)
    reasons = _judge(rows, size, objects)
    skipped = Counter({REASONS[code]: count for code, count in Counter(reasons[reasons > 0].tolist()).items()})
    usable = np.flatnonzero(reasons == 0)
    rows = {name: take_rows(column, usable) for name, column in rows.items()}
    return with_sums(rows) if objects == "part" else rows, skipped


def with_sums(rows: Rows) -> Rows:
    """Add absent columns of jet momentum, mass, multiplicity and positions about the jet axis."""
    lists = [rows[name] for name in P4_COLUMNS]
    offsets = _lists(lists[0]).offsets
    p4 = np.stack([_lists(column).values.astype(np.float64) for column in lists], axis=-1)
    found = _sums(p4, offsets) | rows
    if not {"part_deta", "part_dphi"} <= rows.keys():
        eta, phi = np.asarray(found["jet_eta"], np.float64), np.asarray(found["jet_phi"], np.float64)
        deta, dphi = about_axis(p4, offsets, eta, phi)
        found["part_deta"], found["part_dphi"] = Ragged(deta, offsets), Ragged(dphi, offsets)
    return {name: _typed(name, column) for name, column in found.items()}


def _sums(p4: Float[np.ndarray, "M 4"], offsets: Int[np.ndarray, "bounds"]) -> Rows:
    total = np.stack([sum_per_jet(p4[:, k], offsets) for k in range(4)], axis=-1)
    return {
        "jet_pt": four_vectors.pt(total),
        "jet_eta": four_vectors.eta(total),
        "jet_phi": four_vectors.phi(total),
        "jet_energy": total[:, 0],
        "jet_mass": four_vectors.mass(total),
        "jet_nparticles": np.diff(offsets),
    }


def _size(rows: Rows) -> int:
    """Return the number of jets, which all columns share."""
    lengths = {name: len(col.counts) if isinstance(col, Ragged) else len(col) for name, col in rows.items()}
    if len(set(lengths.values())) != 1:
        raise JetkitError(f"the reader gives columns of unequal length: {lengths}")
    return next(iter(lengths.values()))


def _judge(rows: Rows, size: int, objects: str) -> Array:
    """Return the code of `REASONS` for each jet."""
    reasons = np.zeros(size, np.uint8)
    lists = [_lists(column) for name, column in rows.items() if name.startswith(f"{objects}_")]
    for column in lists:
        reasons[column.counts != lists[0].counts] = REASONS.index("particle lists of unequal lengths")
    even = np.flatnonzero(reasons == 0)
    if objects == "part":
        momenta = [_lists(take_rows(rows[name], even)) for name in P4_COLUMNS]
        with np.errstate(over="ignore"):
            energy, px, py, pz = (column.values.astype(np.float32, copy=False) for column in momenta)
        found = np.zeros(len(even), np.uint8)
        judge_particles(energy, px, py, pz, momenta[0].offsets, found)
        reasons[even] = found
    return reasons


def _typed(name: str, column: Array | Ragged) -> Array | Ragged:
    """Cast a column to its type in `COLUMNS`, else to the native byte order."""
    if isinstance(column, Ragged):
        values = _typed(name, column.values)
        assert not isinstance(values, Ragged)
        return Ragged(values, column.offsets)
    dtype = COLUMNS[name].dtype if name in COLUMNS else column.dtype.newbyteorder("=")
    if not np.can_cast(column.dtype, dtype, casting="same_kind") and not _whole(column, dtype):
        raise JetkitError(f"column {name} should be {dtype}, the file has {column.dtype}")
    with np.errstate(over="ignore"):
        return column.astype(dtype, copy=False)


def _whole(values: Array, dtype: np.dtype[np.generic]) -> bool:
    """Return whether values of another numeric kind are exact in this type."""
    with np.errstate(invalid="ignore"):
        return bool(values.dtype.kind in "iuf" and np.array_equal(values.astype(dtype).astype(values.dtype), values))


def _lists(column: Array | Ragged) -> Ragged:
    if not isinstance(column, Ragged):
        raise JetkitError("a column of particles should hold a list per jet")
    return column
