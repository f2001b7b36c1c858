"""OmniLearn: name jets and take noise off their particles, at once."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from jetkit.data.batch import Batch
from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.model import Backbone
from jetkit.models.pet import PET, jet_numbers
from jetkit.nn.diffusion import angle, turned
from jetkit.nn.heads import RowHead
from jetkit.nn.processes import shared_mean
from jetkit.registry import register
from jetkit.tasks.pretext import Pretext
from jetkit.tasks.task import TASK, Losses

KINEMATIC = frozenset(feature.name for feature in FEATURE_SETS["kin"])
"""Features that all datasets have."""


@register(
    "omni-learn",
    kind=TASK,
    paper="OmniLearn: A Method to Simultaneously Facilitate All Jet Physics Tasks, 2024, arXiv:2404.16091",
)
class OmniLearn(Pretext):
    """Name a jet, tell its kinematics, say the velocity at which its particles turn to noise, and name it in noise.

    Let y be the class, k = (ln pT, η, ln(1 + m), ln N) of the jet, x the standardised ln pT, Δη and Δφ of its
    particles, x_t = α x + σ ε at a time t ~ U(0, 1) (`jetkit.nn.diffusion`), and v = α ε − σ x. The loss is

        CE(y | x) + ⟨(k̂(x) − k)²⟩ + ⟨|v̂(x_t, t, k, y) − v|²⟩ + α² [CE(y | x_t) + ⟨(k̂(x_t) − k)²⟩],

    and ⟨|v̂(k_t, t, y) − v|²⟩ of a network of its own that draws k. Jets without a label have no cross entropy. In a
    tenth of the jets the features that not all datasets have are 0, and of a tenth the class is not told to v̂.

    Args:
        drop: share of the jets whose features, and of those whose class, are left out

    Raises:
        JetkitError: the model is another than pet, or drop is none.
    """

    model: PET

    def __init__(self, backbone: Backbone, spec: Spec, *, drop: float = 0.1) -> None:
        super().__init__(backbone, spec)
        if not isinstance(backbone, PET):
            raise JetkitError("omni-learn trains the model pet alone: leave model= out")
        if not 0 <= drop < 1:
            raise JetkitError(f"omni-learn needs 0 <= drop < 1, got {drop}")
        self.drop = drop
        self.head = RowHead(backbone.encoded, len(spec.classes)) if spec.classes else None
        self.jet_head = RowHead(backbone.encoded, 4)
        optional = [name not in KINEMATIC for name in backbone.spec.features]
        self.register_buffer("optional", torch.tensor(optional), persistent=False)

    optional: Tensor
    """Which features not all datasets have."""

    @torch.no_grad()
    def prepare(self, batches: Iterable[Batch]) -> None:
        """Standardise particles and jets on these, and count their classes."""
        model, known = self.model, list(batches)
        said = torch.cat([batch.x[..., model.columns_said][batch.mask] for batch in known])
        model.standard.fit(said.to(model.standard.mean))
        model.jet_standard.fit(torch.cat([jet_numbers(batch) for batch in known]).to(model.standard.mean))
        shares = torch.cat([model.label_vector(batch.label) for batch in known]).mean(0)
        model.shares.copy_(shares)

    def loss(self, batch: Batch) -> Losses:
        """All parts."""
        model, mask = self.model, batch.mask
        jet, said = model.jet_numbers(batch), model.said(batch)
        label = model.label_vector(batch.label)
        time = torch.rand(len(batch), dtype=jet.dtype, device=jet.device)
        noisy = turned(said, torch.randn_like(said) * mask.unsqueeze(2), time)
        tokens = model.body(model.with_said(torch.zeros_like(batch.x), noisy.values), mask, time)
        velocity = model.denoise(tokens, mask, time, jet, self._without_some(label))
        noisy_jet = turned(jet, torch.randn_like(jet), time)
        jet_velocity = model.denoise_jet(noisy_jet.values, time, label)
        clean = model.body(self._without_some(model.inputs(batch), self.optional), mask)
        signal = angle(time).cos().square()
        parts = {
            **self._told(clean, batch, jet, torch.ones_like(signal), ""),
            "particles": shared_mean((velocity - noisy.velocity)[mask].float().square()),
            **self._told(tokens, batch, jet, signal, "noisy "),
            "jets": shared_mean((jet_velocity - noisy_jet.velocity).float().square()),
        }
        return Losses(sum(parts.values(), start=torch.zeros(())), {name: one.detach() for name, one in parts.items()})

    def _told(
        self,
        tokens: Float[Tensor, "B N D"],
        batch: Batch,
        jet: Float[Tensor, "B 4"],
        weight: Float[Tensor, " B"],
        which: str,
    ) -> dict[str, Tensor]:
        """Losses of class and kinematics, by name."""
        encoded = self.model.aggregate(tokens, batch)
        kinematics = (self.jet_head(encoded).float() - jet).square().mean(1)
        told = {f"{which}kinematics": shared_mean(weight * kinematics)}
        if self.head is None:
            return told
        named = F.cross_entropy(self.head(encoded).float(), batch.label, reduction="none", ignore_index=-1)
        return {f"{which}class": shared_mean(weight * named), **told}

    def _without_some(self, values: Float[Tensor, "B *any"], at: Tensor | None = None) -> Float[Tensor, "B *any"]:
        """In training, 0 in a share of the jets, at some columns or all of them."""
        if not self.training or not self.drop:
            return values
        gone = torch.rand(len(values), *(1 for _ in values.shape[1:]), device=values.device) < self.drop
        return values.masked_fill(gone if at is None else gone & at, 0)
