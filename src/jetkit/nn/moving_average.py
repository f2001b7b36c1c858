"""Weights that follow others slowly."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


@torch.no_grad()
def follow(slow: Mapping[str, Tensor], fast: Mapping[str, Tensor], decay: float) -> None:
    """slow ← d·slow + (1 − d)·fast in place, of tensors by name; counters are copied.

    Example:
        >>> slow = {"weight": torch.zeros(2)}
        >>> follow(slow, {"weight": torch.ones(2)}, decay=0.75)
        >>> slow["weight"]
        tensor([0.2500, 0.2500])
    """
    for name, value in slow.items():
        if value.is_floating_point():
            value.lerp_(fast[name], 1 - decay)
        else:
            value.copy_(fast[name])
