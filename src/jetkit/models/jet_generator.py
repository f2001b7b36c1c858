"""What a model that draws jets can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

from jetkit.data.cloud import CloudSpec


class Drawn(NamedTuple):
    """New jets about an axis at η = φ = 0, of massless particles (pT/GeV, Δη, Δφ), 0 where padded."""

    particles: Float[Tensor, "B N 3"]
    mask: Bool[Tensor, "B N"]
    label: Int[Tensor, " B"] | None = None
    """Class of each, of a model that draws it first and knows any."""


class JetGenerator(ABC):
    """A model of p(jet)."""

    spec: CloudSpec

    @abstractmethod
    def draw(
        self,
        jets: int,
        longest: int = 128,
        steps: int = 100,
        report: Callable[[int, int], None] = lambda done, total: None,
    ) -> Drawn:
        """New jets; random numbers are those of torch's generator.

        Args:
            jets: how many
            longest: most particles of a jet
            steps: of a model that removes noise step by step
            report: called with the jets that are done, and all
        """
