"""Batches of rows, the common input of taggers, generators, searches and reconstructions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from jetkit.data.cloud import Cloud, check_shape, kept_places, shape_text, taken
from jetkit.errors import JetkitError
from jetkit.physics.ragged import ragged_from_padded

PARTICLES = "part"
"""Name of the collection of particles of a jet."""
LABEL = "label"
"""Target with the index of the class, −1 if unknown."""


class Index(NamedTuple):
    """Identifiers of the rows; never an input and never a target."""

    row: Int[Tensor, " B"] | None = None
    """Place of each row in the dataset."""
    event: Int[Tensor, " B"] | None = None
    """Event number of each row; rows of one event share it."""
    pair: Int[Tensor, " B"] | None = None
    """Pair number of each row with a twin."""


@dataclass(frozen=True, eq=False)
class Batch:
    """B rows of a dataset: jets, events, showers or measurements.

    A jet is a row with one collection, ``{"part": …}``; an event may have several, ``{"hit": …, "particle": …}``; a
    plain table has none. ``x``, ``mask`` and ``p4`` of a batch are those of its first collection.

    Raises:
        JetkitError: the shapes do not agree.

    Example:
        >>> jets = Batch.of(torch.zeros(2, 3, 7), torch.ones(2, 3, dtype=torch.bool), label=torch.tensor([0, 1]))
        >>> len(jets), jets.x.shape, jets.select(slice(1)).label
        (2, torch.Size([2, 3, 7]), tensor([0]))
        >>> table = Batch(row=torch.randn(5, 4))
        >>> table
        Batch(5 rows: row 4)
    """

    sets: Mapping[str, Cloud] = field(default_factory=dict)
    """Name of a collection → its objects."""
    row: Float[Tensor, "B G"] = None  # type: ignore[assignment]
    """Features of the row, named in the spec (default: none, G = 0)."""
    arrays: Mapping[str, Float[Tensor, "B ..."]] = field(default_factory=dict)
    """Name → values of fixed shape, such as voxels or images."""
    targets: Mapping[str, Shaped[Tensor, "B ..."]] = field(default_factory=dict)
    """Quantities of the row to learn, including ``label``."""
    links: Mapping[tuple[str, str], Int[Tensor, "B N"]] = field(default_factory=dict)
    """(a, b) → for each object of a, the place of its partner in b; −1 if none."""
    weight: Float[Tensor, " B"] = None  # type: ignore[assignment]
    """Weight of the row (default: 1); may be negative, as generators allow."""
    index: Index = field(default_factory=Index)

    def __post_init__(self) -> None:
        like = self._first()
        rows, device = like.shape[0], like.device
        kind = like.dtype if like.is_floating_point() else torch.get_default_dtype()
        for name in ("sets", "arrays", "targets", "links"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        if self.row is None:
            object.__setattr__(self, "row", torch.zeros(rows, 0, dtype=kind, device=device))
        if self.weight is None:
            object.__setattr__(self, "weight", torch.ones(rows, dtype=kind, device=device))
        _check_shapes(self, rows)

    @classmethod
    def of(
        cls,
        x: Float[Tensor, "B N F"],
        mask: Bool[Tensor, "B N"],
        p4: Float[Tensor, "B N 4"] | None = None,
        *,
        row: Float[Tensor, "B G"] | None = None,
        label: Int[Tensor, " B"] | None = None,
        weight: Float[Tensor, " B"] | None = None,
        name: str = PARTICLES,
        targets: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> Batch:
        """Create a batch of one collection; targets whose names begin with its name belong to its objects.

        Example:
            >>> x, mask = torch.zeros(2, 3, 1), torch.ones(2, 3, dtype=torch.bool)
            >>> batch = Batch.of(x, mask, targets={"part_origin": mask.long(), "jet_mass": torch.zeros(2)})
            >>> list(batch.cloud.targets), list(batch.targets)
            (['part_origin'], ['jet_mass'])
        """
        own = {key: value for key, value in targets.items() if key.startswith(f"{name}_")}
        rest: dict[str, Tensor] = {key: value for key, value in targets.items() if key not in own}
        known = {} if label is None else {LABEL: label}
        return cls({name: Cloud(x, mask, p4, own)}, row, targets=known | rest, weight=weight)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.weight)

    def __repr__(self) -> str:
        parts = [f"{name} up to {cloud.mask.shape[1]} × {cloud.x.shape[2]}" for name, cloud in self.sets.items()]
        parts += [f"row {self.row.shape[1]}"] if self.row.shape[1] else []
        parts += [f"{name} {tuple(value.shape[1:])}" for name, value in self.arrays.items()]
        parts += [f"targets {', '.join(self.targets)}"] if self.targets else []
        return f"Batch({len(self)} rows{': ' if parts else ''}{'; '.join(parts)})"

    @property
    def cloud(self) -> Cloud:
        """First collection, which models for one collection use.

        Raises:
            JetkitError: the batch is a plain table.
        """
        return self.sets[self._named(None)]

    @property
    def x(self) -> Float[Tensor, "B N F"]:
        """Features of the objects of the first collection."""
        return self.cloud.x

    @property
    def mask(self) -> Bool[Tensor, "B N"]:
        """True where an object of the first collection is real."""
        return self.cloud.mask

    @property
    def p4(self) -> Float[Tensor, "B N 4"] | None:
        """(E, px, py, pz) of the objects of the first collection in GeV."""
        return self.cloud.p4

    @property
    def label(self) -> Int[Tensor, " B"]:
        """Index of the class, −1 if unknown."""
        known = self.targets.get(LABEL)
        return torch.full((len(self),), -1, device=self.weight.device) if known is None else known

    def replace(self, **changes: Any) -> Batch:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def with_cloud(self, **changes: Any) -> Batch:
        """Return a copy with some fields of the first collection changed.

        Raises:
            JetkitError: the batch is a plain table, or the shapes do not agree.
        """
        first = self._named(None)
        return replace(self, sets={**self.sets, first: self.sets[first].replace(**changes)})

    def with_targets(self, **targets: Tensor) -> Batch:
        """Return a copy with further targets of the row."""
        return replace(self, targets={**self.targets, **targets})

    def to(self, device: torch.device | str | None = None, *, dtype: torch.dtype | None = None) -> Batch:
        """Return a copy on another device, or with another floating-point type (labels and masks keep theirs)."""
        # a copy to the processor that does not wait may be read before it has arrived
        ahead = device is not None and torch.device(device).type != "cpu"

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None, non_blocking=ahead)

        return self.map(move)

    def pin_memory(self) -> Batch:
        """Return a copy in page-locked memory; called by ``DataLoader``."""
        return self.map(Tensor.pin_memory)

    def map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """Return a copy with a function applied to every tensor."""
        return Batch(
            {name: cloud.map(function) for name, cloud in self.sets.items()},
            function(self.row),
            {name: function(value) for name, value in self.arrays.items()},
            {name: function(value) for name, value in self.targets.items()},
            {ends: function(value) for ends, value in self.links.items()},
            function(self.weight),
            Index(*(None if value is None else function(value) for value in self.index)),
        )

    def select(self, rows: Shaped[Tensor, " rows"] | slice) -> Batch:
        """Return the rows named by indices, a slice or a mask over the batch."""
        return self.map(lambda tensor: tensor[rows])

    def cut(self, keep: Bool[Tensor, "B N"], name: str | None = None) -> Batch:
        """Return a copy with only the masked objects of one collection, moved to the front of their rows.

        Targets and links move with their objects; a link to a removed object becomes −1.

        Raises:
            JetkitError: the batch has no such collection.

        Example:
            >>> two = Cloud(torch.zeros(1, 2, 0), torch.ones(1, 2, dtype=torch.bool))
            >>> batch = Batch({"hit": two, "particle": two}, links={("hit", "particle"): torch.tensor([[1, 0]])})
            >>> batch.cut(torch.tensor([[False, True]]), "particle").links["hit", "particle"]
            tensor([[ 0, -1]])
        """
        name = self._named(name)
        keep = keep & self.sets[name].mask
        places = kept_places(keep)
        here = keep.gather(1, places)
        moved = torch.where(keep, keep.cumsum(1) - 1, -1)
        links = dict(self.links)
        for (a, b), link in self.links.items():
            if b == name:
                link = torch.where(link >= 0, moved.gather(1, link.clamp(min=0)), -1)
            if a == name:
                link = torch.where(here, taken(link, places, here), -1)
            links[a, b] = link
        return replace(self, sets={**self.sets, name: self.sets[name].cut(keep)}, links=links)

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling for other processes."""
        arrays, targets, links = (dict(table) for table in (self.arrays, self.targets, self.links))
        return Batch, (dict(self.sets), self.row, arrays, targets, links, self.weight, self.index)

    def _named(self, name: str | None) -> str:
        """Return the name of a collection (default: the first)."""
        if not self.sets:
            raise JetkitError("this batch is a plain table: name list columns in features=, or use a model of tables")
        if name is not None and name not in self.sets:
            raise JetkitError(f"the batch has no collection {name}: it has {', '.join(self.sets)}")
        return name or next(iter(self.sets))

    def _first(self) -> Tensor:
        """Return the tensor that defines the number of rows, the device and the type."""
        clouds = [cloud.x for cloud in self.sets.values()]
        others = [*clouds, self.row, *self.arrays.values(), self.weight, *self.targets.values(), self.index.row]
        found = next((tensor for tensor in others if tensor is not None), None)
        if found is None:
            raise JetkitError("a batch holds a collection, features of the row or arrays: give one of them")
        if found.ndim == 0:
            raise JetkitError("the tensors of a batch begin with an axis of its rows, got one without axes")
        return found


