"""A cloud of particles: the one data type that taggers, generators and searches share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from jetkit.errors import JetkitError


@dataclass(frozen=True, eq=False)
class Cloud:
    """A batch of B jets, padded to the N particles of the longest.

    Raises:
        JetkitError: the shapes do not agree.

    Example:
        >>> cloud = Cloud(x=torch.zeros(2, 3, 7), mask=torch.ones(2, 3, dtype=torch.bool))
        >>> len(cloud), cloud.replace(label=torch.tensor([0, 1])).select(torch.tensor([1])).label
        (2, tensor([1]))
    """

    x: Float[Tensor, "B N F"]
    """Features of the particles, named by the spec; 0 where padded."""
    mask: Bool[Tensor, "B N"]
    """True where a particle is real."""
    p4: Float[Tensor, "B N 4"] | None = None
    """(E, px, py, pz) in GeV, 0 where padded; None where points are hits or cells."""
    jet: Float[Tensor, "B G"] = None  # type: ignore[assignment]
    """Features of the jet, named by the spec (default: none, G = 0)."""
    label: Int[Tensor, " B"] = None  # type: ignore[assignment]
    """Index of the class; −1 (the default) where unknown."""
    weight: Float[Tensor, " B"] = None  # type: ignore[assignment]
    """Weight of the jet (default: 1)."""
    targets: Mapping[str, Shaped[Tensor, "B ..."]] = field(default_factory=dict)
    """Further quantities to learn, a value per jet (B, ...) or per particle (B, N)."""

    def __post_init__(self) -> None:
        rows, device = self.mask.shape[0], self.mask.device
        if self.jet is None:
            object.__setattr__(self, "jet", torch.zeros(rows, 0, dtype=self.x.dtype, device=device))
        if self.label is None:
            object.__setattr__(self, "label", torch.full((rows,), -1, device=device))
        if self.weight is None:
            object.__setattr__(self, "weight", torch.ones(rows, dtype=self.x.dtype, device=device))
        object.__setattr__(self, "targets", MappingProxyType(dict(self.targets)))
        _check_shapes(self)

    def __len__(self) -> int:
        return len(self.mask)

    def replace(self, **changes: Any) -> Cloud:
        """Copy with some fields changed."""
        return replace(self, **changes)

    def to(self, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Cloud:
        """Copy on another device, or with real numbers of another type (labels and masks keep theirs)."""

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None, non_blocking=True)

        return _map(self, move)

    def select(self, rows: Shaped[Tensor, " rows"] | slice) -> Cloud:
        """The jets named by indices, a slice or a mask over the batch."""
        return _map(self, lambda tensor: tensor[rows])

    def particles(self, keep: Bool[Tensor, "B N"]) -> Cloud:
        """The particles named by a mask, moved to the front of their jets in stored order; without ``targets``.

        Example:
            >>> cloud = Cloud(x=torch.tensor([[[1.0], [2.0], [3.0]]]), mask=torch.ones(1, 3, dtype=torch.bool))
            >>> cloud.particles(torch.tensor([[False, True, True]])).x.flatten()
            tensor([2., 3.])
        """
        keep = keep & self.mask
        length = max(int(keep.sum(1).amax()), 1)
        places = (~keep).to(torch.uint8).argsort(dim=1, stable=True)[:, :length]
        mask = keep.gather(1, places)

        def moved(table: Float[Tensor, "B N F"]) -> Float[Tensor, "B n F"]:
            return table.take_along_dim(places.unsqueeze(2), 1) * mask.unsqueeze(2)

        p4 = None if self.p4 is None else moved(self.p4)
        return replace(self, x=moved(self.x), mask=mask, p4=p4, targets={})


def _map(cloud: Cloud, function: Any) -> Cloud:
    """Apply a function to every tensor of a cloud."""
    changed: dict[str, Any] = {name: function(value) for name, value in _tensors(cloud).items()}
    return Cloud(**changed, targets={name: function(value) for name, value in cloud.targets.items()})


def _tensors(cloud: Cloud) -> dict[str, Tensor]:
    names = [item.name for item in fields(cloud) if item.name != "targets"]
    return {name: getattr(cloud, name) for name in names if getattr(cloud, name) is not None}


def _check_shapes(cloud: Cloud) -> None:
    """Raise unless every tensor has the shape that the mask (B, N) asks for."""
    if cloud.mask.ndim != 2 or cloud.mask.dtype != torch.bool:
        raise JetkitError(f"mask should be a boolean (B, N), got {cloud.mask.dtype} {tuple(cloud.mask.shape)}")
    rows, particles = cloud.mask.shape
    expected: dict[str, tuple[int | None, ...]] = {
        "x": (rows, particles, None),
        "p4": (rows, particles, 4),
        "jet": (rows, None),
        "label": (rows,),
        "weight": (rows,),
    }
    for name, tensor in _tensors(cloud).items():
        want = expected.get(name, (rows, particles))
        if tensor.ndim != len(want) or any(b not in (None, a) for a, b in zip(tensor.shape, want, strict=True)):
            raise JetkitError(f"{name} should have shape {_shape_text(want)}, got {_shape_text(tuple(tensor.shape))}")
    for name, tensor in cloud.targets.items():
        if tensor.ndim == 0 or len(tensor) != rows:
            raise JetkitError(f"target {name} should have {rows} rows, got shape {_shape_text(tuple(tensor.shape))}")


def _shape_text(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"


@dataclass(frozen=True)
class CloudSpec:
    """What the data decide and a model must know: the names behind the axes of a Cloud, and their units.

    Example:
        >>> spec = CloudSpec(features=("part_deta",), classes=("QCD", "top"), units={"part_deta": "1"})
        >>> CloudSpec.from_dict(spec.to_dict()) == spec
        True
    """

    features: tuple[str, ...]
    """Names along the last axis of ``x``."""
    jet_features: tuple[str, ...] = ()
    """Names along the last axis of ``jet``."""
    classes: tuple[str, ...] = ()
    """Names of the classes; the index is ``label``."""
    targets: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    """Feature, jet feature or target → unit, with the standardisation where there is one."""

    def __post_init__(self) -> None:
        for name in ("features", "jet_features", "classes", "targets"):
            names = getattr(self, name)
            object.__setattr__(self, name, tuple(names))
            if len(set(names)) < len(names):
                raise JetkitError(f"the {name} of a spec should differ from each other, got {', '.join(names)}")

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and dictionaries, ready for JSON."""
        content = asdict(self)
        return {name: dict(value) if name == "units" else list(value) for name, value in content.items()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> CloudSpec:
        """Inverse of ``to_dict``.

        Raises:
            JetkitError: a field is absent, unknown, or not a list of names.
        """
        known = {item.name for item in fields(cls)}
        if set(content) - known or "features" not in content:
            raise JetkitError(f"a spec has the fields {', '.join(sorted(known))}, got {', '.join(sorted(content))}")
        for name, value in content.items():
            texts = [*value, *value.values()] if isinstance(value, Mapping) else value
            right = isinstance(value, Mapping) if name == "units" else isinstance(value, list | tuple)
            if not right or not all(isinstance(text, str) for text in texts):
                raise JetkitError(f"field {name} of a spec should hold names, got {value!r}")
        return cls(**content)
