"""Memory that the processor keeps."""

from __future__ import annotations

import ctypes
import sys


def keep_freed_memory() -> None:
    """Let glibc keep freed memory instead of handing it back to the kernel, which clears each page before it returns.

    Half of the time of ParticleNet's scores, and of a training step of LorentzNet, was spent on that (measured in
    ``benchmarks/NOTES.md``). The process holds on to the most memory that it ever used. Does nothing where there is no
    glibc.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        trim_threshold, mmap_max = -1, -4
        library.mallopt(mmap_max, 0)  # every tensor comes from the heap, however large
        library.mallopt(trim_threshold, 2**31 - 1)
