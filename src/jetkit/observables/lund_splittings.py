"""The splittings of a batch of jets as tensors: a sequence in the primary Lund plane, a tree in all planes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from jetkit.data.batch import Batch, ragged_momenta
from jetkit.physics.lund import Coordinate, lund_coordinates, lund_declusterings, perturbative, primary_plane
from jetkit.physics.ragged import jet_of


class LundSplittings(NamedTuple):
    """The M splittings of a batch, jet after jet; a jet that does not split has one whose coordinates are 0."""

    x: Float[Tensor, "M F"]
    """Coordinates."""
    parent: Int[Tensor, " M"]
    """The splitting that made this one's branch; −1 for the first of a jet."""
    mask: Bool[Tensor, "B S"]
    """True where jet b has a splitting s; there are M of them."""

    @property
    def edges(self) -> Int[Tensor, "2 E"]:
        """From each splitting to those that it makes, and back."""
        child = torch.nonzero(self.parent >= 0).squeeze(1)
        down = torch.stack([self.parent[child], child])
        return torch.cat([down, down.flip(0)], 1)


def lund_splittings(
    batch: Batch, names: Sequence[Coordinate], *, kt_min: float = 0.0, primary: bool = False
) -> LundSplittings:
    """Splittings of the Cambridge/Aachen tree in the named coordinates.

    Args:
        batch: the jets, with four-momenta
        names: the coordinates
        kt_min: least kT in GeV; of any other splitting the softer branch is dropped
        primary: keep only the primary plane, from wide to small angle

    Raises:
        JetkitError: the batch has no four-momenta.

    Example:
        >>> p4 = torch.tensor([[[70.0, 70.0, 0.0, 0.0], [30.0, 29.4020, 5.9601, 0.0], [5.0, 3.0, 4.0, 0.0]]])
        >>> trio = Batch.of(x=torch.zeros(1, 3, 0), mask=torch.ones(1, 3, dtype=torch.bool), p4=p4)
        >>> found = lund_splittings(trio, ["ln_delta", "psi"])
        >>> found.x.shape, found.parent.tolist(), found.edges.tolist()
        (torch.Size([2, 2]), [-1, 0], [[0, 1], [1, 0]])
    """
    splittings = perturbative(lund_declusterings(*ragged_momenta(batch)), kt_min)
    if primary:
        splittings = primary_plane(splittings)
    counts = np.diff(splittings.offsets)
    places = np.arange(len(splittings.z)) + np.cumsum(counts == 0)[jet_of(splittings.offsets)]
    x = np.zeros((np.maximum(counts, 1).sum(), len(names)))
    x[places] = lund_coordinates(splittings, names)
    parent = np.full(len(x), -1)
    later = splittings.parent >= 0
    parent[places[later]] = places[splittings.parent[later]]
    mask = np.arange(counts.max(initial=1)) < np.maximum(counts, 1)[:, None]
    device = batch.mask.device
    return LundSplittings(
        torch.from_numpy(x).to(batch.x.dtype).to(device),
        torch.from_numpy(parent).to(device),
        torch.from_numpy(mask).to(device),
    )
