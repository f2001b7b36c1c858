"""Particle Flow Network: a sum over particles between two perceptrons."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.models.model import Backbone
from jetkit.nn.mlp import mlp
from jetkit.nn.packing import masked_sum
from jetkit.registry import register


@register(
    "pfn",
    paper="Energy Flow Networks: Deep Sets for Particle Jets, 2018, arXiv:1810.05165",
    symmetries=("permutation",),
    broken=("collinear",),
    tiny={"phi": (16, 16), "f": (16,)},
)
class PFN(Backbone):
    """PFN = F(Σ_i Φ(x_i)); Φ and F are perceptrons with ReLU.

    The default sizes are the paper's: 82,458 parameters for 3 features with a head for 2 classes. The PFN of
    weaver-core, the baseline of Particle Transformer for Jet Tagging (2022, arXiv:2202.03772), has phi=[128,128,128]
    and f=[128,128,128]: 86,154 parameters for 17 features and 10 classes.

    Args:
        phi: widths of Φ; the last is the latent dimension
        f: widths of F before the last layer

    Example:
        >>> import torch
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=("z", "y", "phi"), classes=("QCD", "top"))
        >>> Classify(PFN(spec), spec).size
        82458
        >>> PFN(spec)(Batch.of(x=torch.randn(5, 40, 3), mask=torch.ones(5, 40, dtype=torch.bool))).shape
        torch.Size([5, 100])
    """

    aggregator = ("f",)

    def __init__(
        self, spec: Spec, *, phi: tuple[int, ...] = (100, 100, 256), f: tuple[int, ...] = (100, 100, 100)
    ) -> None:
        super().__init__(spec)
        self.width = phi[-1]
        self.phi = mlp([len(spec.features), *phi])
        self.f = mlp([phi[-1], *f])
        self.encoded = f[-1]

    def tokens(self, batch: Batch) -> Float[Tensor, "B N D"]:
        """Φ(x_i)."""
        found: Tensor = self.phi(batch.x)
        return found

    def aggregate(self, tokens: Float[Tensor, "B N D"], batch: Batch) -> Float[Tensor, "B E"]:
        """F(Σ_i Φ(x_i))."""
        encoded: Tensor = self.f(masked_sum(tokens, batch.mask))
        return encoded
