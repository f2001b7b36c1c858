"""Usability of jets, and reasons to leave them out."""

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
    "a link to an object that is not there",
    "a feature with NaN or infinity",
)
"""Reasons for leaving out a row; the index is the code of `judge_particles`, 0 for rows that are kept."""


@kernel
def judge_particles(
    energy: Array, px: Array, py: Array, pz: Array, offsets: Array, reasons: Array, needed: bool = True
) -> None:
    """Mark rows with a particle for which a feature is undefined and, if particles are required, rows without any."""
    for i in range(len(reasons)):
        if reasons[i] != 0:
            continue
        if needed and offsets[i] == offsets[i + 1]:
            reasons[i] = 2
        for j in range(offsets[i], offsets[i + 1]):
            if not (np.isfinite(energy[j]) and np.isfinite(px[j]) and np.isfinite(py[j]) and np.isfinite(pz[j])):
                reasons[i] = 3
                break
            if energy[j] <= 0:
                reasons[i] = 4
                break
            if px[j] == 0 and py[j] == 0:
                reasons[i] = 5
                break
