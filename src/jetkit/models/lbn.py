"""Lorentz Boost Network: learned particles, seen from learned rest frames."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jetkit.data.batch import Batch, four_momenta
from jetkit.data.spec import Needs, Spec
from jetkit.models.model import Encoder
from jetkit.nn.hardest import hardest
from jetkit.nn.mlp import mlp
from jetkit.nn.precision import full_precision
from jetkit.physics import four_vectors as fv
from jetkit.registry import register

SLOWEST = 1e-5
"""Least E/|p| − 1 of a combination, which keeps γ below 224: single precision resolves no faster boost."""


@register(
    "lbn",
    paper="Lorentz Boost Networks: Autonomous Physics-Inspired Feature Engineering, 2018, arXiv:1812.09722",
    symmetries=("permutation",),
    broken=("collinear", "rotation-about-beam"),
    tiny={"constituents": 20, "combinations": 4, "f": (32, 16)},
)
class LBN(Encoder):
    """A perceptron on M combinations of the constituents, each boosted into the rest frame of another combination.

    Of the boosted vectors it sees E, pT, η, φ, m = √max(E² − p², 0), and the cosines of the angles between each two of
    them: 5M + M(M − 1)/2 numbers, after a batch normalisation. The constituents are the hardest ones in the order of
    their pT.

    Args:
        constituents: number of constituents, the softer ones are left out
        combinations: number M of particles, and of rest frames
        f: widths of the perceptron before the last layer
        clip: whether negative weights of the combinations count as 0

    Example:
        >>> model = LBN(Spec.of(features=(), classes=("QCD", "top")))
        >>> p4 = torch.tensor([5.0, 3.0, 4.0, 0.0]).expand(6, 70, 4)
        >>> model(Batch.of(x=torch.zeros(6, 70, 0), mask=torch.ones(6, 70, dtype=torch.bool), p4=p4)).shape
        torch.Size([6, 256])
    """

    needs = Needs(p4=True)

    def __init__(
        self,
        spec: Spec,
        *,
        constituents: int = 60,
        combinations: int = 20,
        f: tuple[int, ...] = (256, 256, 256),
        clip: bool = False,
    ) -> None:
        super().__init__(spec)
        self.constituents, self.clip = constituents, clip
        self.particles = nn.Parameter(torch.rand(combinations, constituents))
        self.frames = nn.Parameter(torch.rand(combinations, constituents))
        features = 5 * combinations + combinations * (combinations - 1) // 2
        self.f = nn.Sequential(nn.BatchNorm1d(features), *mlp([features, *f]))
        self.encoded = f[-1]

    def encode(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Last hidden layer of the perceptron."""
        with full_precision(batch.x):
            k = hardest(four_momenta(batch), batch.mask, self.constituents)
            particles, frames = (self._combined(weight, k) for weight in (self.particles, self.frames))
            features = boosted_features(in_rest_frame(particles, frames))
        encoded: Tensor = self.f(features)
        return encoded

    def _combined(self, weight: Float[Tensor, "M N"], k: Float[Tensor, "B N 4"]) -> Float[Tensor, "B M 4"]:
        """Weighted sums of the constituents, with the energy raised to where the sum is slower than light."""
        p4 = (weight.clamp(min=0) if self.clip else weight) @ k
        least = (1 + SLOWEST) * fv.safe_norm(p4) + SLOWEST
        return torch.cat([torch.maximum(p4[..., 0], least).unsqueeze(-1), p4[..., 1:]], -1)


def in_rest_frame(p4: Float[Tensor, "*batch 4"], frame: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """Momenta p as seen where the sum q, of mass m, is at rest.

    E' = (E_q E − q·p)/m, p' = p − q (E + E')/(E_q + m): the boost by −q/E_q, without a ratio 0/0 for q at rest.

    Example:
        >>> in_rest_frame(torch.tensor([4.0, 0.0, 0.0, 0.0]), torch.tensor([5.0, 0.0, 0.0, 3.0]))
        tensor([ 5.,  0.,  0., -3.])
    """
    energy, momentum = p4[..., :1], p4[..., 1:]
    frame_energy, frame_momentum = frame[..., :1], frame[..., 1:]
    mass = fv.mass(frame).unsqueeze(-1)
    boosted = (frame_energy * energy - (frame_momentum * momentum).sum(-1, keepdim=True)) / mass
    return torch.cat([boosted, momentum - frame_momentum * (energy + boosted) / (frame_energy + mass)], -1)


def boosted_features(p4: Float[Tensor, "B M 4"]) -> Float[Tensor, "B F"]:
    """E, pT, η, φ and m of M vectors, then cos θ_ij of the pairs i > j.

    Example:
        >>> back_to_back = torch.tensor([[[5.0, 3.0, 0.0, 0.0], [5.0, -3.0, 0.0, 0.0]]])
        >>> boosted_features(back_to_back)[0, [0, 2, 8, 10]]
        tensor([ 5.,  3.,  4., -1.])
    """
    single = torch.cat([quantity(p4) for quantity in (fv.energy, fv.pt, fv.eta, fv.phi, fv.mass)], 1)
    length = fv.safe_norm(p4).unsqueeze(-1)
    direction = p4[..., 1:] / length.clamp(min=torch.finfo(p4.dtype).tiny)
    i, j = torch.tril_indices(p4.shape[1], p4.shape[1], -1, device=p4.device)
    return torch.cat([single, (direction @ direction.mT)[:, i, j]], 1)
