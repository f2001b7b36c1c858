"""Clouds: one collection of objects in each row of a batch, padded to the longest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from jetkit.errors import JetkitError


@dataclass(frozen=True, eq=False)
class Cloud:
    """Objects of one kind (particles, hits, jets of an event) in B rows, padded to the N of the longest row.

    Raises:
        JetkitError: the shapes do not agree.

    Example:
        >>> cloud = Cloud(x=torch.zeros(2, 3, 7), mask=torch.ones(2, 3, dtype=torch.bool))
        >>> len(cloud), cloud.select(torch.tensor([1])).x.shape
        (2, torch.Size([1, 3, 7]))
    """

    x: Float[Tensor, "B N F"]
    """Features of the objects, named in the spec; 0 where padded."""
    mask: Bool[Tensor, "B N"]
    """True where an object is real."""
    p4: Float[Tensor, "B N 4"] | None = None
    """Momenta (E, px, py, pz) in GeV, 0 where padded; None if the objects have none."""
    targets: Mapping[str, Shaped[Tensor, "B N ..."]] = field(default_factory=dict)
    """Quantities to learn per object; cut and permuted with the objects."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", MappingProxyType(dict(self.targets)))
        _check_shapes(self)

    def __len__(self) -> int:
        return len(self.mask)

    def __repr__(self) -> str:
        rows, objects, features = self.x.shape
        more = [*(["p4"] if self.p4 is not None else []), *self.targets]
        return (
            f"Cloud({rows} rows, up to {objects} objects, {features} features{''.join(f', {name}' for name in more)})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling for other processes."""
        return Cloud, (self.x, self.mask, self.p4, dict(self.targets))

    def replace(self, **changes: Any) -> Cloud:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def map(self, function: Callable[[Tensor], Tensor]) -> Cloud:
        """Return a copy with a function applied to every tensor."""
        return Cloud(
            function(self.x),
            function(self.mask),
            None if self.p4 is None else function(self.p4),
            {name: function(value) for name, value in self.targets.items()},
        )

    def select(self, rows: Shaped[Tensor, " rows"] | slice) -> Cloud:
        """Return the rows named by indices, a slice or a mask."""
        return self.map(lambda tensor: tensor[rows])

    def cut(self, keep: Bool[Tensor, "B N"]) -> Cloud:
        """Return only the masked objects, moved to the front of their rows in stored order.

        Example:
            >>> cloud = Cloud(x=torch.tensor([[[1.0], [2.0], [3.0]]]), mask=torch.ones(1, 3, dtype=torch.bool))
            >>> cloud.cut(torch.tensor([[False, True, True]])).x.flatten()
            tensor([2., 3.])
        """
        keep = keep & self.mask
        places = kept_places(keep)
        mask = keep.gather(1, places)
        return self.map(lambda table: taken(table, places, mask)).replace(mask=mask)


def kept_places(keep: Bool[Tensor, "B N"]) -> Int[Tensor, "B n"]:
    """Return the places of the masked objects, in stored order, padded with others up to the longest row.

    Example:
        >>> kept_places(torch.tensor([[False, True, True], [True, False, False]]))
        tensor([[1, 2],
                [0, 1]])
    """
    length = max(int(keep.sum(1).amax()), 1) if len(keep) else 1
    return (~keep).to(torch.uint8).argsort(dim=1, stable=True)[:, :length]


def taken(table: Shaped[Tensor, "B N *d"], places: Int[Tensor, "B n"], mask: Bool[Tensor, "B n"]) -> Tensor:
    """Gather the values of objects at these places; 0 where the mask is False."""
    shape = (*places.shape, *(1 for _ in table.shape[2:]))
    found = table.take_along_dim(places.view(shape).expand(*places.shape, *table.shape[2:]), 1)
    return found & mask.view(shape) if found.dtype == torch.bool else found * mask.view(shape)


def _check_shapes(cloud: Cloud) -> None:
    """Raise unless every tensor matches the shape (B, N) of the mask."""
    if cloud.mask.ndim != 2 or cloud.mask.dtype != torch.bool:
        raise JetkitError(f"mask should be a boolean (B, N), got {cloud.mask.dtype} {tuple(cloud.mask.shape)}")
    rows, objects = cloud.mask.shape
    check_shape("x", cloud.x, (rows, objects, None))
    if cloud.p4 is not None:
        check_shape("p4", cloud.p4, (rows, objects, 4))
    for name, value in cloud.targets.items():
        if value.shape[:2] != cloud.mask.shape:
            raise JetkitError(f"target {name} should begin with ({rows}, {objects}), got {shape_text(value.shape)}")


def check_shape(name: str, tensor: Tensor, want: tuple[int | None, ...]) -> None:
    """Raise unless a tensor has this shape, in which None stands for any size.

    Raises:
        JetkitError: the shape differs.
    """
    shape = tensor.shape
    right = len(shape) == len(want)
    for have, size in zip(shape, want, strict=False):
        right = right and (size is None or have == size)
    if not right:
        raise JetkitError(f"{name} should have shape {shape_text(want)}, got {shape_text(shape)}")


def shape_text(shape: tuple[int | None, ...]) -> str:
    """Format a shape for error messages.

    Example:
        >>> shape_text((2, None))
        '(2, any)'
    """
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"
