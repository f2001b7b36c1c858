"""Where loops compiled for one thread of a processor stand in for operations of PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor

THREADS = 4
"""With more, PyTorch's operations are faster."""


def in_compiled_loop(x: Tensor) -> bool:
    """Whether there will be a gradient, and numbers that a compiled loop on one thread reads faster than PyTorch's
    operations do on all of its threads."""
    plain = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    learns = torch.is_grad_enabled() and x.requires_grad and not torch.compiler.is_compiling()
    return plain and learns and torch.get_num_threads() <= THREADS
