"""How another library stores a model that jetkit has too, and what the shapes of its tensors tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from jetkit.errors import JetkitError

State = Mapping[str, Tensor]


class Sizes(NamedTuple):
    """What the shapes of a checkpoint tell."""

    hyperparameters: dict[str, Any]
    features: int | None
    """Number of features of a particle; None where the model uses four-momenta alone."""
    classes: int
    names: tuple[str, ...]
    """The classes in the authors' order, where their number tells them."""


@dataclass(frozen=True)
class Layout:
    """How another library stores a model that jetkit has too."""

    format: str
    model: str
    """Registered name."""
    mark: str
    """A tensor that tells this layout from the others of its format."""
    names: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]
    """Patterns and what takes their place, one after the other: from foreign names to jetkit's."""
    sizes: Callable[[State], Sizes]
    length: int
    """Most particles of a jet in the authors' training."""
    unknown: str = ""
    """What the file does not tell."""
    convert: Callable[[State], State] = dict
    """What is done to the tensors before they are named, where jetkit's are not the foreign ones under other names."""

    def name(self, foreign: str) -> str:
        """jetkit's name of a tensor."""
        for pattern, new in self.names:
            foreign = re.sub(pattern, new, foreign)
        return foreign


def size(state: State, name: str, axis: int = 0) -> int:
    """Length of an axis of a tensor.

    Raises:
        JetkitError: there is no such tensor, or it has no such axis.
    """
    if name not in state or state[name].ndim <= axis:
        raise JetkitError(f"this checkpoint lacks the tensor {name} of the architecture that its other names suggest")
    return state[name].shape[axis]


def take(state: dict[str, Tensor], name: str) -> Tensor:
    """A tensor, which is no longer in the state.

    Raises:
        JetkitError: it was not there.
    """
    size(state, name)
    return state.pop(name)


def widths(state: State, pattern: str) -> list[int]:
    """First lengths of the tensors whose name is the pattern with a number in it, in the order of the numbers."""
    found = sorted((int(match[1]), name) for name in state if (match := re.fullmatch(pattern, name)))
    return [size(state, name) for _, name in found]
