"""A recurrent network that reads the tracks of a jet from the most to the least displaced one."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from jetkit.data.batch import Batch, momentum_fractions
from jetkit.data.spec import Needs, Spec, columns
from jetkit.models.model import Encoder
from jetkit.nn.hardest import ranking
from jetkit.nn.mlp import mlp
from jetkit.nn.packing import pad
from jetkit.registry import register

SMALLEST_ERROR = 1e-3
"""mm. Smaller errors, 0 among them, count as this."""


class Tracks(NamedTuple):
    """The tracks of each jet in falling |S_d0|."""

    x: Float[Tensor, "M 4"]
    """asinh S_d0, asinh S_dz, pT fraction, ΔR of each."""
    mask: Bool[Tensor, "B T"]
    """True where a jet has a track."""


@register(
    "rnn-ip",
    paper="Identification of Jets Containing b-Hadrons with Recurrent Neural Networks at the ATLAS Experiment, 2017, "
    "ATL-PHYS-PUB-2017-003",
    symmetries=("permutation",),
    broken=("soft", "collinear"),
    tiny={"width": 16, "f": 8},
)
class RNNIP(Encoder):
    """State of an LSTM after the last track, the order being that of |S_d0| with S = d/σ, and a hidden layer.

    A track is a particle with charge; of it the LSTM sees asinh S_d0, asinh S_dz, the fraction of the jet's pT and ΔR
    to the axis, normalised over the tracks of the batch. The grade of a track, which the data lack, is left out; widths
    and normalisation are jetkit's. The sign of d is the stored one, not that with respect to the jet; as ``part_d0`` is
    tanh(d0/mm) and σ is at most 1 mm, |d| ends at 8 mm. A jet without tracks has one whose inputs are 0.

    Args:
        tracks: largest number of tracks
        width: of the state
        f: width of the hidden layer

    Raises:
        JetkitError: no displaced features, which the set ``full`` has.

    Example:
        >>> from jetkit.data.features import feature_names
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=feature_names("full"), classes=("light", "c", "b"))
        >>> Classify(RNNIP(spec), spec).size
        44491
    """

    needs = Needs(p4=True)

    def __init__(self, spec: Spec, *, tracks: int = 15, width: int = 100, f: int = 20) -> None:
        super().__init__(spec)
        impact = "part_d0", "part_d0err", "part_dz", "part_dzerr"
        self._columns = columns(spec, "part_charge", *impact, "part_deta", "part_dphi")
        self.length = tracks
        self.norm = nn.BatchNorm1d(4)
        self.lstm = nn.LSTM(4, width, batch_first=True)
        self.f = mlp([width, f])
        self.encoded = f

    def encode(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Hidden layer on the state after the last track."""
        tracks = self.tracks(batch)
        states, _ = self.lstm(pad(self.norm(tracks.x), tracks.mask))
        last = (tracks.mask.sum(1) - 1).clamp(min=0)
        encoded: Tensor = self.f(states[torch.arange(len(last), device=last.device), last])
        return encoded

    def tracks(self, batch: Batch) -> Tracks:
        """Those with the largest |S_d0|."""
        charge, d0, d0_error, dz, dz_error, deta, dphi = batch.x[..., self._columns].unbind(-1)
        significance = impact_significance(d0, d0_error)
        x = [significance.asinh(), impact_significance(dz, dz_error).asinh(), momentum_fractions(batch).to(d0.dtype)]
        real = batch.mask & (charge != 0)
        places = ranking(significance.abs(), real)[:, : self.length]
        mask = real.take_along_dim(places, 1)
        values = torch.stack([*x, torch.hypot(deta, dphi)], -1)
        return Tracks(values.take_along_dim(places.unsqueeze(-1), 1)[mask], mask)


def impact_significance(bounded: Float[Tensor, "*batch"], error: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """S = d/σ of an impact parameter stored as tanh(d/mm), with σ in mm of at least 1e-3.

    Example:
        >>> round(float(impact_significance(torch.tensor(0.5).tanh(), torch.tensor(0.1))), 4)
        5.0
    """
    limit = 1 - torch.finfo(torch.float32).eps
    return bounded.clamp(-limit, limit).atanh() / error.clamp(min=SMALLEST_ERROR)
