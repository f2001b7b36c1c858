"""What the program ``jetkit`` sets in its process and a library call leaves alone: signals, and the allocator."""

from __future__ import annotations

import os
import signal
from types import FrameType

from jetkit.memory import glibc
from jetkit.progress import STOP


def keep_freed_memory() -> None:
    """Let glibc keep freed memory instead of handing it back to the kernel, which clears each page before it returns.

    Half of the time of ParticleNet's scores, and of a training step of LorentzNet, was spent on that (measured in
    ``benchmarks/NOTES.md``). oneDNN is to remember 64 matrix products and not 1,024: those of a batch of jets have
    shapes that never come again, and each lies between the tensors and keeps their memory from being used again. Does
    nothing where there is no glibc.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    library = glibc()
    if library is not None:
        trim_threshold, mmap_max, arena_max = -1, -4, -8
        library.mallopt(arena_max, 1)  # one heap for all threads: those of further ones cannot hold a large tensor
        library.mallopt(mmap_max, 0)  # every tensor comes from the heap, however large
        library.mallopt(trim_threshold, 2**31 - 1)


def heed_signals() -> None:
    """Let a training end at the next step, after a checkpoint, on an interrupt or a request to terminate."""
    signal.signal(signal.SIGINT, _heed)
    signal.signal(signal.SIGTERM, _heed)


def _heed(number: int, frame: FrameType | None) -> None:
    if STOP.heeded:
        STOP.requested = True
    elif number == signal.SIGINT:
        raise KeyboardInterrupt
    else:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
