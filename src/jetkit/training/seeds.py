"""Seeds derived from numbers, so that a resumed training draws as one that was never interrupted."""

from __future__ import annotations

import numpy as np
import torch

from jetkit.kernels import scrambled


def set_random_state(seed: int, rank: int, step: int) -> None:
    """Seed the random numbers of a step by seed, process and step alone, so that a resumed training repeats them."""
    torch.manual_seed(mix(seed, rank, step))


def mix(*numbers: int) -> int:
    """Mix several numbers into a 63-bit number by splitmix64, with each number in turn xored into its state.

    Source: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators" (2014),
    doi:10.1145/2660193.2660195.

    Example:
        >>> mix(0) == 0xE220A8397B1DCDAF >> 1, mix(1, 2) == mix(2, 1)
        (True, False)
    """
    z = 0
    for number in numbers:
        z = int(scrambled(np.uint64(((z ^ number) + 0x9E3779B97F4A7C15) % 2**64)))
    return z >> 1
