"""PELICAN: a network on the Lorentz products of all pairs of particles, equivariant under permutations."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import Batch, four_momenta
from jetkit.data.spec import Needs, Spec
from jetkit.errors import JetkitError
from jetkit.models.model import Encoder
from jetkit.nn.box_cox import BoxCox
from jetkit.nn.dropout import Dropout
from jetkit.nn.minkowski import minkowski_products, minkowski_square
from jetkit.nn.pair_tables import SLOPE, PairTables
from jetkit.nn.permutation_equivariant import PairAggregation, PairPooling, ParticleExpansion
from jetkit.nn.precision import full_precision
from jetkit.registry import register

Inputs = tuple[PairTables, Float[Tensor, "P C"], Float[Tensor, "M 1"]]
"""Layout, a table of each jet, and the weights of particles in sums."""


@register(
    "pelican",
    paper="PELICAN: Permutation Equivariant and Lorentz Invariant or Covariant Aggregator Network for Particle "
    "Physics, 2022, arXiv:2211.00454",
    symmetries=("permutation", "lorentz"),
    broken=("soft", "collinear"),
    tiny={"width": 8, "channels": 6, "depth": 2, "dropout": 0.0},
)
class Pelican(Encoder):
    """Tables of p_i·p_j through blocks: a message for each pair, then all 15 permutation-equivariant maps of tables.

    A message is linear, LeakyReLU, batch normalisation and dropout; the maps are those of
    :class:`jetkit.nn.permutation_equivariant.PairAggregation`. Sums over particles are means times learned powers of
    the multiplicity, so that a score depends on its own jet only. 208,652 parameters with a head for two classes;
    smaller sizes of the authors are (width, channels) = (60, 35), (42, 25), (25, 15), (16, 10) and (11, 7).

    The authors' code has its last LeakyReLU on the logits; here it is before the last layer.

    Args:
        width: channels of a table
        channels: of a message
        depth: blocks
        dropout: after each message, and before the last layer
        mean_multiplicity: typical number of particles of a jet

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=("part_deta", "part_dphi"), classes=("QCD", "top"))
        >>> Classify(Pelican(spec), spec).size
        208652
    """

    offset: ClassVar[float] = 1.0
    """ε of the encoding of products."""
    counts_particles: ClassVar[bool] = True
    """Whether the multiplicity may be seen, and the diagonal be written on."""

    needs = Needs(p4=True)

    def __init__(
        self,
        spec: Spec,
        *,
        width: int = 132,
        channels: int = 78,
        depth: int = 5,
        dropout: float = 0.025,
        mean_multiplicity: float = 49.0,
    ) -> None:
        super().__init__(spec)
        self.width, self.mean_multiplicity = width, mean_multiplicity
        n = mean_multiplicity if self.counts_particles else None
        self.encoding = BoxCox(width, self.offset)
        self.messages = nn.ModuleList(_message(width, channels, dropout) for _ in range(depth + 1))
        self.aggregations = nn.ModuleList(PairAggregation(channels, width, n) for _ in range(depth))
        self.pooling = PairPooling(channels, width, n)
        self.f = nn.Sequential(nn.LeakyReLU(SLOPE), Dropout(dropout))
        self.encoded = width

    def encode(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Hidden layer on trace and total of the last table."""
        tables, x, weight = self.inputs(batch)
        for message, aggregation in zip(self.messages, self.aggregations, strict=False):
            x = aggregation(message(x), weight, tables)
        encoded: Tensor = self.f(self.pooling(self.messages[-1](x), weight, tables))
        return encoded[tables.order.argsort()]

    def inputs(self, batch: Batch) -> Inputs:
        """Encoded products p_i·p_j, and the weights 1/n of a mean."""
        tables = PairTables.of(batch.mask, self.width)
        products = _products(tables.pack(four_momenta(batch), batch.mask), tables)
        weight = 1 / tables.multiplicity[tables.jet].to(products.dtype)
        return tables, self.encoding(products), weight.unsqueeze(1)


def _message(width: int, channels: int, dropout: float) -> nn.Sequential:
    """Of each pair by itself."""
    return nn.Sequential(
        nn.Linear(width, channels), nn.LeakyReLU(SLOPE, inplace=True), nn.BatchNorm1d(channels), Dropout(dropout)
    )


def _products(p4: Float[Tensor, "M 4"], tables: PairTables) -> Float[Tensor, "P 1"]:
    """p_i·p_j of all pairs."""
    with full_precision(p4):
        return torch.cat([minkowski_products(array).reshape(-1, 1) for array in tables.particles(p4)])


