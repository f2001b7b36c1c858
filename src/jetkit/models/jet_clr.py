"""The transformer of JetCLR: attention and sum hear a constituent by its transverse momentum."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jetkit.data.batch import Batch, momentum_fractions
from jetkit.data.spec import Needs, Spec, columns
from jetkit.models.model import Backbone
from jetkit.nn.attention import Attention
from jetkit.nn.dropout import Dropout
from jetkit.nn.packing import Packing
from jetkit.nn.transformer import through
from jetkit.registry import register


class PostNormBlock(nn.Module):
    """x ← LN(x + MHA(x)), then x ← LN(x + W₂ ReLU(W₁ x)), with dropout before each sum and after the ReLU.

    Source: Attention Is All You Need, 2017, arXiv:1706.03762.
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads, dropout)
        self.norm_seen = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), Dropout(dropout), nn.Linear(hidden, width))
        self.norm_out = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "*tokens D"], bias: Float[Tensor, "B #heads #N N"], packing: Packing | None = None
    ) -> Float[Tensor, "*tokens D"]:
        """Attention of all tokens (B, N, D) to each other, or of the real ones (M, D)."""
        x = self.norm_seen(x + self.dropout(self.attention(x, x, bias, packing)))
        out: Tensor = self.norm_out(x + self.dropout(self.mlp(x)))
        return out


@register(
    "jet-clr",
    paper="Symmetries, Safety, and Self-Supervision, 2021, arXiv:2108.04253",
    symmetries=("permutation",),
    broken=("collinear",),
    tiny={"width": 16, "depth": 2, "heads": 2, "hidden": 16, "dropout": 0.0},
)
class JetCLR(Backbone):
    """Σ_i z_i h_i, where h_i comes from (z_i, Δη_i, Δφ_i) by attention Σ_j √z_j e^{s_ij} v_j / Σ_j √z_j e^{s_ij}.

    z = pT/Σ pT; of the features it uses ``part_deta`` and ``part_dphi`` alone. A constituent of z → 0 changes nothing;
    a collinear splitting does, and is for the pretraining `jet-clr` to teach. The default sizes are the paper's, with
    which it has 24,046,002 parameters with a head for two classes; the paper divides pT by 600 GeV in place of that of
    the jet.

    Args:
        width: channels of a constituent
        depth: blocks
        heads: attention heads
        hidden: hidden width of the perceptron in a block
        dropout: probability in the blocks

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=("part_deta", "part_dphi"), classes=("QCD", "top"))
        >>> Classify(JetCLR(spec), spec).size
        24046002
    """

    needs = Needs(p4=True)

    def __init__(
        self,
        spec: Spec,
        *,
        width: int = 1000,
        depth: int = 4,
        heads: int = 4,
        hidden: int = 1000,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(spec)
        self._direction = columns(spec, "part_deta", "part_dphi")
        self.width = width
        self.embed = nn.Linear(3, width)
        self.blocks = nn.ModuleList(PostNormBlock(width, heads, hidden, dropout) for _ in range(depth))
        self.encoded = width

    def tokens(self, batch: Batch) -> Float[Tensor, "B N D"]:
        """h of each constituent, 0 where padded."""
        z = momentum_fractions(batch).to(batch.x.dtype)
        x = self.embed(torch.cat([z.unsqueeze(2), batch.x[..., self._direction]], 2))
        return through(self.blocks, x, batch.mask, 0.5 * z.clamp(min=torch.finfo(z.dtype).tiny).log())

    def aggregate(self, tokens: Float[Tensor, "B N D"], batch: Batch) -> Float[Tensor, "B D"]:
        """Σ_i z_i h_i."""
        return torch.einsum("bn,bnd->bd", momentum_fractions(batch).to(tokens.dtype), tokens)
