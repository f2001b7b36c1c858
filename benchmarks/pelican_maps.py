"""The fifteen maps between tables of pairs in PELICAN, beside those of pelican-lite, with the same coefficients.

    python -m benchmarks pelican-maps [batch=32] [particles=50] [threads=2] [pairs=5]

pelican-lite (Heidelberg) is another PELICAN: its normalisations and perceptrons are not those of the authors, whose
network is ours, so whole networks cannot be compared at equal outputs. What both spend their time on are the linear
maps from a table of all pairs to another one. Here they are, for 78 channels to 132, the sizes of the published
network, on jets of Poisson multiplicity: a LeakyReLU of the maps, forwards, and its gradient. pelican-lite has lists of
edges and means, we have powers of the multiplicity as well; with the powers 0, and −1 for the trace, both are the same
function.

Limit: the two products of the table with a matrix, which no order of the sums avoids, and their gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.interleaved import PAIRS, Comparison, in_turns, machine
from benchmarks.words import Words
from jetkit.nn.pair_tables import PairTables
from jetkit.nn.permutation_equivariant import PairAggregation

OPTIONS = ("batch", "particles", "threads", "pairs")
INPUTS, OUTPUTS = 78, 132
TOLERANCE = 1e-4
THEIRS = [0, 1, 3, 7, 9, 4, 8, 10, 2, 5, 6, 11, 13, 12, 14]
"""Of jetkit's maps, the places of pelican-lite's."""
TRACES = (6, 8)
"""Powers of the multiplicity that multiply the trace: pelican-lite's mean of the diagonal is over all pairs."""


class Tables(NamedTuple):
    """Jets whose pairs have ``INPUTS`` numbers each."""

    tables: PairTables
    x: Tensor
    weight: Tensor
    edges: Tensor
    jet: Tensor


def compare(name: str, words: Words, scratch: Path) -> Iterator[Comparison]:
    """Their time over ours."""
    torch.set_num_threads(words.number("threads", 2))
    batch = words.number("batch", 32)
    given = tables_of(batch, words.number("particles", 50))
    ours, theirs = maps()
    equality = equal(ours, theirs, given)
    parameters = [given.x, *ours.parameters()], [given.x, *theirs.parameters()]
    work = {
        "jetkit": gradient(lambda: ours(given.x, given.weight, given.tables), parameters[0]),
        "pelican-lite": gradient(lambda: F.leaky_relu(theirs(given.x, given.edges, given.jet)), parameters[1]),
    }
    matrices = torch.randn(2, INPUTS, OUTPUTS, requires_grad=True)
    limit = "two products of the table"
    limits = {limit: gradient(lambda: given.x @ matrices[0] + given.x @ matrices[1], [given.x, matrices])}
    seconds = in_turns({**work, **limits}, words.number("pairs", PAIRS))
    found = {limit: seconds.pop(limit)}
    said = words.said("batch", "particles")
    yield Comparison(name, seconds, batch, "jets", equality, machine("pelican-lite"), said, found)


def tables_of(batch: int, particles: int) -> Tables:
    """Jets of Poisson multiplicity, with random numbers for each pair."""
    draw = torch.Generator().manual_seed(1)
    count = torch.poisson(torch.full((batch,), float(particles)), generator=draw).long().clamp(min=2)
    tables = PairTables.of(torch.arange(int(count.max())) < count[:, None], numbers=OUTPUTS)
    sizes = torch.tensor([n for jets, n in tables.shapes for _ in range(jets)])
    first = sizes.cumsum(0) - sizes
    edges = [torch.cartesian_prod(*[torch.arange(n) + start] * 2) for n, start in zip(sizes, first, strict=True)]
    x = torch.randn(tables.size, INPUTS, generator=draw).requires_grad_()
    return Tables(tables, x, (1 / sizes[tables.jet])[:, None], torch.cat(edges).T.contiguous(), tables.jet)


def maps() -> tuple[PairAggregation, Any]:
    """Ours, and theirs with our coefficients."""
    from pelican.layers import Aggregator2to2

    torch.manual_seed(1)
    ours = PairAggregation(INPUTS, OUTPUTS, mean_multiplicity=1.0)
    with torch.no_grad():
        ours.alpha.zero_()
        ours.alpha[list(TRACES)] = -1
        theirs = Aggregator2to2(INPUTS, OUTPUTS, map_multipliers=False)
        found = ours.map_in.unsqueeze(2) * ours.mix_in + ours.map_out.unsqueeze(1) * ours.mix_out
        flat = torch.empty(OUTPUTS, INPUTS, len(THEIRS))
        flat[..., THEIRS] = found.permute(2, 1, 0)
        theirs.coeffs_direct.copy_(flat.reshape(INPUTS, OUTPUTS, -1))
    return ours, theirs


def equal(ours: PairAggregation, theirs: Any, given: Tables) -> str:
    """How far the new tables are apart.

    Raises:
        SystemExit: they are not the same.
    """
    with torch.no_grad():
        mine = ours(given.x, given.weight, given.tables)
        other = F.leaky_relu(theirs(given.x, given.edges, given.jet))
    apart = (mine - other).abs().max().item()
    if not apart < TOLERANCE:
        raise SystemExit(f"the tables differ by {apart:.2g}, more than {TOLERANCE:g}: nothing was timed")
    return f"tables equal to {apart:.1g}, their spread is {other.std().item():.2g}"


def gradient(function: Callable[[], Tensor], parameters: list[Tensor]) -> Callable[[], object]:
    """The function, and the gradient of its sum of squares."""
    return lambda: torch.autograd.grad(function().square().sum(), parameters, allow_unused=True)