@register(
    "pelican-so2",
    paper="Explainable Equivariant Neural Networks for Particle Physics: PELICAN, 2023, arXiv:2307.16506",
    symmetries=("permutation", "rotation-about-beam"),
    broken=("soft", "collinear", "boost-along-beam", "lorentz"),
    tiny={"width": 12, "channels": 6, "depth": 2, "dropout": 0.0, "label_channels": 4},
)
class PelicanSO2(Pelican):
    """PELICAN that knows the beam and the laboratory: two spurions, (1, 0, 0, 0) and (0, 0, 0, 1), join the particles.

    What an object is, a particle or one of the spurions, enters through :class:`ParticleExpansion`. Only rotations
    about the beam leave the score alone. 208,797 parameters with a head for two classes; other sizes of the authors are
    (width, channels, label_channels) = (60, 35, 10) with 48,482, (42, 25, 10) with 26,494, (25, 15, 10) with 11,347,
    (16, 10, 10) with 5,933 and (11, 7, 7) with 3,510.

    Args:
        label_channels: channels of the table that tell what the two objects of a pair are

    Raises:
        JetkitError: no channels are left for the products.

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=("part_deta", "part_dphi"), classes=("QCD", "top"))
        >>> Classify(PelicanSO2(spec), spec).size
        208797
    """

    def __init__(self, spec: Spec, *, label_channels: int = 10, **options: Any) -> None:
        super().__init__(spec, **options)
        if not 0 < label_channels < self.width:
            raise JetkitError(
                f"label_channels should be below the width {self.width} and positive, got {label_channels}"
            )
        self.encoding = BoxCox(self.width - label_channels)
        self.labels = ParticleExpansion(3, label_channels, self.mean_multiplicity)

    def inputs(self, batch: Batch) -> Inputs:
        """Encoded products of particles and spurions, and channels that tell them apart."""
        p4 = four_momenta(batch)
        spurions = p4.new_tensor([[1, 0, 0, 0], [0, 0, 0, 1]]).expand(len(p4), 2, 4)
        mask = F.pad(batch.mask, (2, 0), value=True)
        tables, encoded, weight = super().inputs(
            Batch.of(x=F.pad(batch.x, (0, 0, 2, 0)), mask=mask, p4=torch.cat([spurions, p4], 1))
        )
        kinds = F.pad(torch.zeros_like(batch.mask, dtype=torch.long), (2, 0), value=1)
        kinds[:, 0] = 2
        labels = F.one_hot(tables.pack(kinds, mask), 3).to(p4.dtype)
        return tables, torch.cat([encoded, self.labels(labels, weight, tables).to(encoded.dtype)], 1), weight


@register(
    "pelican-irc",
    paper="Explainable Equivariant Neural Networks for Particle Physics: PELICAN, 2023, arXiv:2307.16506",
    symmetries=("permutation", "soft", "collinear", "lorentz"),
    tiny={"width": 8, "channels": 6, "depth": 2, "dropout": 0.0},
)
class PelicanIRC(Pelican):
    """PELICAN that is safe from soft particles and collinear splittings, exactly: in evaluation, for every weight.

    With the jet's momentum P and mass M, w_i = p_i·P/M² is the share of energy in the jet's rest frame. Tables begin
    with 2 p_i·p_j/(w_i w_j M²), for massless particles 2(1 − cos θ_ij) in that frame; sums are weighted by w and know
    no multiplicity; nothing is put on the diagonal. The authors' code keeps the maps to the diagonal and its bias,
    which notice a collinear splitting, and uses a soft-drop multiplicity. In training the batch normalisations do see
    the multiplicity: their means are over all pairs alike.

    Args:
        width: channels of a table
        channels: of a message
        depth: blocks
        dropout: after each message, and before the last layer

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=("part_deta", "part_dphi"), classes=("QCD", "top"))
        >>> Classify(PelicanIRC(spec), spec).size
        198686
    """

    offset = 1e-5
    counts_particles = False

    def __init__(
        self, spec: Spec, *, width: int = 132, channels: int = 78, depth: int = 5, dropout: float = 0.025
    ) -> None:
        super().__init__(spec, width=width, channels=channels, depth=depth, dropout=dropout)

    def inputs(self, batch: Batch) -> Inputs:
        """Encoded angles in the jet's rest frame, and shares of energy there."""
        tables = PairTables.of(batch.mask, self.width)
        p4 = tables.pack(four_momenta(batch), batch.mask)
        jet = tables.total(p4)
        mass2 = minkowski_square(jet).clamp(min=0)[tables.jet]
        product = 2 * p4[:, 0] * jet[tables.jet, 0] - (p4 * jet[tables.jet]).sum(1)  # p_i·P
        share = torch.where(mass2 > 0, product / mass2, 0).clamp(min=0)
        unit = p4 * torch.where(product > 0, mass2.sqrt() / product, 0).unsqueeze(1)  # of energy 1 in the rest frame
        return tables, self.encoding(2 * _products(unit, tables)), share.unsqueeze(1)
