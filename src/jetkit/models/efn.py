"""Energy Flow Network: every infrared- and collinear-safe observable is a limit of it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from jetkit.data.batch import Batch, momentum_fractions
from jetkit.data.spec import Needs, Spec, columns
from jetkit.models.model import Encoder
from jetkit.nn.mlp import mlp
from jetkit.registry import register


@register(
    "efn",
    paper="Energy Flow Networks: Deep Sets for Particle Jets, 2018, arXiv:1810.05165",
    symmetries=("permutation", "soft", "collinear"),
    tiny={"phi": (16, 16), "f": (16,)},
)
class EFN(Encoder):
    """EFN = F(Σ_i z_i Φ(Δη_i, Δφ_i)) with z = pT/Σ pT; of the features it uses ``part_deta`` and ``part_dphi`` alone.

    Linear in z, and z-free otherwise: a collinear splitting or a soft particle changes nothing. The default sizes are
    the paper's: 82,358 parameters with a head for two classes.

    Args:
        phi: widths of Φ; the last is the latent dimension
        f: widths of F before the last layer

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=("part_deta", "part_dphi"), classes=("QCD", "top"))
        >>> Classify(EFN(spec), spec).size
        82358
    """

    needs = Needs(p4=True)

    def __init__(
        self, spec: Spec, *, phi: tuple[int, ...] = (100, 100, 256), f: tuple[int, ...] = (100, 100, 100)
    ) -> None:
        super().__init__(spec)
        self._direction = columns(spec, "part_deta", "part_dphi")
        self.phi = mlp([2, *phi])
        self.f = mlp([phi[-1], *f])
        self.encoded = f[-1]

    def encode(self, batch: Batch) -> Float[Tensor, "B D"]:
        """F(Σ_i z_i Φ(Δη_i, Δφ_i))."""
        latent = self.phi(batch.x[..., self._direction])
        # b: jet, n: particle, d: latent dimension
        encoded: Tensor = self.f(torch.einsum("bn,bnd->bd", momentum_fractions(batch).to(latent.dtype), latent))
        return encoded
