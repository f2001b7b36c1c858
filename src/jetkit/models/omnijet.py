"""OmniJet-α: a jet language whose words are the codes of a trained tokeniser."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from jetkit.config import ConfigError
from jetkit.data.batch import Batch
from jetkit.data.spec import Spec, columns
from jetkit.errors import JetkitError
from jetkit.models.jet_language import JetLanguage, Sentences, pt_of
from jetkit.models.model import MODELS
from jetkit.models.vq_vae import VQVAE
from jetkit.registry import create, register

_SAID = ("part_pt_log", "part_deta", "part_dphi")


@register(
    "omnijet",
    kind="generator",
    paper="OmniJet-α: The first cross-task foundation model for particle physics, 2024, arXiv:2403.05618",
    symmetries=("permutation",),
    broken=("collinear",),
    tiny={
        "tokeniser": {"width": 16, "depth": 1, "heads": 2, "latent": 4, "codes": 64},
        "width": 16,
        "depth": 1,
        "heads": 2,
    },
)
class OmniJet(JetLanguage):
    """A jet language whose words are the codes that a `VQVAE` gives to the particles of a complete jet.

    The tokeniser is part of the model and does not learn with it; `take_tokeniser` puts a trained one in. Particles are
    what its decoder makes of a whole sentence. The blocks are those of `jetkit.nn.attention`; the paper's are plain
    ones, with their normalisation at the end.

    Args:
        tokeniser: hyperparameters of the vq-vae, where they are not its defaults
        width: channels of a token
        depth: blocks
        heads: attention heads
        dropout: probability in the blocks

    Example:
        >>> from jetkit.testing import random_batch
        >>> spec = Spec.of(features=("part_pt_log", "part_deta", "part_dphi"), classes=("QCD", "top"))
        >>> model = OmniJet(spec, tokeniser={"codes": 64, "width": 16, "heads": 2}, width=16, depth=1, heads=2)
        >>> model.words, model(random_batch(spec, jets=3).to(dtype=torch.float32)).shape
        (64, torch.Size([3, 16]))
    """

    def __init__(
        self,
        spec: Spec,
        *,
        tokeniser: dict[str, Any] | None = None,
        width: int = 256,
        depth: int = 3,
        heads: int = 8,
        dropout: float = 0.0,
    ) -> None:
        columns(spec, *_SAID)
        try:
            made: VQVAE = create("vq-vae", spec, tokeniser or {}, MODELS)
        except ConfigError as error:
            raise ConfigError(f"tokeniser of omnijet: {error}") from None
        super().__init__(spec, len(made.quantiser.vectors), width=width, depth=depth, heads=heads, dropout=dropout)
        self.tokeniser = made.requires_grad_(False)
        self.vectors = nn.Embedding(self.words, width)

    @property
    def decoders(self) -> tuple[nn.Module, ...]:
        """What says the next word, and the tokeniser, which does not learn."""
        return (self.next_word, self.tokeniser)

    def take_tokeniser(self, tokeniser: VQVAE) -> None:
        """Take over the weights of a trained tokeniser.

        Raises:
            JetkitError: it sees other features, or has other sizes.
        """
        if tokeniser.numbers != self.tokeniser.numbers:
            said, known = ", ".join(tokeniser.numbers), ", ".join(self.tokeniser.numbers)
            raise JetkitError(f"the tokeniser says {said}, these jets have {known}: take the features= of its training")
        mine, theirs = self.tokeniser.state_dict(), tokeniser.state_dict()
        if any(name not in mine or mine[name].shape != value.shape for name, value in theirs.items()):
            raise JetkitError("the tokeniser has other sizes than model.tokeniser says: leave model.tokeniser out")
        self.tokeniser.load_state_dict(mine | theirs)

    def learn_words(self, batches: Iterable[Batch]) -> None:
        """Let the codes of a tokeniser that was not trained be where particles are."""
        self.tokeniser.begin(batches)

    def words_of(self, batch: Batch) -> Int[Tensor, "B N"]:
        """The code of each particle, −1 where padded."""
        return self.tokeniser.codes(batch)

    def embedded(self, words: Int[Tensor, "B N"]) -> Float[Tensor, "B N D"]:
        """A learned vector for each code."""
        vectors: Tensor = self.vectors(words)
        return vectors

    def particles(self, sentences: Sentences) -> Float[Tensor, "B N 3"]:
        """What the decoder makes of each sentence."""
        found = self.tokeniser.decoded(sentences.words.masked_fill(~sentences.mask, -1), sentences.mask)
        log_pt, deta, dphi = (found[..., self.tokeniser.numbers.index(name)] for name in _SAID)
        return torch.stack([pt_of(log_pt), deta, dphi], -1) * sentences.mask.unsqueeze(2)
