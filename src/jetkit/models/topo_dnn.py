"""TopoDNN: a perceptron on the hardest constituents, turned upright."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from jetkit.data.batch import Batch, four_momenta
from jetkit.data.spec import Needs, Spec
from jetkit.errors import JetkitError
from jetkit.models.model import Encoder
from jetkit.nn.hardest import hardest
from jetkit.nn.mlp import mlp
from jetkit.physics import four_vectors as fv
from jetkit.registry import register


def upright(p4: Float[Tensor, "B K 4"]) -> Float[Tensor, "B K 3"]:
    """(pT, η, φ) of particles ordered by pT, after a shift, a rotation and a reflection of their jet.

    The first particle comes to lie along the x axis, at η = φ = 0. All momenta (pT, η, φ), taken as massless, are then
    rotated about the x axis until the second one points to negative φ, at η = 0; this changes pT. Last, η changes its
    sign where Σ pT η < 0. The result is the same for a jet that was shifted in η or φ, or mirrored in one of them. Rows
    of zero momentum stay 0.

    Source: Jet Constituents for Deep Neural Network Based Top Quark Tagging, 2017, arXiv:1704.02124.

    Example:
        >>> pt, eta, phi = torch.tensor([9.0, 5.0, 1.0]), torch.tensor([1.0, 1.3, 1.0]), torch.tensor([3.0, 3.0, -3.0])
        >>> upright(fv.from_ptetaphim(pt, eta, phi, 0 * pt)[None])[0, :2] + 0.0
        tensor([[ 9.0000,  0.0000,  0.0000],
                [ 5.2267,  0.0000, -0.2956]])
    """
    pt, eta, phi = fv.pt(p4), fv.eta(p4), fv.phi(p4)
    shifted = eta - eta[:, :1], fv.delta_phi(phi, phi[:, :1])
    energy, px, py, pz = fv.from_ptetaphim(pt, *shifted, torch.zeros_like(pt)).unbind(-1)
    sine, cosine = _direction(py[:, 1:2], pz[:, 1:2])
    turned = torch.stack([energy, px, -cosine * pz - sine * py, cosine * py - sine * pz], -1)
    pt, eta, phi = fv.pt(turned), fv.eta(turned), fv.phi(turned)
    side = torch.where((pt * eta).sum(1, keepdim=True) < 0, -1, 1)
    return torch.stack([pt, side * eta, phi], -1)


def _direction(py: Float[Tensor, "B 1"], pz: Float[Tensor, "B 1"]) -> tuple[Float[Tensor, "B 1"], Float[Tensor, "B 1"]]:
    """Sine and cosine of the angle of (pz, py), 0 and 1 where both are 0."""
    still = (py == 0) & (pz == 0)
    pz = torch.where(still, 1, pz)
    length = torch.hypot(py, pz)
    return py / length, pz / length


@register(
    "topo-dnn",
    paper="Jet Constituents for Deep Neural Network Based Top Quark Tagging, 2017, arXiv:1704.02124",
    symmetries=("permutation", "rotation-about-beam"),
    broken=("collinear",),
    tiny={"constituents": 20, "widths": (64, 32)},
)
class TopoDNN(Encoder):
    """A perceptron on (pT/scale, η, φ) of the hardest constituents, after `upright`; it sees no other feature.

    59,330 parameters with a head for two classes, or 59,323 with the paper's one output in place of a logit per class.
    Differences of azimuth are taken the short way round.

    Args:
        constituents: number of constituents that are seen, from the hardest down
        widths: widths of the hidden layers
        scale: unit of pT in GeV; the default is the largest pT of a constituent in the paper's training jets

    Raises:
        JetkitError: fewer than two constituents, or a scale that is not positive.

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=(), classes=("QCD", "top"))
        >>> Classify(TopoDNN(spec), spec).size
        59330
    """

    needs = Needs(p4=True)

    def __init__(
        self,
        spec: Spec,
        *,
        constituents: int = 30,
        widths: tuple[int, ...] = (300, 102, 12, 6),
        scale: float = 1679.1593231,
    ) -> None:
        super().__init__(spec)
        if constituents < 2 or not scale > 0:
            raise JetkitError(f"topo-dnn needs constituents >= 2 and scale > 0, got {constituents} and {scale}")
        self.constituents, self.scale = constituents, scale
        self.f = mlp([3 * constituents, *widths])
        self.encoded = widths[-1]

    def encode(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Last hidden layer."""
        p4 = hardest(four_momenta(batch), batch.mask, self.constituents)
        encoded: Tensor = self.f(upright(p4 / self.scale).flatten(1))
        return encoded
