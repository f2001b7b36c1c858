"""Energy Flow Network: every infrared- and collinear-safe observable is a limit of it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jetkit.data.cloud import Cloud, CloudSpec
from jetkit.models.tagger import Tagger, columns, momentum_fractions
from jetkit.nn.mlp import mlp
from jetkit.registry import register


@register(
    "efn",
    paper="Energy Flow Networks: Deep Sets for Particle Jets, 2018, arXiv:1810.05165",
    symmetries=("permutation", "soft", "collinear"),
    tiny={"phi": (16, 16), "f": (16,)},
)
class EFN(Tagger):
    """EFN = F(Σ_i z_i Φ(Δη_i, Δφ_i)) with z = pT/Σ pT; of the features it uses ``part_deta`` and ``part_dphi`` alone.

    Linear in z, and z-free otherwise: a collinear splitting or a soft particle changes nothing. The default sizes are
    the paper's: 82,358 parameters.

    Args:
        phi: widths of Φ; the last is the latent dimension
        f: widths of F before the last layer

    Example:
        >>> model = EFN(CloudSpec(features=("part_deta", "part_dphi"), classes=("QCD", "top")))
        >>> sum(weight.numel() for weight in model.parameters())
        82358
    """

    def __init__(
        self, spec: CloudSpec, *, phi: tuple[int, ...] = (100, 100, 256), f: tuple[int, ...] = (100, 100, 100)
    ) -> None:
        super().__init__(spec)
        self._direction = columns(spec, "part_deta", "part_dphi")
        self.phi = mlp([2, *phi])
        self.f = mlp([phi[-1], *f])
        self.head = nn.Linear(f[-1], len(spec.classes))

    def encode(self, cloud: Cloud) -> Float[Tensor, "B D"]:
        """F(Σ_i z_i Φ(Δη_i, Δφ_i))."""
        latent = self.phi(cloud.x[..., self._direction])
        # b: jet, n: particle, d: latent dimension
        encoded: Tensor = self.f(torch.einsum("bn,bnd->bd", momentum_fractions(cloud).to(latent.dtype), latent))
        return encoded
