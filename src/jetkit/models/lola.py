"""LoLa: combinations of four-momenta, and the invariants that a learned Lorentz layer makes of them."""

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
from jetkit.physics.four_vectors import pt
from jetkit.registry import register

UNIT = 100.0
"""GeV in which momenta are measured, so that the inputs of the perceptron are of order one."""


@register(
    "lola",
    paper="Deep-learned Top Tagging with a Lorentz Layer, 2017, arXiv:1707.08966",
    symmetries=("permutation", "rotation-about-beam"),
    broken=("collinear",),
    tiny={"constituents": 20, "combinations": 4, "f": (32, 16)},
)
class LoLa(Encoder):
    """A perceptron on (m²(k̃_j), pT(k̃_j), Σ_m w^E_jm E(k̃_m), Σ_m w^d_jm (k̃_j − k̃_m)²) of the vectors k̃ = C k.

    k are the N hardest constituents in the order of their pT, and k̃ (combination layer, CoLa) their sum, themselves,
    and M learned combinations. C, w^E and w^d are trained, and so is the metric of m² and d² if asked for.

    Args:
        constituents: number N of constituents, the softer ones are left out
        combinations: number M of learned combinations
        f: widths of the perceptron before the last layer
        learned_metric: whether the diagonal metric is learned, from (1, 1, 1, 1) on; else it is (1, −1, −1, −1)

    Example:
        >>> model = LoLa(Spec.of(features=(), classes=("QCD", "top")))
        >>> p4 = torch.tensor([5.0, 3.0, 4.0, 0.0]).expand(6, 70, 4)
        >>> model(Batch.of(x=torch.zeros(6, 70, 0), mask=torch.ones(6, 70, dtype=torch.bool), p4=p4)).shape
        torch.Size([6, 50])
    """

    metric: Float[Tensor, "4"]

    needs = Needs(p4=True)

    def __init__(
        self,
        spec: Spec,
        *,
        constituents: int = 60,
        combinations: int = 15,
        f: tuple[int, ...] = (100, 50),
        learned_metric: bool = False,
    ) -> None:
        super().__init__(spec)
        self.constituents = constituents
        vectors = 1 + constituents + combinations
        self.combine = nn.Parameter(torch.rand(combinations, constituents))
        self.weigh_energy = nn.Linear(vectors, vectors, bias=False)
        self.weigh_distance = nn.Linear(vectors, vectors, bias=False)
        if learned_metric:
            self.metric = nn.Parameter(torch.ones(4))
        else:
            self.register_buffer("metric", torch.tensor([1.0, -1.0, -1.0, -1.0]))
        self.f = mlp([4 * vectors, *f])
        self.encoded = f[-1]

    def encode(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Last hidden layer of the perceptron."""
        with full_precision(batch.x):
            invariants = self.invariants(hardest(four_momenta(batch), batch.mask, self.constituents) / UNIT)
        encoded: Tensor = self.f(invariants.flatten(1))
        return encoded

    def invariants(self, k: Float[Tensor, "B N 4"]) -> Float[Tensor, "B 1+N+M 4"]:
        """The four numbers of each vector k̃_j.

        Distances to all other vectors are summed without being written down: since d²_jm = m²_j + m²_m − 2⟨k̃_j, k̃_m⟩,
        Σ_m w_jm d²_jm = m²_j Σ_m w_jm + Σ_m w_jm m²_m − 2⟨k̃_j, Σ_m w_jm k̃_m⟩.
        """
        k = torch.cat([k.sum(1, keepdim=True), k, self.combine @ k], 1)
        mass2 = k.square() @ self.metric
        weight = self.weigh_distance.weight
        distance2 = mass2 * weight.sum(1) + self.weigh_distance(mass2) - 2 * (k * (weight @ k)) @ self.metric
        return torch.stack([mass2, pt(k), self.weigh_energy(k[..., 0]), distance2], -1)
