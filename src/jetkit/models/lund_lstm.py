"""A recurrent network that reads the primary Lund plane from wide to small angle."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec
from jetkit.models.model import Encoder
from jetkit.nn.packing import pad
from jetkit.observables.lund_splittings import lund_splittings
from jetkit.physics.lund import Coordinate
from jetkit.registry import register


@register(
    "lund-lstm",
    paper="The Lund Jet Plane, 2018, arXiv:1807.04758",
    symmetries=("permutation", "rotation-about-beam", "boost-along-beam"),
    broken=("collinear",),
    tiny={"width": 16},
)
class LundLSTM(Encoder):
    """The state of an LSTM after the last splitting of the primary Lund plane, in the order of falling angle.

    The harder branch of the Cambridge/Aachen tree is followed. Of a batch it uses the four-momenta alone; the
    coordinates are normalised over the splittings of the batch. Coordinates and width are choices of jetkit. A jet
    without splittings has one whose coordinates are 0. With kt_min > 0 the output is infrared and collinear safe.

    Args:
        coordinates: of a splitting, of ln_delta, ln_z, ln_kt, ln_kappa, ln_mass, psi
        kt_min: least kT of a splitting in GeV; of any other the softer branch is dropped
        width: of the state
        dropout: before the last layer

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=(), classes=("QCD", "top"))
        >>> Classify(LundLSTM(spec), spec).size
        69388
    """

    needs = Needs(p4=True)

    def __init__(
        self,
        spec: Spec,
        *,
        coordinates: tuple[Coordinate, ...] = ("ln_delta", "ln_kt", "ln_mass", "ln_z", "psi"),
        kt_min: float = 0.0,
        width: int = 128,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(spec)
        self.coordinates, self.kt_min = coordinates, kt_min
        self.norm = nn.BatchNorm1d(len(coordinates))
        self.lstm = nn.LSTM(len(coordinates), width, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.encoded = width

    def encode(self, batch: Batch) -> Float[Tensor, "B D"]:
        """State after the last splitting."""
        splittings = lund_splittings(batch, self.coordinates, kt_min=self.kt_min, primary=True)
        states, _ = self.lstm(pad(self.norm(splittings.x), splittings.mask))
        last = splittings.mask.sum(1) - 1
        encoded: Tensor = self.dropout(states[torch.arange(len(last), device=last.device), last])
        return encoded
