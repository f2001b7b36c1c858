"""Memory that the processor keeps."""

from __future__ import annotations

import ctypes
import sys

LARGEST = 32 * 2**20
"""Bytes up to which glibc takes memory from its heap; it allows no more."""


def keep_freed_memory() -> None:
    """Let glibc keep freed memory instead of handing it back to the kernel, which clears each page before it returns.

    Half of a training step of LorentzNet was spent on that (measured in ``benchmarks/NOTES.md``). The process holds on
    to the most memory that it ever used. Does nothing where there is no glibc.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        trim_threshold, mmap_threshold = -1, -3
        library.mallopt(mmap_threshold, LARGEST)
        library.mallopt(trim_threshold, 2**31 - 1)
