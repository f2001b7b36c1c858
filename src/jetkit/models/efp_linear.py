"""A linear classifier on energy flow polynomials."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from jetkit.data.batch import Batch, ragged_momenta
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.observable_network import ObservableNetwork
from jetkit.physics.energy_flow import HIGHEST, energy_flow_polynomials
from jetkit.physics.multigraphs import multigraphs
from jetkit.registry import register


@register(
    "efp-linear",
    paper="Energy flow polynomials: A complete linear basis for jet substructure, 2017, arXiv:1712.07124",
    symmetries=("permutation", "rotation-about-beam", "soft", "collinear"),
    tiny={"degree": 4, "beta": 1.0},
)
class EFPLinear(ObservableNetwork):
    """Energy flow polynomials EFP_G of all multigraphs G with at most ``degree`` edges, for logistic regression.

    Of 1000 graphs with up to 7 edges the empty one, EFP = 1, is the bias of the head: 1000 numbers a class are learned.
    The others are standardised (`ObservableNetwork`). Infrared and collinear safe.

    Args:
        degree: largest number d of edges, at most 7
        beta: power β of the angles, θ = ΔR^β

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=(), classes=("QCD", "top"))
        >>> Classify(EFPLinear(spec), spec).size
        2000
    """

    def __init__(self, spec: Spec, *, degree: int = 7, beta: float = 0.5) -> None:
        if not 1 <= degree <= HIGHEST:
            raise JetkitError(f"efp-linear needs a degree from 1 to {HIGHEST}, got {degree}")
        graphs = len(multigraphs(degree)) - 1
        super().__init__(spec, observables=graphs, f=(), width=graphs, eps=1e-20)
        self.degree, self.beta = degree, beta

    def observables(self, batch: Batch) -> Float[Tensor, "B D"]:
        """EFP_G of all graphs but the empty one, in the order of `energy_flow_polynomials`."""
        table = energy_flow_polynomials(*ragged_momenta(batch), degree=self.degree, beta=self.beta)
        return torch.from_numpy(table[:, 1:]).to(batch.x.device, batch.x.dtype)
