"""Attention biases from the kinematics of pairs of particles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from jetkit.nn.backend import allows_fast, exporting, is_watched
from jetkit.nn.fast.linear import normalised_perceptron
from jetkit.nn.gelu import GELU
from jetkit.nn.grouping import Groups
from jetkit.physics.pairs import kinematics_of

Pairs = tuple[Int[Tensor, " P"], Int[Tensor, " P"], Int[Tensor, " P"]]
"""Jet and two places of each pair."""


class PairEmbedding(nn.Module):
    """An attention bias per head from (ln kT, ln z, ln Δ, ln m²) of a pair: layers with batch normalisation and GELU.

    Args:
        widths: widths of the layers; the last is the number of heads
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.BatchNorm1d(4)]
        for a, b in pairwise([4, *widths]):
            layers += [nn.Linear(a, b), nn.BatchNorm1d(b), GELU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, p4: Float[Tensor, "B N 4"], pairs: Pairs) -> Float[Tensor, "P heads"]:
        """Return the bias of each pair."""
        jet, i, j = pairs
        with torch.no_grad():
            kinematics = kinematics_of(p4, (jet, i), (jet, j))
        if allows_fast(*self.layers) and not is_watched(self.layers):
            return normalised_perceptron(kinematics, self.layers)
        embedded: Tensor = self.layers(kinematics)
        return embedded


def pair_biases(
    embed: Callable[[Float[Tensor, "B N 4"], Pairs], Float[Tensor, "P heads"]],
    p4: Float[Tensor, "B N 4"],
    mask: Bool[Tensor, "B N"],
    keys: Callable[[torch.dtype], Float[Tensor, "B 1 1 N"]],
    groups: Groups,
) -> Iterator[Float[Tensor, "G heads n n"]]:
    """Bias of the attention in each group of jets: that of each pair, plus that of each key.

    Only pairs of real particles are embedded, of (i, j) and (j, i) only one, and those of all groups together: batch
    normalisation sees the whole batch.
    """
    order, jets = torch.cat([rows for rows, _ in groups]), [rows.shape[0] for rows, _ in groups]
    mask = mask[order]
    pairs = unordered_pairs(mask)
    embedded = embed(p4[order], pairs)
    of_keys = keys(embedded.dtype)[order]
    if len(groups) == 1:
        yield symmetric_bias(embedded, pairs, (mask.shape[0], groups[0][1])) + of_keys[..., : groups[0][1]]
        return
    particles = mask.sum(1)
    sizes = [int(count.sum()) for count in torch.split(particles * (particles + 1) // 2, jets)]
    parts = [torch.split(values, sizes) for values in (embedded, *pairs)]
    first = 0
    for (rows, n), bias, jet, i, j in zip(groups, *parts, strict=True):
        here = slice(first, first + len(rows))
        yield symmetric_bias(bias, (jet - first, i, j), (len(rows), n)) + of_keys[here, ..., :n]
        first += len(rows)


def unordered_pairs(mask: Bool[Tensor, "B N"]) -> Pairs:
    """Jet and places i ≥ j of each pair of real particles, jet by jet; in a graph that is exported, all i and j."""
    if exporting():
        sides = [torch.arange(size, device=mask.device) for size in (*mask.shape, mask.shape[1])]
        jet, i, j = (place.flatten() for place in torch.meshgrid(sides, indexing="ij"))
        return jet, i, j
    jet, i, j = (mask.unsqueeze(1) & mask.unsqueeze(2)).tril().nonzero(as_tuple=True)
    return jet, i, j


def symmetric_bias(
    bias: Float[Tensor, "P heads"], pairs: Pairs, shape: tuple[int, int]
) -> Float[Tensor, "B heads N N"]:
    """Return that of (i, j) and (j, i) from one number for both, 0 for other pairs; ``shape`` is (B, N)."""
    jet, i, j = pairs
    jets, length = shape
    if exporting():
        return bias.view(jets, length, length, -1).permute(0, 3, 1, 2)
    table = bias.new_zeros(jets, length, length, bias.shape[-1])
    table[jet, i, j] = bias
    table[jet, j, i] = bias
    return table.permute(0, 3, 1, 2).contiguous()
