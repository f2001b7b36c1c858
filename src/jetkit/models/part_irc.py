"""Infrared- and collinear-safe Particle Transformer: a particle is heard in proportion to its transverse momentum."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jetkit.data.batch import Batch, momentum_fractions
from jetkit.data.spec import Spec, columns
from jetkit.models.part import ParT
from jetkit.nn.pair_bias import Pairs
from jetkit.physics.four_vectors import delta_phi, eta, phi
from jetkit.registry import register


class SafeBias(nn.Module):
    """b(½ ln(1 + Δ_ij²/δ²)) for each head, to which ln z_j is added: what makes attention a mean weighted by pT.

    Δ² = (η_i − η_j)² + (φ_i − φ_j)²; b is learned, and smooth where the two become parallel. kT, z and m² of a pair may
    not enter b: a splitting of i or j changes them.

    Args:
        width: of the hidden layer of b
        heads: number of heads
        angle: δ in radians, below which b is about constant
    """

    def __init__(self, width: int, heads: int, angle: float) -> None:
        super().__init__()
        self.angle = angle
        self.layers = nn.Sequential(nn.Linear(1, width), nn.GELU(), nn.Linear(width, heads, bias=False))

    def forward(self, p4: Float[Tensor, "B N 4"], pairs: Pairs) -> Float[Tensor, "P heads"]:
        """b of each pair."""
        jet, i, j = pairs
        eta_of, phi_of = eta(p4), phi(p4)
        delta2 = (eta_of[jet, i] - eta_of[jet, j]) ** 2 + delta_phi(phi_of[jet, i], phi_of[jet, j]) ** 2
        bias: Tensor = self.layers(0.5 * torch.log1p(delta2 / self.angle**2).unsqueeze(-1))
        return bias


def logarithm(weight: Float[Tensor, "B N"]) -> Float[Tensor, "B 1 1 N"]:
    """Of the weight of each key, finite for 0, as an attention bias."""
    return weight.clamp(min=torch.finfo(weight.dtype).tiny).log()[:, None, None]


@register(
    "part-irc",
    paper="Particle Transformer for Jet Tagging, 2022, arXiv:2202.03772",
    symmetries=("permutation", "soft", "collinear"),
    tiny={"width": 16, "depth": 2, "heads": 2, "pair_width": 8, "dropout": 0.0},
)
class ParTIRC(ParT):
    """ParT whose attention is Σ_j z_j exp(s_ij) v_j / Σ_j z_j exp(s_ij), with z = pT/Σ pT.

    A particle enters as (``part_deta``, ``part_dphi``), a pair as the angle between the two, and nothing is normalised
    over particles or pairs. Hence a token is a function of its direction and of means weighted by z, in every block:
    no mean changes where a particle is split into parallel ones, whose z add up, or where one of z → 0 is added. The
    class token hears particles with their z and itself with 1.

    The construction is jetkit's; the idea is that of Energy-weighted Message Passing: an infra-red and collinear safe
    graph neural network algorithm, 2021, arXiv:2109.14636. 2,131,218 parameters with a head for two classes.

    Args:
        width: channels of a token
        depth: blocks of particle attention
        class_depth: blocks of class attention
        heads: attention heads
        pair_width: hidden width of the embedding of an angle
        angle: angle in radians up to which two particles are as good as parallel
        dropout: probability in the blocks of particle attention

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=("part_deta", "part_dphi"), classes=("QCD", "top"))
        >>> Classify(ParTIRC(spec), spec).size
        2131218
    """

    def __init__(
        self,
        spec: Spec,
        *,
        width: int = 128,
        depth: int = 8,
        class_depth: int = 2,
        heads: int = 8,
        pair_width: int = 32,
        angle: float = 0.01,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(spec, width=width, depth=depth, class_depth=class_depth, heads=heads, dropout=dropout)
        self._direction = columns(spec, "part_deta", "part_dphi")
        self.norm = nn.Identity()
        self.embed = nn.Sequential(
            *(nn.Linear(2, width), nn.GELU(), nn.LayerNorm(width)),
            *(nn.Linear(width, 4 * width), nn.GELU(), nn.LayerNorm(4 * width)),
            *(nn.Linear(4 * width, width), nn.GELU()),
        )
        self.pairs = SafeBias(pair_width, heads, angle)

    def tokens(self, batch: Batch) -> Float[Tensor, "B N D"]:
        """A vector per particle after all blocks of particle attention, 0 where padded."""
        return super().tokens(batch.with_cloud(x=batch.x[..., self._direction]))

    def key_bias(self, batch: Batch, dtype: torch.dtype) -> Float[Tensor, "B 1 1 N"]:
        """ln z of each particle."""
        return logarithm(momentum_fractions(batch).to(dtype)) + super().key_bias(batch, dtype)
