"""Heap memory: return it to the kernel when too much of it is idle."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path


class FreedMemory:
    """Return freed memory to the kernel when the process has grown to twice the size that a step needs.

    Tensors differ in size from batch to batch, and the heap does not shrink by itself, so it would fragment.
    """

    def __init__(self) -> None:
        self._glibc = glibc()
        self._needed = 0

    def after_step(self) -> None:
        """Check the memory after a step; the first step, and the first after each release, set the reference."""
        if self._glibc is None:
            return
        resident = _resident_pages()
        if not self._needed:
            self._needed = resident
        elif resident > 2 * self._needed:
            self._glibc.malloc_trim(0)
            self._needed = 0


def glibc() -> ctypes.CDLL | None:
    """Return the GNU C library; None if the process uses another one."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if hasattr(library, "mallopt") else None


def _resident_pages() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1])
