"""RS3L: jets of one event that was simulated twice lie together, those of other events apart."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec
from jetkit.errors import JetkitError
from jetkit.models.model import Backbone
from jetkit.registry import register
from jetkit.tasks.health import alignment
from jetkit.tasks.jet_clr import contrast
from jetkit.tasks.pretext import Pretext
from jetkit.tasks.task import TASK, Losses


@register(
    "rs3l",
    kind=TASK,
    paper="Re-Simulation-based Self-Supervised Learning for Pre-Training Foundation Models, 2024, arXiv:2403.07066",
    tiny={"hidden": 16},
)
class RS3L(Pretext):
    """Contrastive learning of what a repeated simulation leaves alone.

    The two views of a jet are twins: jets of two simulations that share the hard process, or the parton shower as well
    (`jetkit simulate … twin=`). The loss is that of `jetkit.tasks.jet_clr`, of vectors z that a perceptron makes of
    what the backbone encodes. The log tells the alignment of twins, ⟨|u − v|²⟩ of their normalised vectors, beside it.
    The network is the backbone's, not the paper's graph network.

    Args:
        temperature: τ
        width: of the vectors z
        hidden: width of the hidden layer of the perceptron
    """

    needs: ClassVar[Needs] = Needs(pairs=True)

    def __init__(
        self, backbone: Backbone, spec: Spec, *, temperature: float = 0.1, width: int = 8, hidden: int = 128
    ) -> None:
        super().__init__(backbone, spec)
        if temperature <= 0:
            raise JetkitError(f"rs3l needs temperature > 0, got {temperature}")
        self.temperature = temperature
        encoded = backbone.encoded
        self.project = nn.Sequential(nn.Linear(encoded, hidden), nn.ReLU(), nn.Linear(hidden, width))

    def loss(self, batch: Batch) -> Losses:
        """The normalised temperature-scaled cross entropy of the pairs of a batch.

        Raises:
            JetkitError: the jets of the batch are not twins, one after the other.
        """
        pair = batch.index.pair
        if pair is None or not torch.equal(pair[0::2], pair[1::2]):
            raise JetkitError("rs3l learns from pairs of twins: give it batches of a loader with twins=True")
        z = self.project(self.model.encode(batch))
        first, second = z[0::2], z[1::2]
        loss = contrast(first, second, self.temperature)
        together = torch.tensor(alignment(first.detach().float(), second.detach().float()))
        return Losses(loss, {"contrast": loss.detach(), "alignment": together})
