"""The parts of a training step that leave the cache of a processor, beside the same in operations of PyTorch.

    python -m benchmarks layers [batch=64] [particles=40] [threads=1] [pairs=5]

Forwards and the gradient, with the sizes of the Particle Transformer: the layers that embed the pairs of jets of
Poisson multiplicity (`jetkit.nn.normalised_layers`), and GELU with dropout of the wide layer (`jetkit.nn.gelu`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.interleaved import PAIRS, Comparison, Work, in_turns, machine
from benchmarks.words import Words
from jetkit.nn.gelu import GELU
from jetkit.nn.normalised_layers import normalised_layers
from jetkit.train.memory import keep_freed_memory

OPTIONS = ("batch", "particles", "threads", "pairs")
WIDTHS, WIDE, DROPOUT = (4, 64, 64, 64, 8), 512, 0.1
TOLERANCE = 1e-3
REPEATS = 5


def compare(name: str, words: Words, scratch: Path) -> Iterator[Comparison]:
    """PyTorch's time over ours."""
    keep_freed_memory()
    torch.set_num_threads(words.number("threads", 1))
    torch.manual_seed(1)
    batch = words.number("batch", 64)
    count = torch.poisson(torch.full((batch,), float(words.number("particles", 40))))
    pairs, particles = int((count * (count + 1) / 2).sum()), int(count.sum())
    said = words.said("batch", "particles", "threads")
    for what, (ours, theirs) in {"pairs": _pair_layers(pairs), "GELU": _gelus(particles)}.items():
        apart = [(a - b).abs().max() / b.abs().max() for a, b in zip(ours(), theirs(), strict=True)]
        assert max(apart) < TOLERANCE, f"they differ by {max(apart):.1e}"
        equality = f"value and gradient of the input differ by {max(apart):.0e} of the largest"
        seconds = in_turns({"jetkit": _often(ours), "PyTorch": _often(theirs)}, words.number("pairs", PAIRS))
        setting = ", ".join(filter(None, [what, said]))
        yield Comparison(name, seconds, REPEATS * batch, "jets", equality, machine(), setting)


def _pair_layers(pairs: int) -> tuple[Callable[[], list[Tensor]], Callable[[], list[Tensor]]]:
    parts = [part for a, b in pairwise(WIDTHS) for part in (nn.Linear(a, b), nn.BatchNorm1d(b), nn.GELU())]
    linears, norms = cast(list[nn.Linear], parts[::3]), cast(list[nn.BatchNorm1d], parts[1::3])
    theirs = copy.deepcopy(nn.Sequential(*parts))
    x, gradient = torch.randn(pairs, WIDTHS[0]), torch.randn(pairs, WIDTHS[-1])
    return (
        lambda: _both(lambda x: normalised_layers(x, linears, norms), x, gradient),
        lambda: _both(theirs, x, gradient),
    )


def _gelus(particles: int) -> tuple[Callable[[], list[Tensor]], Callable[[], list[Tensor]]]:
    ours = GELU(DROPOUT)
    x, gradient = torch.randn(2, particles, WIDE)
    return (
        lambda: _both(ours, x, gradient),
        lambda: _both(lambda x: ours.dropout(F.gelu(x)), x, gradient),
    )


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
