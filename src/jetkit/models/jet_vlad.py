"""JetVLAD: particles assigned to clusters, each of which collects what is left of them."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.models.model import Encoder
from jetkit.nn.packing import pad
from jetkit.registry import register


@register(
    "jet-vlad",
    paper="Identifying Heavy-Flavor Jets Using Vectors of Locally Aggregated Descriptors, 2020, arXiv:2005.01842",
    symmetries=("permutation",),
    broken=("collinear",),
    tiny={"clusters": 4, "depth": 1, "dropout": 0.0},
)
class JetVLAD(Encoder):
    """Vectors of locally aggregated descriptors (`VLAD`) of a jet, then residual units.

    With 33 clusters and a head for two classes 40,856 parameters for 3 features, 111,608 for 5 and 283,076 for 8.
    Padded places, which the published code lets vote, are left out of sums and batch normalisations.

    Args:
        clusters: number of clusters
        depth: number of residual units
        dropout: after the residual units

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=("pt", "eta", "phi"), classes=("light", "heavy"))
        >>> Classify(JetVLAD(spec), spec).size
        40856
    """

    def __init__(self, spec: Spec, *, clusters: int = 33, depth: int = 2, dropout: float = 0.5) -> None:
        super().__init__(spec)
        width = clusters * len(spec.features)
        self.vlad = VLAD(len(spec.features), clusters)
        self.units = nn.Sequential(*(ResidualUnit(width) for _ in range(depth)), nn.Dropout(dropout))
        self.encoded = width
        for module in self.modules():
            if isinstance(module, nn.Linear):
                self.start_head(module)

    def start_head(self, head: nn.Linear) -> None:
        """Orthogonal rows."""
        nn.init.orthogonal_(head.weight)

    def encode(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Output of the residual units."""
        encoded: Tensor = self.units(self.vlad(batch))
        return encoded


class VLAD(nn.Module):
    """V_dk = Σ_i a_ik (x_id − c_dk), of length 1 for each cluster k, and then as a whole.

    a_i = softmax_k(BN(x_i C)) is the assignment of particle i; C and the centres c are trained.

    Source: NetVLAD: CNN architecture for weakly supervised place recognition, 2015, arXiv:1511.07247.
    """

    def __init__(self, features: int, clusters: int) -> None:
        super().__init__()
        self.assign = nn.Parameter(torch.randn(features, clusters) / features**0.5)
        self.norm = nn.BatchNorm1d(clusters)
        self.centres = nn.Parameter(torch.randn(features, clusters) / features**0.5)

    def forward(self, batch: Batch) -> Float[Tensor, "B D*K"]:
        """Of the real particles of each jet."""
        x = batch.x[batch.mask]
        share = pad(self.norm(x @ self.assign).softmax(-1), batch.mask)  # (B, N, K)
        collected = pad(x, batch.mask).mT @ share - self.centres * share.sum(1, keepdim=True)
        return F.normalize(F.normalize(collected, dim=1).flatten(1))


class ResidualUnit(nn.Module):
    """x ← BN(CELU(x + W₂ BN(CELU(W₁ x))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.change = nn.Sequential(nn.Linear(width, width), nn.CELU(), nn.BatchNorm1d(width), nn.Linear(width, width))
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        """Of the same shape."""
        changed: Tensor = self.norm(F.celu(x + self.change(x)))
        return changed
