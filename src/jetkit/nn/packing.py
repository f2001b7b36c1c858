"""Real particles without their padding, and back."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from jetkit.nn.backend import exporting


class Packing(NamedTuple):
    """Where the M real particles of B jets are."""

    places: Int[Tensor, " M"] | None
    """Row of each in the padded table of B · N. None: all are taken, where nothing is padded, and in a graph that is
    exported, whose shapes may not depend on the jets."""
    shape: tuple[int, int]
    """B and N."""

    @classmethod
    def of(cls, mask: Bool[Tensor, "B N"]) -> Packing:
        """From the mask of the real ones."""
        shape = mask.shape[0], mask.shape[1]
        if exporting():
            return cls(None, shape)
        places = mask.flatten().nonzero().squeeze(1)
        return cls(None if len(places) == mask.numel() else places, shape)

    def pack(self, values: Float[Tensor, "B N D"]) -> Float[Tensor, "M D"]:
        """Rows of the real particles."""
        rows = values.flatten(0, 1)
        return rows if self.places is None else rows.index_select(0, self.places)

    def pad(self, values: Float[Tensor, "M D"]) -> Float[Tensor, "B N D"]:
        """Inverse of :meth:`pack`: 0 where padded (arbitrary where all places are taken)."""
        if self.places is not None:
            rows = values.new_zeros(self.shape[0] * self.shape[1], values.shape[1])
            values = rows.index_copy(0, self.places, values)
        return values.view(*self.shape, values.shape[1])


def packed(values: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "M D"]:
    """Rows of the real particles (:meth:`Packing.pack`).

    Example:
        >>> packed(torch.tensor([[[1.0], [9.0]], [[2.0], [3.0]]]), torch.tensor([[True, False], [True, True]]))[:, 0]
        tensor([1., 2., 3.])
    """
    return Packing.of(mask).pack(values)


def pad(values: Float[Tensor, "M D"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B N D"]:
    """Inverse of :func:`packed`, 0 where padded (:meth:`Packing.pad`).

    Example:
        >>> mask = torch.tensor([[True, False], [True, True]])
        >>> pad(torch.tensor([[1.0], [2.0], [3.0]]), mask)[..., 0]
        tensor([[1., 0.],
                [2., 3.]])
    """
    return Packing.of(mask).pad(values)


def row_numbers(mask: Bool[Tensor, "B N"]) -> Int[Tensor, "B N"]:
    """Row of each real particle in what :func:`packed` gives, −1 where padded.

    Example:
        >>> row_numbers(torch.tensor([[True, False], [True, True]]))
        tensor([[ 0, -1],
                [ 1,  2]])
    """
    counted = torch.ones_like(mask) if exporting() else mask
    return torch.where(mask, counted.flatten().cumsum(0).view_as(mask) - 1, -1)


def masked_mean(values: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B D"]:
    """Mean over the real particles of a jet (0 for a jet without particles)."""
    weight = mask.unsqueeze(-1).to(values.dtype)
    return (values * weight).sum(1) / weight.sum(1).clamp(min=1)


def masked_sum(values: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B D"]:
    """Sum over the real particles of a jet."""
    return (values * mask.unsqueeze(-1).to(values.dtype)).sum(1)
