"""Compiled loops: the one place that knows numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """Compile a loop over arrays to machine code; the result is cached beside the source.

    Floating-point operations keep their order (no ``fastmath``), so results are the same on every run. A number over
    zero is infinite, as in NumPy: a check would keep the loop from being vectorised.
    """
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


@kernel
def scrambled(z: Any) -> Any:
    """The last step of splitmix64, which spreads each bit of a 64-bit number (np.uint64) over all of them.

    Source: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators" (2014),
    doi:10.1145/2660193.2660195.
    """
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
