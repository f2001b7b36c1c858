"""A perceptron on N-subjettinesses that span the phase space of M subjets."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jetkit.data.batch import Batch, four_momenta, ragged_momenta
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.observable_network import ObservableNetwork
from jetkit.physics import four_vectors as fv
from jetkit.physics.subjettiness import n_subjettiness_basis
from jetkit.registry import register


@register(
    "nsub-dnn",
    paper="Reports of My Demise Are Greatly Exaggerated: N-subjettiness Taggers Take On Jet Images, 2018, "
    "arXiv:1807.04769",
    symmetries=("permutation", "rotation-about-beam"),
    tiny={"bodies": 3, "f": (32, 16), "dropout": 0.0},
)
class NsubDNN(ObservableNetwork):
    """A perceptron on the M-body basis of `n_subjettiness_basis` and the jet's mass and pT: 3M − 2 observables.

    With a head for two classes 57,502 parameters for M = 8, 56,302 for M = 6.

    Args:
        bodies: number M of subjets whose phase space the observables span
        f: widths of the perceptron before the last layer
        dropout: after each hidden layer

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=(), classes=("QCD", "top"))
        >>> Classify(NsubDNN(spec), spec).size
        57502
    """

    def __init__(
        self, spec: Spec, *, bodies: int = 8, f: tuple[int, ...] = (200, 200, 50, 50), dropout: float = 0.1
    ) -> None:
        if bodies < 2:
            raise JetkitError(f"nsub-dnn needs bodies >= 2, got {bodies}")
        numbers = 3 * bodies - 2
        pairs = pairwise([numbers, *f])
        layers = [part for a, b in pairs for part in (nn.Linear(a, b), nn.ReLU(), nn.Dropout(dropout))]
        super().__init__(spec, observables=numbers, f=layers, width=f[-1], eps=1e-12)
        self.bodies = bodies

    def observables(self, batch: Batch) -> Float[Tensor, "B 3*M-2"]:
        """The N-subjettinesses, the mass and the pT of each jet, in GeV."""
        jet = fv.total(four_momenta(batch).detach().double(), batch.mask)
        tau = n_subjettiness_basis(*ragged_momenta(batch), bodies=self.bodies)
        table = torch.cat([torch.from_numpy(tau).to(jet.device), torch.stack([fv.mass(jet), fv.pt(jet)], 1)], 1)
        return table.to(batch.x.dtype)
