"""JetCLR: views of one jet lie together, those of other jets apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.model import Backbone
from jetkit.nn.processes import gathered
from jetkit.registry import register
from jetkit.tasks.augmentations import View, batch_of, joined, rotated, softened, split, translated, view_of
from jetkit.tasks.health import alignment
from jetkit.tasks.pretext import Pretext
from jetkit.tasks.task import TASK, Losses

Change = Callable[[View], View]
Augmentation = Literal["rotation", "translation", "soft", "collinear"]


@register(
    "jet-clr",
    kind=TASK,
    paper="Symmetries, Safety, and Self-Supervision, 2021, arXiv:2108.04253",
    tiny={"width": 8},
)
class JetCLR(Pretext):
    """Contrastive learning of what rotations, translations, soft and collinear radiation leave alone.

    Of each jet there are two views (`jetkit.tasks.augmentations`): one rotated and translated, the other rotated twice,
    split collinearly twice, its soft constituents smeared, and translated. With the vectors z of the 2N views of a
    batch, from a perceptron on what the backbone encodes, s(a, b) = a·b/|a||b| and j(i) the other view of the same jet,

        L = −(1/2N) Σ_i ln [e^{s(z_i, z_{j(i)})/τ} / Σ_{k≠i} e^{s(z_i, z_k)/τ}].

    Both views go through the backbone as one batch: a batch normalisation of each by itself would take away what sets
    them apart, which it does not in a validation. The log tells the alignment of the two views, ⟨|u − v|²⟩ of their
    normalised vectors, beside it. The network is the backbone's; the paper's is the backbone `jet-clr`.

    Args:
        augmentations: those that are used
        temperature: τ
        width: of the vectors z
        shift: largest translation, in units of the extent of the jet
        softness: smearing of a constituent of 1 GeV, in GeV
        length: number of constituents that fewer are split up to; of a jet that has as many none is split
    """

    def __init__(
        self,
        backbone: Backbone,
        spec: Spec,
        *,
        augmentations: tuple[Augmentation, ...] = ("rotation", "translation", "soft", "collinear"),
        temperature: float = 0.1,
        width: int = 128,
        shift: float = 1.0,
        softness: float = 0.1,
        length: int = 50,
    ) -> None:
        super().__init__(backbone, spec)
        if temperature <= 0 or shift < 0 or softness < 0 or length < 2:
            raise JetkitError("jet-clr needs temperature > 0, shift >= 0, softness >= 0 and length >= 2")
        self.augmentations, self.temperature = frozenset(augmentations), temperature
        self.shift, self.softness, self.length = shift, softness, length
        encoded = backbone.encoded
        self.project = nn.Sequential(nn.Linear(encoded, width), nn.ReLU(), nn.Linear(width, width))

    def loss(self, batch: Batch) -> Losses:
        """The normalised temperature-scaled cross entropy of the batch."""
        jets = batch.select(torch.arange(len(batch), device=batch.mask.device).repeat(2))
        views = batch_of(joined(*self.views(batch)), jets, self.model.spec)
        first, second = self.project(self.model.encode(views)).chunk(2)
        loss = contrast(first, second, self.temperature)
        together = torch.tensor(alignment(first.detach().float(), second.detach().float()))
        return Losses(loss, {"contrast": loss.detach(), "alignment": together})

    def views(self, batch: Batch) -> tuple[View, View]:
        """Two views of each jet."""
        first = self._if("rotation", rotated)(view_of(batch))
        second = self._if("rotation", rotated)(first)
        for _ in range(2):
            second = self._if("collinear", lambda view: split(view, self.length))(second)
        second = self._if("soft", lambda view: softened(view, self.softness))(second)
        move = self._if("translation", lambda view: translated(view, self.shift))
        return move(first), move(second)

    def _if(self, name: Augmentation, change: Change) -> Change:
        """The change, or none where it is not used."""
        return change if name in self.augmentations else lambda view: view


def contrast(first: Float[Tensor, "N D"], second: Float[Tensor, "N D"], temperature: float) -> Float[Tensor, ""]:
    """The normalised temperature-scaled cross entropy of N pairs, and of those of the other processes.

    Source: A Simple Framework for Contrastive Learning of Visual Representations, 2020, arXiv:2002.05709.

    Example:
        >>> contrast(torch.eye(4), torch.eye(4), 0.1)
        tensor(0.0003)
    """
    views = [gathered(view if view.dtype == torch.float64 else view.float()) for view in (first, second)]
    z = F.normalize(torch.cat(views), dim=1)
    likeness = (z @ z.T / temperature).fill_diagonal_(-torch.inf)
    partner = torch.arange(len(z), device=z.device).roll(len(z) // 2)
    return F.cross_entropy(likeness, partner)
