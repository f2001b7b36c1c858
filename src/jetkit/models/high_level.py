"""What all networks on observables share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from jetkit.data.cloud import Cloud, CloudSpec
from jetkit.models.tagger import Tagger


class HighLevelTagger(Tagger):
    """A network on the ``observables`` of a jet, standardised, and then ``f``.

    A batch normalisation without parameters standardises them; it averages over all batches of the training. No
    gradient reaches the particles, so that a training computes the observables of each jet once
    (`jetkit.train.observables`) and passes them in ``cloud.targets``.
    """

    OBSERVABLES: ClassVar[str] = "observables"
    """Name of the target that holds observables computed before."""

    def __init__(self, spec: CloudSpec, *, observables: int, f: Iterable[nn.Module], width: int, eps: float) -> None:
        super().__init__(spec)
        self.standardise = nn.BatchNorm1d(observables, eps=eps, momentum=None, affine=False)
        self.f = nn.Sequential(*f)
        self.head = nn.Linear(width, len(spec.classes))

    @abstractmethod
    def observables(self, cloud: Cloud) -> Float[Tensor, "B D"]:
        """Numbers of each jet, which depend on nothing that is learned."""

    def encode(self, cloud: Cloud) -> Float[Tensor, "B F"]:
        """Last layer before the head."""
        known = cloud.targets.get(self.OBSERVABLES)
        encoded: Tensor = self.f(self.standardise(self.observables(cloud) if known is None else known))
        return encoded
