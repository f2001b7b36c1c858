"""How much memory the tensors of a computation need, counted and not measured."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within, bytes of the tensors that torch makes: those that live, and the most that lived at one time.

    Storages are followed from the operation that makes them until the last tensor on them is gone, so that a view
    costs nothing and what was there before is not counted. The numbers do not depend on the allocator, on other
    programs or on the run. What an operation needs inside itself, and the arrays of numpy, are not seen.

    Attributes:
        live: bytes now.
        peak: the most since the beginning.

    Example:
        >>> with LiveMemory() as memory:
        ...     ones = torch.ones(250)
        ...     both = ones + ones.view(250)
        ...     del ones
        >>> memory.live, memory.peak
        (1000, 2000)
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        self._bytes: dict[int, int] = {}

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do the operation; a storage that it gives and was not given is new."""
        result = operation(*args, **(kwargs or {}))
        given = {storage._cdata for storage in _storages((args, kwargs))}
        if operation is torch.ops.aten.lift_fresh.default:  # of a tensor from a list, which no operation has made
            given = set()
        for storage in _storages(result):
            if storage._cdata in self._bytes or storage._cdata not in given:
                self._follow(storage)
        self.peak = max(self.peak, self.live)
        return result

    def _follow(self, storage: torch.UntypedStorage) -> None:
        """Count a storage, which may have grown since it was counted last."""
        place, size = storage._cdata, storage.nbytes()
        if place not in self._bytes:
            weakref.finalize(storage, self._forget, place)
        self.live += size - self._bytes.get(place, 0)
        self._bytes[place] = size

    def _forget(self, place: int) -> None:
        self.live -= self._bytes.pop(place)


def _storages(values: Any) -> Iterator[torch.UntypedStorage]:
    leaves: Iterable[Any] = tree_leaves(values)
    return (leaf.untyped_storage() for leaf in leaves if isinstance(leaf, Tensor))


def peak_bytes(call: Callable[[], object]) -> int:
    """The most bytes that the tensors which a call makes need at one time, its result included.

    The search for cycles of references waits, lest it end the life of a tensor now here, now there.

    Example:
        >>> x, w = torch.ones(10, 5), torch.ones(5, 2)
        >>> peak_bytes(lambda: (x @ w).relu()) == 4 * (10 * 2 + 10 * 2)
        True
    """
    gc.collect()
    collecting = gc.isenabled()
    gc.disable()
    memory = LiveMemory()
    try:
        with memory:
            result = call()
        del result
    finally:
        if collecting:
            gc.enable()
    return memory.peak
