"""Compiled loops: the one place that knows numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """Compile a loop over arrays to machine code; the result is cached beside the source.

    Floating-point operations keep their order (no ``fastmath``), so results are the same on every run.
    """
    return cast(F, numba.njit(cache=True, nogil=True)(function))
