"""Parts of a block of the Particle Transformer in compiled loops, beside the same in operations of PyTorch.

    python -m benchmarks gelu|attention [batch=64] [particles=40] [threads=1] [pairs=5]

Forwards and the gradient, with dropout: GELU of the wide layer (`jetkit.nn.fast.gelu`), and the attention of particles
to each other (`jetkit.nn.fast.attention`) with the matrices before and behind it, of jets with about so many particles
in groups of equal length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.interleaved import PAIRS, Comparison, Work, in_turns, machine
from benchmarks.words import Words
from jetkit.cli.process import keep_freed_memory
from jetkit.nn.attention import Attention, padding_bias
from jetkit.nn.gelu import GELU
from jetkit.nn.packing import Packing

OPTIONS = ("batch", "particles", "threads", "pairs")
WIDTH, HEADS, DROPOUT = 128, 8, 0.1
GROUP = 16
"""Jets whose attention is computed together."""
TOLERANCE = 1e-3
REPEATS = 5
Function = Callable[[Tensor], Tensor]


def compare(name: str, words: Words, scratch: Path) -> Iterator[Comparison]:
    """PyTorch's time over ours."""
    keep_freed_memory()
    torch.set_num_threads(words.number("threads", 1))
    torch.manual_seed(1)
    batch = max(1, words.number("batch", 64) // GROUP) * GROUP
    ways, x, gradient = (_gelu if name == "gelu" else _attention)(batch, words.number("particles", 40))
    works = {who: _both(way, x, gradient) for who, way in zip(("jetkit", "PyTorch"), ways, strict=True)}
    ours, theirs = (work() for work in works.values())
    apart = max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(ours, theirs, strict=True))
    assert apart < TOLERANCE, f"they differ by {apart:.1e}"
    equality = f"value and gradient of the input differ by {apart:.0e} of the largest"
    seconds = in_turns({who: _often(work) for who, work in works.items()}, words.number("pairs", PAIRS))
    setting = words.said("batch", "particles", "threads")
    yield Comparison(name, seconds, REPEATS * batch, "jets", equality, machine(), setting)


def _gelu(batch: int, particles: int) -> tuple[tuple[Function, Function], Tensor, Tensor]:
    """Ours, PyTorch's, input and gradient."""
    layer = GELU(DROPOUT)
    x, gradient = torch.randn(2, batch * particles, 4 * WIDTH)
    return (layer, lambda x: layer.dropout(F.gelu(x))), x, gradient


def _attention(batch: int, particles: int) -> tuple[tuple[Function, Function], Tensor, Tensor]:
    """The same, where jets of a group have from 0.9 to 1.1 times as many particles."""
    layer, groups = Attention(WIDTH, HEADS, DROPOUT), batch // GROUP
    counts = torch.linspace(0.9, 1.1, GROUP).mul(particles).round().long()
    mask = torch.arange(int(counts.max())) < counts[:, None]
    packing, length = Packing.of(mask), mask.shape[1]
    bias = (torch.randn(GROUP, HEADS, length, length) + padding_bias(mask, torch.float32)).requires_grad_()
    x, gradient = torch.randn(2, groups * int(counts.sum()), WIDTH)

    def ours(x: Tensor) -> Tensor:
        return torch.cat([layer(rows, rows, bias, packing) for rows in x.chunk(groups)])

    def in_operations(x: Tensor) -> Tensor:
        with patch("jetkit.nn.fast.attention.in_compiled_loop", lambda _: False):
            return ours(x)

    return (ours, in_operations), x, gradient


def _both(function: Function, x: Tensor, gradient: Tensor) -> Callable[[], list[Tensor]]:
    """Gives value and gradient, with the same random numbers in each call."""

    def work() -> list[Tensor]:
        torch.manual_seed(2)
        leaf = x.clone().requires_grad_()
        found = function(leaf)
        found.backward(gradient)
        assert leaf.grad is not None
        return [found.detach(), leaf.grad]

    return work


def _often(function: Callable[[], object]) -> Work:
    def work() -> None:
        for _ in range(REPEATS):
            function()

    return work
