"""What all networks on observables share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec
from jetkit.models.model import Encoder


class ObservableNetwork(Encoder):
    """A network on the ``observables`` of a jet, standardised, and then ``f``.

    A batch normalisation without parameters standardises them; it averages over all batches of the training. No
    gradient reaches the particles, so that a training computes the observables of each jet once
    (`jetkit.training.cached`) and gives the network plain tables of them.
    """

    needs: ClassVar[Needs] = Needs(p4=True)
    precomputes: ClassVar[bool] = True

    def __init__(self, spec: Spec, *, observables: int, f: Iterable[nn.Module], width: int, eps: float) -> None:
        super().__init__(spec)
        self.standardise = nn.BatchNorm1d(observables, eps=eps, momentum=None, affine=False)
        self.f = nn.Sequential(*f)
        self.encoded = width

    @abstractmethod
    def observables(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Return numbers of each jet, which depend on nothing that is learned."""

    def precomputed(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Return the observables."""
        return self.observables(batch)

    def encode(self, batch: Batch) -> Float[Tensor, "B F"]:
        """Return the last layer, of jets or of a table of their observables."""
        encoded: Tensor = self.f(self.standardise(self.observables(batch) if batch.sets else batch.row))
        return encoded
