"""Full precision where half would destroy the result."""

from __future__ import annotations

import torch
from torch import Tensor


def full_precision(like: Tensor) -> torch.autocast:
    """Context in which products keep the precision of their factors, whatever the training's ``precision``.

    For differences of large numbers, such as Minkowski products and squared distances, of which bfloat16 with its 8
    bits leaves nothing.

    Example:
        >>> x = torch.ones(2, 2)
        >>> with torch.autocast("cpu", torch.bfloat16):
        ...     half = x @ x
        ...     with full_precision(x):
        ...         full = x @ x
        >>> half.dtype, full.dtype
        (torch.bfloat16, torch.float32)
    """
    return torch.autocast(like.device.type, enabled=False)


def outer_precision(like: Tensor) -> torch.autocast:
    """Context with the precision that rules now, to return to it within `full_precision`."""
    kind = like.device.type
    return torch.autocast(kind, torch.get_autocast_dtype(kind), enabled=torch.is_autocast_enabled(kind))
