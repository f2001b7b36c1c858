"""Multilayer perceptrons."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def mlp(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers of these widths, a ReLU after each.

    Example:
        >>> mlp([7, 100, 256])
        Sequential(
          (0): Linear(in_features=7, out_features=100, bias=True)
          (1): ReLU()
          (2): Linear(in_features=100, out_features=256, bias=True)
          (3): ReLU()
        )
    """
    layers = [part for pair in pairwise(widths) for part in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*layers)
