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


def product_dtype(like: Tensor) -> torch.dtype:
    """Precision that matrix products of ``like`` have here: that of a training in half precision, or its own.

    Example:
        >>> with torch.autocast("cpu", torch.bfloat16):
        ...     product_dtype(torch.ones(2, 2))
        torch.bfloat16
    """
    kind = like.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else like.dtype
