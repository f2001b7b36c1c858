"""Classifiers on boost-invariant polynomials."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor

from jetkit.data.batch import Batch, four_momenta
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.boosted_trees import BoostedTrees
from jetkit.models.observable_network import ObservableNetwork
from jetkit.nn.mlp import mlp
from jetkit.physics.boost_invariants import Product, boost_invariants, invariant_products
from jetkit.registry import register

PAPER = "BIP: Boost Invariant Polynomials for Efficient Jet Tagging, 2022, arXiv:2207.08272"


@register(
    "bip",
    paper=PAPER,
    symmetries=("permutation", "rotation-about-beam", "soft"),
    broken=("collinear", "boost-along-beam"),
    tiny={"order": 2, "levels": 4},
)
class BIP(ObservableNetwork):
    """A perceptron on the boost-invariant polynomials of a jet.

    Of 312 polynomials (`jetkit.physics.boost_invariants`) the constant is left out. The others do not change when the
    jet is rotated or boosted along its axis. 3,926 parameters with a head for two classes: the authors' widths are not
    known, but those of their perceptron add up to about 4k.

    Args:
        order: most factors A_kln of a polynomial
        levels: largest sum of k + |l| + |n| over its factors
        n_pt: largest degree k in ln κ
        n_th: largest frequency |l| in the azimuth about the axis
        n_y: largest frequency |n| in the rapidity along the axis
        f: widths of the perceptron before the last layer

    Example:
        >>> model = BIP(Spec.of(features=(), classes=("QCD", "top")))
        >>> model.f[0]
        Linear(in_features=311, out_features=12, bias=True)
    """

    def __init__(
        self,
        spec: Spec,
        *,
        order: int = 3,
        levels: int = 6,
        n_pt: int = 5,
        n_th: int = 3,
        n_y: int = 3,
        f: tuple[int, ...] = (12, 12),
    ) -> None:
        if order < 1:
            raise JetkitError(f"bip needs an order of 1 or more, got {order}")
        products = invariant_products(order=order, levels=levels, n_pt=n_pt, n_th=n_th, n_y=n_y)
        numbers = len(products) - 1
        super().__init__(spec, observables=numbers, f=mlp([numbers, *f]), width=f[-1], eps=1e-12)
        self.products = products

    def observables(self, batch: Batch) -> Float[Tensor, "B D"]:
        """The polynomials but the constant."""
        return cloud_invariants(batch, self.products).detach()


@register(
    "bip-bdt",
    kind="estimator",
    paper=PAPER,
    symmetries=("permutation", "rotation-about-beam", "soft"),
    broken=("collinear", "boost-along-beam"),
    tiny={"order": 2, "levels": 4, "trees": 10, "leaves": 8},
)
class BipBDT(BoostedTrees):
    """Gradient-boosted trees on the same polynomials as `BIP`, with its n_pt, n_th and n_y.

    Args:
        order: most factors A_kln of a polynomial
        levels: largest sum of k + |l| + |n| over its factors

    Example:
        >>> model = BipBDT(Spec.of(features=(), classes=("QCD", "top")), trees=10)
        >>> len(model.products)
        312
    """

    def __init__(self, spec: Spec, *, order: int = 3, levels: int = 6, **options: Any) -> None:
        super().__init__(spec, **options)
        if order < 1:
            raise JetkitError(f"bip-bdt needs an order of 1 or more, got {order}")
        self.products = invariant_products(order=order, levels=levels)

    def observables(self, batch: Batch) -> Float[Tensor, "B D"]:
        """The polynomials but the constant."""
        return cloud_invariants(batch, self.products).detach()


def cloud_invariants(batch: Batch, products: tuple[Product, ...]) -> Float[Tensor, "B products-1"]:
    """The polynomials of a batch but the constant, computed in double precision."""
    table: Tensor = boost_invariants(four_momenta(batch).double(), batch.mask, products)[:, 1:]
    return table.to(batch.x.dtype)
