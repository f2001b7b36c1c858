"""GELU with dropout of the wide layer of the Particle Transformer, beside the same in operations of PyTorch.

    python -m benchmarks gelu [batch=64] [particles=40] [threads=1] [pairs=5]

Forwards and the gradient (`jetkit.nn.gelu`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.interleaved import PAIRS, Comparison, Work, in_turns, machine
from benchmarks.words import Words
from jetkit.nn.gelu import GELU
from jetkit.train.memory import keep_freed_memory

OPTIONS = ("batch", "particles", "threads", "pairs")
WIDE, DROPOUT = 512, 0.1
TOLERANCE = 1e-3
REPEATS = 5


def compare(name: str, words: Words, scratch: Path) -> Iterator[Comparison]:
    """PyTorch's time over ours."""
    keep_freed_memory()
    torch.set_num_threads(words.number("threads", 1))
    torch.manual_seed(1)
    batch = words.number("batch", 64)
    layer = GELU(DROPOUT)
    x, gradient = torch.randn(2, batch * words.number("particles", 40), WIDE)
    works = {
        "jetkit": lambda: _both(layer, x, gradient),
        "PyTorch": lambda: _both(lambda x: layer.dropout(F.gelu(x)), x, gradient),
    }
    ours, theirs = (work() for work in works.values())
    apart = max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(ours, theirs, strict=True))
    assert apart < TOLERANCE, f"they differ by {apart:.1e}"
    equality = f"value and gradient of the input differ by {apart:.0e} of the largest"
    seconds = in_turns({who: _often(work) for who, work in works.items()}, words.number("pairs", PAIRS))
    setting = words.said("batch", "particles", "threads")
    yield Comparison(name, seconds, REPEATS * batch, "jets", equality, machine(), setting)


def _both(function: Callable[[Tensor], Tensor], x: Tensor, gradient: Tensor) -> list[Tensor]:
    """Value and gradient, with the same random numbers in each call."""
    torch.manual_seed(2)
    x = x.clone().requires_grad_()
    found = function(x)
    found.backward(gradient)
    assert x.grad is not None
    return [found.detach(), x.grad]


def _often(function: Callable[[], object]) -> Work:
    def work() -> None:
        for _ in range(REPEATS):
            function()

    return work
