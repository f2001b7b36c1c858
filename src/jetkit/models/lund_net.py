"""LundNet: a graph network on the tree of all splittings of a jet."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec
from jetkit.models.model import Encoder
from jetkit.nn.graph_convolution import GraphConvolution
from jetkit.nn.mlp import mlp
from jetkit.nn.packing import masked_mean, pad
from jetkit.observables.lund_splittings import lund_splittings
from jetkit.physics.lund import Coordinate
from jetkit.registry import register


@register(
    "lund-net",
    paper="Jet tagging in the Lund plane with graph networks, 2020, arXiv:2012.08526",
    symmetries=("permutation", "rotation-about-beam", "boost-along-beam"),
    broken=("collinear",),
    tiny={"widths": (16, 32), "fusion": 32, "f": 32},
)
class LundNet(Encoder):
    """Edge convolutions on the Cambridge/Aachen tree, whose nodes are splittings in their Lund coordinates.

    A node is joined to the splitting that made its branch and to those of its own two branches. Six blocks of two
    layers each, all their outputs in one layer, the mean over the splittings, one hidden layer. The default is
    LundNet-3 with 391,528 parameters, a head for two classes included; with
    coordinates=[ln_z,ln_delta,psi,ln_mass,ln_kt] it is LundNet-5 with 391,724. Of a batch it uses the four-momenta
    alone. ψ is an angle of the full circle, and azimuths differ the short way round, other than in the authors' code. A
    jet without splittings has one node, whose coordinates are 0. With kt_min > 0 the output is infrared and collinear
    safe.

    Args:
        coordinates: of a splitting, of ln_delta, ln_z, ln_kt, ln_kappa, ln_mass, psi
        kt_min: least kT of a splitting in GeV; of any other the softer branch is dropped
        widths: width of the two layers of each block
        fusion: width of the layer on the outputs of all blocks
        f: width of the hidden layer of the classifier
        dropout: after the hidden layer

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=(), classes=("QCD", "top"))
        >>> Classify(LundNet(spec), spec).size
        391528
    """

    needs = Needs(p4=True)

    def __init__(
        self,
        spec: Spec,
        *,
        coordinates: tuple[Coordinate, ...] = ("ln_z", "ln_delta", "ln_kt"),
        kt_min: float = 0.0,
        widths: tuple[int, ...] = (32, 32, 64, 64, 128, 128),
        fusion: int = 384,
        f: int = 256,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(spec)
        self.coordinates, self.kt_min = coordinates, kt_min
        self.norm = nn.BatchNorm1d(len(coordinates))
        self.blocks = nn.ModuleList(GraphConvolution(a, (b, b)) for a, b in pairwise([len(coordinates), *widths]))
        self.fusion = nn.Sequential(*mlp([sum(widths), fusion]), nn.BatchNorm1d(fusion))
        self.f = nn.Sequential(*mlp([fusion, f]), nn.Dropout(dropout))
        self.encoded = f

    def encode(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Hidden layer on the mean over the splittings."""
        splittings = lund_splittings(batch, self.coordinates, kt_min=self.kt_min)
        edges, x, outputs = splittings.edges, self.norm(splittings.x), []
        for block in self.blocks:
            x = block(x, edges)
            outputs.append(x)
        x = self.fusion(torch.cat(outputs, 1))
        encoded: Tensor = self.f(masked_mean(pad(x, splittings.mask), splittings.mask))
        return encoded
