"""Compiled loops; the only module that depends on numba."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

F = TypeVar("F", bound=Callable[..., object])
LN2_HIGH, LN2_LOW = 355 / 512, math.log(2) - 355 / 512
"""ln 2 in two parts; the first has so few bits that its multiples are exact."""
LARGEST = 87.0
"""Largest y: beyond it, e⁻ʸ is below the smallest normal number in single precision."""


def kernel(function: F) -> F:
    """Compile a loop over arrays to machine code; the result is cached next to the source.

    Floating-point operations keep their order (no ``fastmath``), so results are identical in every run. Division by
    zero gives infinity, as in NumPy, because a check would prevent vectorisation of the loop.
    """
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


@kernel
def scrambled(z: Any) -> Any:
    """Apply the last step of splitmix64, which spreads each bit of a 64-bit number (np.uint64) over all bits.

    Source: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators" (2014),
    doi:10.1145/2660193.2660195.
    """
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@kernel
def decay(y: Any) -> Any:
    """Compute e⁻ʸ = 2⁻ⁿ eʳ for y ≥ 0 in single precision, to a relative 3·10⁻⁷; 0 for y > 87. Vectorisable."""
    small = min(y, np.float32(LARGEST))
    n = np.floor(small * np.float32(1 / math.log(2)) + np.float32(0.5))
    r = (n * np.float32(LN2_HIGH) - small) + n * np.float32(LN2_LOW)
    p = np.float32(1 / 24) + r * (np.float32(1 / 120) + r * np.float32(1 / 720))
    p = np.float32(1) + r * (np.float32(1) + r * (np.float32(0.5) + r * (np.float32(1 / 6) + r * p)))
    value = p * np.int32((np.int32(127) - np.int32(n)) << np.int32(23)).view(np.float32)
    return np.float32(0) if y > np.float32(LARGEST) else value
