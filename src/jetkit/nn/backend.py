"""Whether a fast way from `jetkit.nn.fast` may stand in for the plain mathematics of a layer."""

from __future__ import annotations

import os

import torch
from torch import Tensor, nn

from jetkit.errors import JetkitError

VARIABLE = "JETKIT_BACKEND"
BACKENDS = ("fast", "plain")
THREADS = 4
"""Most threads for which loops that are compiled for one are faster than PyTorch's operations."""


def exporting() -> bool:
    """Return whether a graph is written down, whose shapes may not depend on the jets."""
    traced: bool = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
    return traced or torch.compiler.is_exporting()


def allows_fast(*layers: nn.Module) -> bool:
    """Return whether a fast way may stand in for the ``forward`` of these layers, which it does not call.

    It may not with ``JETKIT_BACKEND=plain``, nor where a graph is exported or compiled, nor where a layer is more than
    its mathematics: wrapped, parametrised (LoRA), quantised, or watched by hooks of its own. Hooks on all modules of
    the process, such as those of PyTorch's counter of operations, see the way that is taken.

    Raises:
        JetkitError: there is no such backend.

    Example:
        >>> layer = torch.nn.Linear(2, 2)
        >>> allows_fast(layer)
        True
        >>> watch = layer.register_forward_hook(lambda *_: None)
        >>> allows_fast(layer)
        False
    """
    if torch.compiler.is_compiling() or exporting():
        return False
    backend = os.environ.get(VARIABLE, BACKENDS[0])
    if backend not in BACKENDS:
        raise JetkitError(f"{VARIABLE} should be {' or '.join(BACKENDS)}, got {backend!r}")
    return backend == "fast" and all(map(_is_bare, layers))


def in_compiled_loop(x: Tensor, *layers: nn.Module) -> bool:
    """Return whether these layers may be a loop compiled for one thread of a processor, which is faster here.

    Such loops are written for single precision, and keep what the gradient needs: without one they gain nothing.
    """
    if not (torch.is_grad_enabled() and x.requires_grad):
        return False
    suits = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return suits and torch.get_num_threads() <= THREADS and allows_fast(*layers)


def is_watched(layer: nn.Module) -> bool:
    """Return whether something else happens when a layer is called: a hook of its own, or another ``forward``."""
    hooks = layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks or layer._backward_pre_hooks
    return bool(hooks) or "forward" in layer.__dict__


def _is_bare(layer: nn.Module) -> bool:
    """Return whether a layer is PyTorch's or jetkit's own, and not watched."""
    kind = type(layer)
    own = kind in (nn.Linear, nn.BatchNorm1d) or kind.__module__.startswith("jetkit.nn.")
    return own and not is_watched(layer)
