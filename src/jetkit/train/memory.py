"""Memory that the processor keeps."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path


def keep_freed_memory() -> None:
    """Let glibc keep freed memory instead of handing it back to the kernel, which clears each page before it returns.

    Half of the time of ParticleNet's scores, and of a training step of LorentzNet, was spent on that (measured in
    ``benchmarks/NOTES.md``). oneDNN is to remember 64 matrix products and not 1,024: those of a batch of jets have
    shapes that never come again, and each lies between the tensors and keeps their memory from being used again. Does
    nothing where there is no glibc.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    glibc = _glibc()
    if glibc is not None:
        trim_threshold, mmap_max, arena_max = -1, -4, -8
        glibc.mallopt(arena_max, 1)  # one heap for all threads: those of further ones cannot hold a large tensor
        glibc.mallopt(mmap_max, 0)  # every tensor comes from the heap, however large
        glibc.mallopt(trim_threshold, 2**31 - 1)


class FreedMemory:
    """Hands freed memory back to the kernel when the process has grown to twice what a step needed.

    Batches of jets have tensors of ever other sizes, so that the heap, of which nothing is handed back by itself,
    would fill with gaps.
    """

    def __init__(self) -> None:
        self._glibc = _glibc()
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


def _glibc() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if hasattr(library, "mallopt") else None


def _resident_pages() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1])
