"""Description of another library's storage of a model, and of the sizes that follow from its tensors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from jetkit.errors import JetkitError

State = Mapping[str, Tensor]


class Sizes(NamedTuple):
    """Architecture sizes read off the tensor shapes of a checkpoint."""

    hyperparameters: dict[str, Any]
    features: int | None
    """Number of features per particle; None if the model uses four-momenta alone."""
    classes: int
    names: tuple[str, ...]
    """Classes in the authors' order, if their number determines them."""


@dataclass(frozen=True)
class Layout:
    """Storage of a jetkit model by another library: tensor names, conversion and sizes."""

    format: str
    model: str
    """Registered name of the model."""
    mark: str
    """Tensor that distinguishes this layout from others of its format."""
    names: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]
    """Patterns and replacements, applied in turn, from foreign names to jetkit's."""
    sizes: Callable[[State], Sizes]
    length: int
    """Largest number of particles per jet in the authors' training."""
    unknown: str = ""
    """Hyperparameter that the file does not contain."""
    convert: Callable[[State], State] = dict
    """Conversion of the tensors before they are renamed, for models that differ by more than names."""

    def name(self, foreign: str) -> str:
        """Return jetkit's name of a tensor."""
        for pattern, new in self.names:
            foreign = re.sub(pattern, new, foreign)
        return foreign


def size(state: State, name: str, axis: int = 0) -> int:
    """Return the length of an axis of a tensor.

    Raises:
        JetkitError: there is no such tensor, or it has no such axis.
    """
    if name not in state or state[name].ndim <= axis:
        raise JetkitError(f"this checkpoint lacks the tensor {name} of the architecture that its other names suggest")
    return state[name].shape[axis]


def take(state: dict[str, Tensor], name: str) -> Tensor:
    """Remove a tensor from the state and return it.

    Raises:
        JetkitError: the state has no such tensor.
    """
    size(state, name)
    return state.pop(name)


def widths(state: State, pattern: str) -> list[int]:
    """Return the first lengths of all tensors whose name matches the numbered pattern, in order of the numbers."""
    found = sorted((int(match[1]), name) for name in state if (match := re.fullmatch(pattern, name)))
    return [size(state, name) for _, name in found]
