"""LGN: a network whose layers multiply irreducible representations of the Lorentz group."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from itertools import pairwise, product

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import Batch, four_momenta
from jetkit.data.spec import Needs, Spec
from jetkit.errors import JetkitError
from jetkit.models.lorentz_net import Nodes
from jetkit.models.model import Encoder
from jetkit.nn.lorentz_irreps import (
    Covariants,
    Irrep,
    Terms,
    coupled,
    invariant_square,
    products,
    separate,
    vector_irrep,
)
from jetkit.nn.minkowski import minkowski_square
from jetkit.nn.pair_tables import SLOPE, PairTables
from jetkit.nn.precision import full_precision
from jetkit.nn.radial_filters import RadialFilters
from jetkit.physics.four_vectors import safe_sqrt
from jetkit.registry import register

SCALAR, VECTOR = (0, 0), (1, 1)


class CovariantLayer(nn.Module):
    """t_i ← W (Σ_j f⁰(s_ij) t_j ⊕ Σ_j f¹(s_ij) (p_i − p_j) ⊗ t_j ⊕ t_i ⊕ t_i ⊗ t_i), s_ij = |(p_i − p_j)²|.

    ⊗ multiplies channel by channel, and keeps the irreps (k, n) with k, n < ``maxdim``; W are complex and mix the
    channels of each irrep. A multilayer perceptron on real and imaginary parts of the scalars follows.

    Args:
        irreps: of the input
        channels: of each irrep of input and output
        maxdim: limit of k and n
        bells: functions of s that make up f
        depth: hidden layers of the perceptron
        width: of them, in numbers of scalars
    """

    def __init__(
        self, irreps: list[Irrep], channels: tuple[int, int], maxdim: int, bells: int, depth: int, width: int
    ) -> None:
        super().__init__()
        self.maxdim = maxdim
        self.filters = RadialFilters(bells, 2, channels[0])
        multiplicity = _multiplicity(irreps, maxdim)
        self.irreps = sorted(multiplicity)
        self.mix = nn.ParameterDict(
            {_key(irrep): _mixing(irrep, channels[1], channels[0] * multiplicity[irrep]) for irrep in self.irreps}
        )
        self.mlp = _scalar_mlp(2 * channels[1], depth, width)

    def forward(
        self, t: Covariants, p: Covariants, squares: Float[Tensor, " P"], tables: PairTables
    ) -> dict[Irrep, Complex[Tensor, "d C M"]]:
        """The next t."""
        found = defaultdict(list)
        for irrep, part in (*self.collected(t, p, squares, tables), *t.items(), *products(t, t, self.maxdim)):
            found[irrep].append(part)
        mixed = {irrep: torch.complex(*self.mix[_key(irrep)]) @ torch.cat(found[irrep], 1) for irrep in self.irreps}
        numbers = torch.view_as_real(mixed[SCALAR][0].T.contiguous())  # (M, C, 2)
        scalars = self.mlp(numbers.flatten(1)).view_as(numbers)
        return mixed | {SCALAR: torch.view_as_complex(scalars).T.unsqueeze(0)}

    def collected(self, t: Covariants, p: Covariants, squares: Float[Tensor, " P"], tables: PairTables) -> Terms:
        """The two sums over j; p_i leaves the second one, which is then a product of matrices."""
        own, zonal = torch.cat([*t.values()]), products(p, t, self.maxdim)
        near, far = self.filters(squares, [own, torch.cat([own, *(part for _, part in zonal)])], tables)
        far, of_zonal = far[: len(own)], far[len(own) :]
        begun = products(p, dict(separate([*t], far)), self.maxdim)
        ended = separate([irrep for irrep, _ in zonal], of_zonal)
        return separate([*t], near) + [(irrep, x - y) for (irrep, x), (_, y) in zip(begun, ended, strict=True)]


def _multiplicity(irreps: list[Irrep], maxdim: int) -> Counter[Irrep]:
    """Number of terms of each irrep."""
    pairs = [(VECTOR, irrep) for irrep in irreps] + list(product(irreps, irreps))
    return Counter(irreps * 2 + [irrep for pair in pairs for irrep in coupled(*pair, maxdim)])


def _key(irrep: Irrep) -> str:
    return "_".join(map(str, irrep))


def _mixing(irrep: Irrep, out: int, into: int) -> nn.Parameter:
    """Real and imaginary part of W, small at first, and ever smaller for higher powers of the momenta."""
    k, n = irrep
    return nn.Parameter(torch.randn(2, out, into) / max(2, out, into) / (10**k if k == n else 1))


def _scalar_mlp(numbers: int, depth: int, width: int) -> nn.Sequential:
    """As many numbers out as in; the hidden layers are ``width`` times as wide."""
    widths = [numbers, *[width * numbers] * depth]
    hidden = [layer for pair in pairwise(widths) for layer in (nn.Linear(*pair), nn.LeakyReLU(SLOPE))]
    return nn.Sequential(*hidden, nn.Linear(widths[-1], numbers))


@register(
    "lgn",
    paper="Lorentz Group Equivariant Neural Network for Particle Physics, 2020, arXiv:2006.04780",
    symmetries=("permutation", "rotation-about-beam"),
    broken=("soft", "collinear", "boost-along-beam", "lorentz"),
    tiny={"channels": (2, 3, 2), "bells": 6, "scale": 0.05},
)
class LGN(Encoder):
    """Layers of products of complex irreps of the Lorentz group, from the masses of particles and of two beams.

    The jet is the sum over its nodes of all scalars, and of the invariant squares of all other irreps, after the input
    and after each layer. A node begins with its mass and a sign, +1 for the beams (√2, 0, 0, ±1). The output is
    invariant under every proper Lorentz transformation of particles and beams together. 4,646 parameters with a head
    for two classes; 4,518 with channels (2, 4, 4, 2).

    In the authors' code padded places take part after the first layer; here a jet's score does not depend on its batch.

    Args:
        channels: of each irrep, at the input and after each layer
        maxdim: irreps (k, n) have k, n below it
        bells: functions a + b/(1 + c²s) of a pair, twice the ``num_basis_fn`` of the authors' code
        depth: hidden layers of the perceptron on scalars
        width: of these layers, in numbers of scalars
        scale: of the momenta, 1/GeV
        beams: whether the two beams are nodes; they leave only rotations about the beam, and boosts of both, free

    Raises:
        JetkitError: there is no layer, or no room for four-vectors.

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=("part_deta", "part_dphi"), classes=("QCD", "top"))
        >>> Classify(LGN(spec), spec).size
        4646
    """

    needs = Needs(p4=True)

    def __init__(
        self,
        spec: Spec,
        *,
        channels: tuple[int, ...] = (2, 3, 4, 3),
        maxdim: int = 3,
        bells: int = 20,
        depth: int = 3,
        width: int = 2,
        scale: float = 0.005,
        beams: bool = True,
    ) -> None:
        super().__init__(spec)
        if len(channels) < 2 or maxdim < 2:
            raise JetkitError(f"channels should be two or more numbers and maxdim at least 2, got {channels}, {maxdim}")
        self.scale, self.beams, self.bells = scale, beams, bells
        self.embed = nn.Linear(1 + beams, 2 * channels[0])
        irreps, scalars, layers = [SCALAR], channels[0], []
        for pair in pairwise(channels):
            layers.append(CovariantLayer(irreps, pair, maxdim, bells, depth, width))
            irreps = layers[-1].irreps
            scalars += len(irreps) * pair[1]
        self.layers = nn.ModuleList(layers)
        self.encoded = 2 * scalars

    def encode(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Sum over the nodes of all invariants, real and imaginary parts."""
        p4, s, mask = self.nodes(batch)
        tables = PairTables.of(mask, self.bells)
        with full_precision(p4):
            p4, s = tables.pack(p4, mask), tables.pack(s, mask)
            squares, p = _squares(p4, tables), {VECTOR: vector_irrep(p4).unsqueeze(1)}
            embedded = torch.view_as_complex(self.embed(s).view(len(s), -1, 2))
            t: Covariants = {SCALAR: embedded.T.unsqueeze(0)}
            invariants = _invariants(t)
            for layer in self.layers:
                t = layer(t, p, squares, tables)
                invariants += _invariants(t)
            numbers = torch.view_as_real(torch.cat(invariants).T.contiguous())
            return tables.total(numbers.flatten(1))[tables.order.argsort()]

    def nodes(self, batch: Batch) -> Nodes:
        """Scaled momenta of the particles, after the two beams where there are any."""
        p4, mask = four_momenta(batch), batch.mask
        if self.beams:
            beams = p4.new_tensor([[math.sqrt(2), 0, 0, 1], [math.sqrt(2), 0, 0, -1]]).expand(len(p4), 2, 4)
            p4, mask = torch.cat([beams, p4], 1), F.pad(mask, (2, 0), value=True)
        p4 = p4 * self.scale
        s = safe_sqrt(minkowski_square(p4).abs()).unsqueeze(-1)
        if self.beams:
            kind = s.new_tensor([1.0, 1.0, *[-1.0] * batch.mask.shape[1]])
            s = torch.cat([s, kind.unsqueeze(1).expand_as(s)], -1)
        return Nodes(p4, s, mask)


def _squares(p4: Float[Tensor, "M 4"], tables: PairTables) -> Float[Tensor, " P"]:
    """|(p_i − p_j)²| of all pairs."""
    return torch.cat([minkowski_square(p.unsqueeze(2) - p.unsqueeze(1)).flatten() for p in tables.particles(p4)]).abs()


def _invariants(t: Covariants) -> list[Complex[Tensor, "C M"]]:
    """Scalars, and the invariant squares of the other irreps."""
    return [part[0] if irrep == SCALAR else invariant_square(irrep, part) for irrep, part in t.items()]
