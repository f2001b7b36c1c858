"""Learning to say particles by codes: the tokens of masked particle modelling and of generation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import torch
from torch import Tensor

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.model import Backbone
from jetkit.models.vq_vae import VQVAE
from jetkit.nn.processes import shared_mean
from jetkit.nn.vector_quantiser import perplexity
from jetkit.registry import register
from jetkit.tasks.pretext import Pretext
from jetkit.tasks.task import TASK, Losses, Predictions


@register(
    "vq-vae",
    kind=TASK,
    paper="Masked Particle Modeling on Sets, 2024, arXiv:2401.13537",
)
class VQVAEPretext(Pretext):
    """Give back each particle of a jet from one code a particle.

    The loss is ⟨|x̂ − x|⟩ over particles and standardised numbers, or their mean square error, plus α times that of the
    quantiser (`jetkit.nn.vector_quantiser`). Before the training begins, the numbers are standardised on training
    jets, and k-means puts the codes where the untrained encoder has their particles. The log tells of the validation
    jets how many codes are used, and their perplexity: how many equally frequent ones would be as diverse.

    Args:
        reconstruction: mean absolute (l1) or mean square (mse) error
        commitment: α

    Raises:
        JetkitError: the model has no codes, or α is negative.
    """

    model: VQVAE

    def __init__(
        self, backbone: Backbone, spec: Spec, *, reconstruction: Literal["l1", "mse"] = "l1", commitment: float = 10.0
    ) -> None:
        super().__init__(backbone, spec)
        if not isinstance(backbone, VQVAE):
            raise JetkitError("the method vq-vae learns the codes of the model vq-vae: write model=vq-vae")
        if commitment < 0:
            raise JetkitError(f"commitment of vq-vae should not be negative, got {commitment}")
        self._power = 1 if reconstruction == "l1" else 2
        self.commitment = commitment

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Standardise the numbers on these jets, and put the codes where their particles are."""
        self.model.begin(batches)

    def loss(self, batch: Batch) -> Losses:
        """Reconstruction and commitment."""
        made = self.model.autoencoded(batch)
        parts = {
            "reconstruction": shared_mean((made.found.float() - made.wanted.float()).abs() ** self._power),
            "commitment": made.quantised.loss,
        }
        total = parts["reconstruction"] + self.commitment * parts["commitment"]
        return Losses(total, {name: value.detach() for name, value in parts.items()})

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Losses of the batch, embeddings of its jets, and how often each code is used."""
        codes = self.model.codes(batch)[batch.mask]
        return super().predict(batch) | {"usage": torch.bincount(codes, minlength=len(self.model.quantiser.vectors))}

    def watch(self, predictions: Predictions) -> dict[str, float]:
        """Mean losses, the health of the embeddings, and the use of the codes.

        Raises:
            JetkitError: there are no jets, or the encoder has collapsed.
        """
        usage = torch.zeros(len(self.model.quantiser.vectors), dtype=torch.long)

        def counted() -> Iterator[tuple[Batch, Mapping[str, Tensor]]]:
            for batch, each in predictions:
                usage.add_(each["usage"].cpu())
                yield batch, each

        numbers = super().watch(counted())
        return numbers | {"perplexity": perplexity(usage).item(), "used_codes": float((usage > 0).sum())}