def _check_shapes(batch: Batch, rows: int) -> None:
    """Raise unless all parts of a batch have the same rows, and links have the shape of their first collection."""
    for name, cloud in batch.sets.items():
        check_shape(f"mask of {name}", cloud.mask, (rows, None))
    check_shape("row", batch.row, (rows, None))
    check_shape("weight", batch.weight, (rows,))
    numbers = {name: value for name, value in zip(Index._fields, batch.index, strict=True) if value is not None}
    for what, table in (("array", batch.arrays), ("target", batch.targets), ("index", numbers)):
        for name, value in table.items():
            if value.ndim == 0 or value.shape[0] != rows:
                raise JetkitError(f"{what} {name} should have {rows} rows, got shape {shape_text(value.shape)}")
    if LABEL in batch.targets:
        check_shape(LABEL, batch.targets[LABEL], (rows,))
    for (a, b), link in batch.links.items():
        if a not in batch.sets or b not in batch.sets:
            raise JetkitError(f"a link from {a} to {b} needs both collections, the batch has {', '.join(batch.sets)}")
        check_shape(f"the link from {a} to {b}", link, tuple(batch.sets[a].mask.shape))


def four_momenta(batch: Batch) -> Float[Tensor, "B N 4"]:
    """Return the momenta (E, px, py, pz) of the first collection in GeV, (B, N, 4).

    Raises:
        JetkitError: the collection has no momenta.
    """
    if batch.p4 is None:
        raise JetkitError("this model needs four-momenta: make the batches with p4=True, of data that have them")
    return batch.p4


def ragged_momenta(batch: Batch) -> tuple[Float[np.ndarray, "M 4"], Int[np.ndarray, "bounds"]]:
    """Return the momenta (M, 4) in GeV of all real objects, row after row, and the offsets of the rows.

    They are in double precision on the CPU without gradient, as the functions of `jetkit.physics` require.

    Raises:
        JetkitError: the first collection has no momenta.
    """
    p4 = four_momenta(batch).detach().cpu().double().numpy()
    return ragged_from_padded(p4, batch.mask.cpu().numpy())


def momentum_fractions(batch: Batch) -> Float[Tensor, "B N"]:
    """Compute z = pT/Σ pT of each object of the first collection; 0 where padded.

    Raises:
        JetkitError: the first collection has no momenta.
    """
    pt: Tensor = torch.linalg.vector_norm(four_momenta(batch)[..., 1:3], dim=-1) * batch.mask
    return pt / pt.sum(1, keepdim=True).clamp(min=torch.finfo(pt.dtype).tiny)
