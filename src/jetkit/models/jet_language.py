"""Jets as sentences: each particle is a word, said after all harder ones."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from jetkit.data.batch import Batch, four_momenta
from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Needs, Spec
from jetkit.models.jet_generator import drawn_jets
from jetkit.models.model import Backbone, Generator
from jetkit.nn.attention import Block, Memory
from jetkit.nn.hardest import ranking
from jetkit.physics.four_vectors import pt
from jetkit.progress import Count, silent

LOG_PT = next(feature for feature in FEATURE_SETS["kin"] if feature.name == "part_pt_log")
"""The feature that tells the transverse momentum."""


class Sentences(NamedTuple):
    """Words of jets in falling pT, and which places hold one."""

    words: Int[Tensor, "B N"]
    mask: Bool[Tensor, "B N"]


class JetLanguage(Backbone, Generator):
    """p(jet) = Π_i p(w_i | w_1 … w_{i−1}) · p(stop | w_1 … w_n) for its particles in falling pT, each a word.

    A start token and the words go through blocks of attention in which each sees itself and those before it. What comes
    out at a particle is its token; from it the next word is said, and the sum over all, after a layer, is the vector of
    the jet. A subclass says what the words are.

    Source: Learning the Language of QCD Jets with Transformers, 2023, arXiv:2303.07364; OmniJet-α: The first
    cross-task foundation model for particle physics, 2024, arXiv:2403.05618.

    Args:
        width: channels of a token
        depth: blocks
        heads: attention heads
        dropout: probability in the blocks
    """

    needs: ClassVar[Needs] = Needs(p4=True)
    idle: ClassVar[bool] = True

    def __init__(self, spec: Spec, words: int, *, width: int, depth: int, heads: int, dropout: float) -> None:
        super().__init__(spec)
        self.words, self.width = words, width
        self.start = nn.Parameter(torch.empty(1, 1, width))
        nn.init.trunc_normal_(self.start, std=0.02)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.next_word = nn.Linear(width, words + 1)
        self.gather = nn.Sequential(nn.Linear(width, width), nn.ReLU())
        self.encoded = width

    @property
    def decoders(self) -> tuple[nn.Module, ...]:
        """What says the next word."""
        return (self.next_word,)

    @property
    def stages(self) -> tuple[tuple[str, ...], ...]:
        """The words, each block, and what gathers the jet."""
        known = ("blocks", "norm", "gather", "next_word")
        first = ("start", *(name for name, _ in self.named_children() if name not in known))
        blocks = [(f"blocks.{number}",) for number in range(len(self.blocks))]
        return (first, *blocks, ("norm", "gather"))

    @abstractmethod
    def words_of(self, batch: Batch) -> Int[Tensor, "B N"]:
        """The word of each particle, 0 ≤ word < ``words`` (what stands in padded places is arbitrary)."""

    @abstractmethod
    def embedded(self, words: Int[Tensor, "B N"]) -> Float[Tensor, "B N D"]:
        """A vector for each word."""

    @abstractmethod
    def particles(self, sentences: Sentences) -> Float[Tensor, "B N 3"]:
        """(pT/GeV, Δη, Δφ) of particles that these words may mean, drawn at random; 0 where padded."""

    def learn_words(self, batches: Iterable[Batch]) -> None:
        """Look at jets before the training begins."""

    def tokens(self, batch: Batch) -> Float[Tensor, "B N D"]:
        """What comes out at each particle."""
        order = _order(batch)
        found = self.heard(self._sentences(batch, order))[:, 1:]
        return torch.empty_like(found).scatter_(1, order.unsqueeze(2).expand_as(found), found)

    def aggregate(self, tokens: Float[Tensor, "B N D"], batch: Batch) -> Float[Tensor, "B D"]:
        """Sum over the particles, after a layer."""
        gathered: Tensor = self.gather(tokens.masked_fill(~batch.mask.unsqueeze(2), 0))
        return (gathered * batch.mask.unsqueeze(2)).sum(1)

    def heard(self, sentences: Sentences) -> Float[Tensor, "B 1+N D"]:
        """A vector after the start and after each word."""
        vectors = self.embedded(sentences.words.masked_fill(~sentences.mask, 0)).to(self.start.dtype)
        x = torch.cat([self.start.expand(len(vectors), -1, -1), vectors], 1)
        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(1)
        bias = torch.zeros_like(later, dtype=x.dtype).masked_fill_(later, torch.finfo(x.dtype).min / 2)[None, None]
        for block in cast(Iterable[Block], self.blocks):
            x = block(x, bias)
        found: Tensor = self.norm(x)
        return found

    def log_probabilities(self, batch: Batch) -> Float[Tensor, " W"]:
        """ln p of each word, and of each stop, given the words before it."""
        sentences = self._sentences(batch, _order(batch))
        said = nn.functional.pad(sentences.mask, (1, 0), value=True)
        length = sentences.mask.sum(1)
        wanted = nn.functional.pad(sentences.words, (0, 1)).scatter(1, length.unsqueeze(1), self.words)
        logits = self.next_word(self.heard(sentences)[said]).float()
        return -nn.functional.cross_entropy(logits, wanted[said], reduction="none")

    def log_prob(self, batch: Batch) -> Float[Tensor, " B"]:
        """ln p of each jet, as a sentence."""
        each = self.log_probabilities(batch)
        jet = torch.arange(len(batch), device=each.device).repeat_interleave(batch.mask.sum(1) + 1)
        return torch.zeros(len(batch), dtype=each.dtype, device=each.device).index_add_(0, jet, each)

    def sample(
        self,
        context: Batch | None,
        rows: int,
        *,
        longest: int = 128,
        steps: int = 100,
        report: Count = silent,
    ) -> Batch:
        """Return new jets, drawn word by word (there are no steps, and no context)."""
        sentences = self.drawn_sentences(rows, longest, report)
        return drawn_jets(self.particles(sentences), sentences.mask)

    def after(
        self, words: Int[Tensor, " B"] | None, memories: Sequence[Memory | None]
    ) -> tuple[Float[Tensor, "B D"], list[Memory]]:
        """What `heard` gives after one more word (none is the start), with what the blocks remember."""
        x = self.start if words is None else self.embedded(words[:, None]).to(self.start.dtype)
        known = []
        for block, memory in zip(cast(Iterable[Block], self.blocks), memories, strict=True):
            x, seen = block.step(x, memory)
            known.append(seen)
        return self.norm(x)[:, 0], known

    @torch.no_grad()
    def drawn_sentences(self, jets: int, longest: int = 128, report: Count = silent) -> Sentences:
        """New sentences, of one word at least, that are stopped at the longest length.

        Random numbers are those of torch's generator.
        """
        device = self.start.device
        words = torch.zeros(jets, longest, dtype=torch.long, device=device)
        length = torch.full((jets,), longest, device=device)
        going = torch.arange(jets, device=device)
        token, memories = self.after(None, [None] * len(self.blocks))
        token, memories = token.expand(jets, -1), [memory.select(torch.zeros_like(going)) for memory in memories]
        for place in range(longest):
            logits = self.next_word(token).float()
            if place == 0:
                logits[:, self.words] = -torch.inf
            said = torch.multinomial(logits.softmax(1), 1).squeeze(1)
            stopped = said == self.words
            length[going[stopped]] = place
            if stopped.any():
                going, said = going[~stopped], said[~stopped]
                memories = [memory.select(~stopped) for memory in memories]
            words[going, place] = said
            report(jets - len(going), jets)
            if not len(going):
                break
            token, memories = self.after(said, memories)
        mask = torch.arange(longest, device=device) < length.unsqueeze(1)
        most = int(length.max())
        return Sentences(words[:, :most], mask[:, :most])

    def _sentences(self, batch: Batch, order: Int[Tensor, "B N"]) -> Sentences:
        return Sentences(self.words_of(batch).gather(1, order), batch.mask.gather(1, order))


def pt_of(log_pt: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Transverse momentum in GeV, from its feature.

    Example:
        >>> pt_of(torch.zeros(1))
        tensor([5.4739])
    """
    return (log_pt / LOG_PT.scale + (LOG_PT.center or 0.0)).exp()


def _order(batch: Batch) -> Int[Tensor, "B N"]:
    """Places in falling pT, the real particles first."""
    return ranking(pt(four_momenta(batch)), batch.mask)
