"""Clusters of vectors: their centres, and which is the nearest."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from jetkit.errors import JetkitError

ROUNDS = 30
"""Of Lloyd's algorithm."""
AT_ONCE = 2**20
"""Distances that are in memory at a time."""


def nearest(values: Float[Tensor, "M F"], centres: Float[Tensor, "K F"]) -> Int[Tensor, " M"]:
    """Number of the centre nearest to each row.

    Example:
        >>> nearest(torch.tensor([[0.2], [0.9]]), torch.tensor([[1.0], [0.0]]))
        tensor([1, 0])
    """
    return _nearest(values, centres.to(values.dtype))[1]


def k_means(values: Float[Tensor, "M F"], clusters: int) -> Float[Tensor, "K F"]:
    """Centres of clusters by Lloyd's algorithm; one that loses all rows begins again at a far one.

    It begins at random rows, each drawn in proportion to the square of its distance from those drawn before.

    Source: Least squares quantization in PCM, 1982, doi:10.1109/TIT.1982.1056489; k-means++: The Advantages of Careful
    Seeding, 2007, SODA.

    Raises:
        JetkitError: there are fewer different rows than clusters.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> k_means(torch.tensor([[0.0], [0.2], [9.0], [9.2]]), 2).sort(0).values.flatten()
        tensor([0.1000, 9.1000])
    """
    different = torch.unique(values, dim=0)
    if len(different) < clusters:
        raise JetkitError(f"{len(different)} different particles are too few for {clusters} clusters: ask for fewer")
    centres = _scattered(values, clusters)
    for _ in range(ROUNDS):
        distance, place = _nearest(values, centres)
        counts = torch.bincount(place, minlength=clusters)
        sums = torch.zeros_like(centres).index_add_(0, place, values)
        centres = sums / counts.clamp(min=1).unsqueeze(1)
        lost = counts == 0
        centres[lost] = values[distance.argsort(descending=True)[: int(lost.sum())]]
    return centres


def _nearest(
    values: Float[Tensor, "M F"], centres: Float[Tensor, "K F"]
) -> tuple[Float[Tensor, " M"], Int[Tensor, " M"]]:
    """Distance and number of the centre nearest to each row."""
    rows = max(1, AT_ONCE // len(centres))
    parts = [torch.cdist(part, centres).min(1) for part in torch.split(values, rows)]
    return torch.cat([part.values for part in parts]), torch.cat([part.indices for part in parts])


def _scattered(values: Float[Tensor, "M F"], count: int) -> Float[Tensor, "K F"]:
    """Rows far from each other."""
    chosen = [int(torch.randint(len(values), ()))]
    square = torch.full((len(values),), torch.inf, dtype=values.dtype)
    for _ in range(count - 1):
        square = torch.minimum(square, (values - values[chosen[-1]]).square().sum(1))
        heights = square.double().cumsum(0)
        chosen.append(int(torch.searchsorted(heights, heights[-1] * torch.rand((), dtype=heights.dtype), right=True)))
    return values[torch.tensor(chosen).clamp(max=len(values) - 1)].clone()
