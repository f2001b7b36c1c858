"""LorentzNet: a graph network on four-momenta that is equivariant under the Lorentz group."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import Batch, four_momenta
from jetkit.data.spec import Needs, Spec, columns
from jetkit.models.model import Encoder
from jetkit.nn.minkowski import ClampedLorentzBlock, LorentzBlock, minkowski_square, signed_log
from jetkit.nn.packing import masked_mean
from jetkit.registry import register


class Nodes(NamedTuple):
    """What the network sees: four-vectors, scalars, and which of them are real."""

    p4: Float[Tensor, "B N 4"]
    scalars: Float[Tensor, "B N S"]
    mask: Bool[Tensor, "B N"]


@register(
    "lorentz-net",
    paper="An efficient Lorentz equivariant graph neural network for jet tagging, 2022, arXiv:2201.08187",
    symmetries=("permutation", "rotation-about-beam"),
    broken=("collinear",),
    tiny={"width": 8, "depth": 2},
)
class LorentzNet(Encoder):
    """Blocks of message passing on the complete graph of a jet's particles and two beams (√2, 0, 0, ±1).

    Scalars of a node are (ψ(m), 0) for a particle and (0, ψ(m)) for a beam, or the features named by ``scalars``. The
    output is invariant under every Lorentz transformation of particles and beams together. Sums over real nodes only,
    so that a jet's score does not depend on its batch. 224,072 parameters with beams and a head for two classes.

    Args:
        width: channels of scalars and messages
        depth: number of blocks
        c: size of the update of the four-vectors (the paper: 0.005 for top tagging, 0.001 for quarks and gluons)
        dropout: before the last layer
        beams: whether the two beams are nodes; they leave only rotations about the beam, and boosts of both, free
        scalars: names of features that are the scalars of a particle (none: its mass)

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=("part_deta", "part_dphi"), classes=("QCD", "top"))
        >>> Classify(LorentzNet(spec), spec).size
        224072
    """

    block: type[LorentzBlock] = LorentzBlock

    needs = Needs(p4=True)

    def __init__(
        self,
        spec: Spec,
        *,
        width: int = 72,
        depth: int = 6,
        c: float = 5e-3,
        dropout: float = 0.2,
        beams: bool = True,
        scalars: tuple[str, ...] = (),
    ) -> None:
        super().__init__(spec)
        self.beams = beams
        self._scalars = columns(spec, *scalars)
        size = (len(scalars) or 1) + beams
        self.embed = nn.Linear(size, width)
        self.blocks = nn.ModuleList(self.block(width, size, c, moves=i < depth - 1) for i in range(depth))
        self.f = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout))
        self.encoded = width

    def encode(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Hidden layer on the mean of the scalars of all nodes."""
        x, s, mask = self.nodes(batch)
        h = self.embed(s)
        for block in self.blocks:
            h, x = block(h, x, s, mask)
        encoded: Tensor = self.f(self.pool(h, mask))
        return encoded

    def nodes(self, batch: Batch) -> Nodes:
        """Particles, after the two beams where there are any."""
        p4 = four_momenta(batch)
        if self._scalars:
            s = batch.x[..., self._scalars]
        else:
            s = signed_log(minkowski_square(p4).abs().sqrt()).unsqueeze(-1) * batch.mask.unsqueeze(-1)
        if not self.beams:
            return Nodes(p4, s, batch.mask)
        beams = p4.new_tensor([[math.sqrt(2), 0, 0, 1], [math.sqrt(2), 0, 0, -1]]).expand(len(p4), 2, 4)
        kinds = s.new_zeros(len(p4), 2, s.shape[-1] + 1)
        kinds[..., -1] = math.log(2)  # ψ(1), the mass of a beam being 1
        s = torch.cat([kinds, F.pad(s, (0, 1))], 1)
        return Nodes(torch.cat([beams, p4], 1), s, F.pad(batch.mask, (2, 0), value=True))

    def pool(self, h: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B D"]:
        """Mean over the real nodes."""
        return masked_mean(h, mask)


@register(
    "lorentz-net-published",
    paper="An efficient Lorentz equivariant graph neural network for jet tagging, 2022, arXiv:2201.08187",
    symmetries=("permutation", "rotation-about-beam"),
    broken=("collinear", "padding"),
    tiny={"width": 8, "depth": 2},
)
class LorentzNetPublished(LorentzNet):
    """LorentzNet as its authors' code computes it, for published weights.

    Shifts are held within ±100 GeV, which the paper's equations do not do, and the mean over the nodes is divided by
    the padded length, so that a score depends on the longest jet of the batch (on a batch of one it does not).

    Args:
        width: channels of scalars and messages
        depth: number of blocks
        c: size of the update of the four-vectors (the paper: 0.005 for top tagging, 0.001 for quarks and gluons)
        dropout: before the last layer
        beams: whether the two beams are nodes
        scalars: names of features that are the scalars of a particle (none: its mass)
    """

    block = ClampedLorentzBlock

    def pool(self, h: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B D"]:
        """Sum over the real nodes, divided by the padded length."""
        return (h * mask.unsqueeze(-1)).sum(1) / mask.shape[1]
