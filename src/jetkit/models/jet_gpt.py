"""The language of QCD jets: a particle is a bin of pT, Δη and Δφ."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec, columns
from jetkit.errors import JetkitError
from jetkit.models.jet_language import LOG_PT, JetLanguage, Sentences, pt_of
from jetkit.registry import register

LOWEST = 0.001
"""Quantile of pT at the lowest edge; the highest is the largest pT."""
WIDEST = 0.8
"""Edges of Δη and Δφ reach from −0.8 to 0.8."""


@register(
    "jet-gpt",
    kind="generator",
    paper="Learning the Language of QCD Jets with Transformers, 2023, arXiv:2303.07364",
    symmetries=("permutation",),
    broken=("collinear",),
    tiny={"bins": (5, 4, 4), "width": 16, "depth": 1, "heads": 2, "dropout": 0.0},
)
class JetGPT(JetLanguage):
    """A jet language whose words are bins, 41 × 31 × 31 of ln pT, Δη and Δφ; a word's vector is the sum of three.

    The edges of ln pT are linear between the 0.001-quantile and the largest value of jets that `learn_words` is shown,
    those of the angles between −0.8 and 0.8; what lies outside has a bin of its own on each side.

    The blocks are those of `jetkit.nn.attention`; the paper's are plain ones.

    Args:
        bins: edges of ln pT, Δη and Δφ
        width: channels of a token
        depth: blocks
        heads: attention heads
        dropout: probability in the blocks

    Raises:
        JetkitError: the spec lacks part_pt_log, part_deta or part_dphi, or there are fewer than two edges.

    Example:
        >>> from jetkit.testing import random_batch
        >>> spec = Spec.of(features=("part_pt_log", "part_deta", "part_dphi"), classes=("QCD", "top"))
        >>> model = JetGPT(spec, width=16, depth=1, heads=2)
        >>> model.words, model(random_batch(spec, jets=3).to(dtype=torch.float32)).shape
        (39401, torch.Size([3, 16]))
    """

    edges_0: Float[Tensor, " E0"]
    edges_1: Float[Tensor, " E1"]
    edges_2: Float[Tensor, " E2"]

    def __init__(
        self,
        spec: Spec,
        *,
        bins: tuple[int, int, int] = (40, 30, 30),
        width: int = 256,
        depth: int = 8,
        heads: int = 4,
        dropout: float = 0.1,
    ) -> None:
        if min(bins) < 2:
            raise JetkitError(f"jet-gpt needs two edges or more of each quantity, got bins={bins}")
        self.counts = tuple(edges + 1 for edges in bins)
        words = self.counts[0] * self.counts[1] * self.counts[2]
        super().__init__(spec, words, width=width, depth=depth, heads=heads, dropout=dropout)
        self._places = columns(spec, "part_pt_log", "part_deta", "part_dphi")
        ranges = ((LOG_PT.low, LOG_PT.high), (-WIDEST, WIDEST), (-WIDEST, WIDEST))
        for number, (edges, ends) in enumerate(zip(bins, ranges, strict=True)):
            self.register_buffer(f"edges_{number}", torch.linspace(*ends, edges))
        self.vectors = nn.ModuleList(nn.Embedding(count, width) for count in self.counts)

    @property
    def edges(self) -> tuple[Tensor, Tensor, Tensor]:
        """Edges in the units of the features."""
        return self.edges_0, self.edges_1, self.edges_2

    @torch.no_grad()
    def learn_words(self, batches: Iterable[Batch]) -> None:
        """Put the edges of ln pT where the particles are."""
        values = torch.cat([batch.x[..., self._places[0]][batch.mask] for batch in batches]).double()
        rising = values.sort().values
        low, high = rising[int(LOWEST * (len(rising) - 1))].item(), rising[-1].item()
        self.edges_0.copy_(torch.linspace(low, high, len(self.edges_0)))

    def words_of(self, batch: Batch) -> Int[Tensor, "B N"]:
        """The bin of each particle."""
        at = [
            torch.bucketize(batch.x[..., place].contiguous(), edges.to(batch.x.dtype))
            for place, edges in zip(self._places, self.edges, strict=True)
        ]
        return (at[0] * self.counts[1] + at[1]) * self.counts[2] + at[2]

    def embedded(self, words: Int[Tensor, "B N"]) -> Float[Tensor, "B N D"]:
        """Sum of the vectors of the three bins."""
        return torch.stack([table(at) for table, at in zip(self.vectors, self._bins(words), strict=True)]).sum(0)

    def particles(self, sentences: Sentences) -> Float[Tensor, "B N 3"]:
        """Points drawn evenly within the bins of ln pT, Δη and Δφ; the outermost bins are their edges."""
        found = [
            self.within(number, at, torch.rand(at.shape, device=at.device))
            for number, at in enumerate(self._bins(sentences.words))
        ]
        found[0] = pt_of(found[0])
        return torch.stack(found, -1) * sentences.mask.unsqueeze(2)

    def within(self, number: int, at: Int[Tensor, "*any"], share: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """The point of a bin that leaves a share of it below, in the units of the feature."""
        edges = self.edges[number]
        low, high = edges[(at - 1).clamp(min=0)], edges[at.clamp(max=len(edges) - 1)]
        return low + share.to(low) * (high - low)

    def _bins(self, words: Int[Tensor, "B N"]) -> tuple[Tensor, Tensor, Tensor]:
        return (
            words // (self.counts[1] * self.counts[2]),
            words // self.counts[2] % self.counts[1],
            words % self.counts[2],
        )
