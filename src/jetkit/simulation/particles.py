"""Flat arrays of the particles of many events, which the stages pass to each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jetkit.physics.ragged import jet_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEUTRINOS = (12, 14, 16)


@dataclass(frozen=True)
class Particles:
    """Particles of E events, one event after another; event e has the rows ``offsets[e]:offsets[e+1]``.

    Attributes:
        p4: (M, 4) momenta (E, px, py, pz) in GeV.
        pid: (M,) PDG codes; 0 is a neutral hadron seen by the calorimeter only.
        charge: (M,) in units of the proton's.
        vertex: (M, 3) production point (x, y, z) in mm.
        offsets: (E+1,) row limits of the events.
        track: (M, 4) d0, σ(d0), dz, σ(dz) in mm; zero where there is no track.
    """

    p4: Floats
    pid: Ints
    charge: Ints
    vertex: Floats
    offsets: Ints
    track: Floats

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def event(self) -> Ints:
        """Index (M,) of the event of each particle."""
        return jet_of(self.offsets)

    def keep(self, selected: Bools) -> Particles:
        """Select particles; all events remain, possibly empty."""
        counts = np.bincount(self.event[selected], minlength=len(self))
        rows = (self.p4[selected], self.pid[selected], self.charge[selected], self.vertex[selected])
        return Particles(*rows, row_limits(counts), self.track[selected])

    def visible(self) -> Particles:
        """Return all particles but neutrinos."""
        return self.keep(~np.isin(np.abs(self.pid), NEUTRINOS))


def row_limits(counts: NDArray[np.integer]) -> Ints:
    """Return the row limits (E+1,) of events with these numbers of rows.

    Example:
        >>> row_limits(np.array([2, 0, 3])).tolist()
        [0, 2, 2, 5]
    """
    limits = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=limits[1:])
    return limits
