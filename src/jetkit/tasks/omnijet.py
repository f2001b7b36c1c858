"""OmniJet-α, learned word by word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from torch import nn

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.model import Backbone
from jetkit.models.omnijet import OmniJet
from jetkit.models.vq_vae import VQVAE
from jetkit.registry import register
from jetkit.tasks.next_word import NextWord
from jetkit.tasks.task import TASK


@register(
    "omnijet",
    kind=TASK,
    paper="OmniJet-α: The first cross-task foundation model for particle physics, 2024, arXiv:2403.05618",
)
class OmniJetPretext(NextWord):
    """Say the code of the next softer particle, or that there is none, from all harder ones.

    Raises:
        JetkitError: the tokeniser that ``parts`` should hold is absent, no vq-vae, or one of other features or sizes.
    """

    language = OmniJet
    name = "omnijet"
    model: OmniJet

    def __init__(
        self, backbone: Backbone, spec: Spec, *, parts: Mapping[str, nn.Module] = MappingProxyType({})
    ) -> None:
        super().__init__(backbone, spec)
        tokeniser = parts.get("tokeniser")
        if tokeniser is None:
            raise JetkitError("omnijet needs a tokeniser: give tokeniser=RUN of jetkit pretrain vq-vae")
        if not isinstance(tokeniser, VQVAE):
            raise JetkitError("a tokeniser is what jetkit pretrain vq-vae has made: give its run as tokeniser=")
        self.model.take_tokeniser(tokeniser)

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Do nothing: the words are the codes of the tokeniser."""
