"""Say the next particle of a jet, as a word of a language."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.jet_language import JetLanguage
from jetkit.models.model import Backbone
from jetkit.nn.processes import shared_mean
from jetkit.tasks.pretext import Pretext
from jetkit.tasks.task import Losses


class NextWord(Pretext):
    """−⟨ln p(w_i | w_1 … w_{i−1})⟩ over the words and stops of a batch, in nats.

    Raises:
        JetkitError: the model is not the language that the method trains.
    """

    language: ClassVar[type[JetLanguage]]
    name: ClassVar[str]
    """Of the method and of its language."""
    model: JetLanguage

    def __init__(self, backbone: Backbone, spec: Spec) -> None:
        if not isinstance(backbone, self.language):
            raise JetkitError(f"{self.name} trains the model of that name alone: leave model= out")
        super().__init__(backbone, spec)

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Let the language learn its words."""
        self.model.learn_words(batches)

    def loss(self, batch: Batch) -> Losses:
        """Mean over words and stops."""
        total = -shared_mean(self.model.log_probabilities(batch))
        return Losses(total, {"next_word": total.detach()})
