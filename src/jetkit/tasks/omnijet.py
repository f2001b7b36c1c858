"""OmniJet-α, learned word by word."""

from __future__ import annotations

from collections.abc import Iterable

from jetkit.data.cloud import Cloud
from jetkit.errors import JetkitError
from jetkit.models.omnijet import OmniJet
from jetkit.models.tagger import Tagger
from jetkit.models.vq_vae import VQVAE
from jetkit.registry import register
from jetkit.tasks.next_word import NextWord


@register(
    "omnijet",
    kind="pretext",
    paper="OmniJet-α: The first cross-task foundation model for particle physics, 2024, arXiv:2403.05618",
)
class OmniJetPretext(NextWord):
    """Say the code of the next softer particle, or that there is none, from all harder ones."""

    language = OmniJet
    name = "omnijet"
    model: OmniJet
    _knows_words = False

    def take_tokeniser(self, tokeniser: Tagger) -> None:
        """Let its codes be the words.

        Raises:
            JetkitError: it is no vq-vae, or one of other features or sizes.
        """
        if not isinstance(tokeniser, VQVAE):
            raise JetkitError("a tokeniser is what jetkit pretrain vq-vae has made: give its run as tokeniser=")
        self.model.take_tokeniser(tokeniser)
        self._knows_words = True

    def prepare(self, clouds: Iterable[Cloud]) -> None:
        """See that there are words.

        Raises:
            JetkitError: no tokeniser was given.
        """
        if not self._knows_words:
            raise JetkitError("omnijet needs a tokeniser: give tokeniser=RUN of jetkit pretrain vq-vae")
