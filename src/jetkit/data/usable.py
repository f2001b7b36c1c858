"""Which jets can be used, and why the others cannot."""

from __future__ import annotations

import numpy as np

from jetkit.data.ragged import Array
from jetkit.kernels import kernel

REASONS = (
    "usable",
    "particle lists of unequal lengths",
    "no particles",
    "a momentum with NaN or infinity",
    "a particle with E <= 0",
    "a particle with pT = 0",
    "a label that is not a class",
    "a jet column with NaN or infinity",
    "a feature with NaN or infinity",
)
"""Why a row is left out; the index is the code of `judge_particles`, 0 for rows that are kept."""


@kernel
def judge_particles(p4: Array, offsets: Array, reasons: Array) -> None:
    """Mark rows without particles, and those with a particle that no feature is defined for; p4 is (4, total)."""
    for i in range(len(reasons)):
        if reasons[i] != 0:
            continue
        if offsets[i] == offsets[i + 1]:
            reasons[i] = 2
        for j in range(offsets[i], offsets[i + 1]):
            E, px, py, pz = p4[0, j], p4[1, j], p4[2, j], p4[3, j]
            if not (np.isfinite(E) and np.isfinite(px) and np.isfinite(py) and np.isfinite(pz)):
                reasons[i] = 3
                break
            if E <= 0:
                reasons[i] = 4
                break
            if px == 0 and py == 0:
                reasons[i] = 5
                break
