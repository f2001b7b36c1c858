"""Memory of the heap, which is handed back to the kernel when too much of it lies idle."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path


class FreedMemory:
    """Hands freed memory back to the kernel when the process has grown to twice what a step needed.

    Batches of jets have tensors of ever other sizes, so that the heap, of which nothing is handed back by itself,
    would fill with gaps.
    """

    def __init__(self) -> None:
        self._glibc = glibc()
        self._needed = 0

    def after_step(self) -> None:
        """To be called after each step; the first one, and the first after memory was handed back, is the measure."""
        if self._glibc is None:
            return
        resident = _resident_pages()
        if not self._needed:
            self._needed = resident
        elif resident > 2 * self._needed:
            self._glibc.malloc_trim(0)
            self._needed = 0


def glibc() -> ctypes.CDLL | None:
    """Return the C library of GNU; None where the process has another one."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if hasattr(library, "mallopt") else None


def _resident_pages() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1])
