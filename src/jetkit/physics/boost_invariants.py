"""Boost-invariant polynomials: jet observables unchanged by rotations about the jet axis and boosts along it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
from array_api_compat import array_namespace
from jaxtyping import Bool, Complex, Float, Int

from jetkit.physics import four_vectors as fv
from jetkit.physics.four_vectors import Array

FLOOR = 1e-4
"""Smallest κ in GeV: the azimuthal phase of a particle closer to the axis is scaled down towards 0."""


class Component(NamedTuple):
    """Indices (k, l, n) of one component A_kln."""

    k: int
    """Degree in the logarithm of the transverse momentum."""
    l: int  # noqa: E741 - the paper's name
    """Frequency in the azimuth about the jet axis."""
    n: int
    """Frequency in the rapidity along the jet axis."""

    @property
    def level(self) -> int:
        """Level k + |l| + |n| of the component."""
        return self.k + abs(self.l) + abs(self.n)


Product = tuple[Component, ...]


@cache
def invariant_products(
    *, order: int = 3, levels: int = 6, n_pt: int = 5, n_th: int = 3, n_y: int = 3
) -> tuple[Product, ...]:
    """Return all products of up to ``order`` components with Σl = 0, Σn = 0 and a summed level ≤ ``levels``.

    The components have k ≤ n_pt, |l| ≤ n_th and |n| ≤ n_y. The empty product, which equals 1, comes first. A product
    and its partner with all signs of l and n reversed are complex conjugates. Both are listed, as in the paper.

    Source: BIP: Boost Invariant Polynomials for Efficient Jet Tagging, 2022, arXiv:2207.08272.

    Example:
        >>> len(invariant_products())
        312
        >>> [tuple(map(tuple, product)) for product in invariant_products(order=2, levels=1)]
        [(), ((0, 0, 0),), ((1, 0, 0),), ((0, 0, 0), (0, 0, 0)), ((0, 0, 0), (1, 0, 0))]
    """
    boxes = map(Component._make, product(range(n_pt + 1), range(-n_th, n_th + 1), range(-n_y, n_y + 1)))
    components = sorted(boxes, key=lambda component: component.level)
    sparse = [chosen for count in range(order + 1) for chosen in _sparse(components, count, levels)]
    return tuple(chosen for chosen in sparse if sum(c.l for c in chosen) == 0 == sum(c.n for c in chosen))


def _sparse(components: Sequence[Component], count: int, levels: int) -> Iterator[Product]:
    """Yield all products of ``count`` components, in rising level, whose summed level is at most ``levels``."""
    if count == 0:
        yield ()
        return
    for place, first in enumerate(components):
        if count * first.level > levels:
            return
        for others in _sparse(components[place:], count - 1, levels - first.level):
            yield (first, *others)


def boost_invariants(
    p4: Float[Array, "*batch N 4"], mask: Bool[Array, "*batch N"], products: tuple[Product, ...]
) -> Float[Array, "*batch products"]:
    """Compute Re Π A_kln for every product, with A_kln = Σ_i T_k((ln r_i + 4.7)/6) e^{ilθ_i} e^{iny_i} w_i.

    ``p4`` (..., N, 4) holds (E, px, py, pz) in GeV and ``mask`` (..., N) is True for real particles. The result has the
    shape (..., products). With respect to the axis of the summed momentum, a particle has transverse momentum κ,
    azimuth θ, momentum share r = κ/Σκ, rapidity y and weight w = ln(1 + E² − p_∥²). T_k is a Chebyshev polynomial. κ
    and Σκ are at least 10⁻⁴ GeV.

    A rotation about the axis shifts every θ and a boost along it shifts every y; the conditions Σl = 0 and Σn = 0
    cancel both shifts. Soft particles have vanishing weight, so the polynomials are infrared safe. The logarithm and
    T_k make them collinear unsafe.

    Source: BIP: Boost Invariant Polynomials for Efficient Jet Tagging, 2022, arXiv:2207.08272, with e^{−ilθ} as the
    conjugate of e^{ilθ}, which a particle on the axis cannot make infinite.

    Example:
        >>> p4 = np.array([[5.0, 3.0, 4.0, 0.0], [5.0, 3.0, -4.0, 0.0]])
        >>> products = invariant_products(order=1, levels=0)
        >>> boost_invariants(p4, np.array([True, True]), products).round(3).tolist() == [1.0, round(2 * np.log(17), 3)]
        True
    """
    xp = array_namespace(p4)
    largest, place = _places(products)
    a = _components(xp.where(mask[..., None], p4, xp.zeros_like(p4)), *largest)
    a = xp.concat([a, xp.ones_like(a[..., :1])], axis=-1)
    return xp.real(xp.prod(a[..., place], axis=-2))


@cache
def _places(products: tuple[Product, ...]) -> tuple[tuple[int, ...], Int[np.ndarray, "order products"]]:
    """Return the largest k, |l| and |n|, and the places of the factors of each product; −1, the last, for no factor."""
    largest = tuple(max((abs(c[index]) for chosen in products for c in chosen), default=0) for index in range(3))
    shape = (largest[0] + 1, 2 * largest[1] + 1, 2 * largest[2] + 1)
    place = np.full((max(map(len, products)), len(products)), -1)
    for column, chosen in enumerate(products):
        for row, c in enumerate(chosen):
            place[row, column] = np.ravel_multi_index((c.k, c.l + largest[1], c.n + largest[2]), shape)
    return largest, place


def _components(
    p4: Float[Array, "*batch N 4"], n_pt: int, n_th: int, n_y: int
) -> Complex[Array, "*batch (n_pt+1)*(2*n_th+1)*(2*n_y+1)"]:
    """Compute A_kln for all k, l and n."""
    xp = array_namespace(p4)
    p4 = _along_axis(p4)
    kappa = xp.clip(fv.pt(p4), min=FLOOR)
    share = kappa / xp.clip(xp.sum(fv.pt(p4), axis=-1, keepdims=True), min=FLOOR)
    weight = xp.log(1 + xp.clip((p4[..., 0] - p4[..., 3]) * (p4[..., 0] + p4[..., 3]), min=0.0))
    azimuth = (p4[..., 1] + 1j * p4[..., 2]) / kappa
    turning = _powers(azimuth, n_th)[..., :, None] * _powers(xp.exp(1j * fv.rapidity(p4)), n_y)[..., None, :]
    turning = xp.reshape(turning, (*azimuth.shape, -1))
    radial = weight[..., None] * _chebyshev((xp.log(share) + 4.7) / 6, n_pt)
    a = xp.matmul(xp.matrix_transpose(radial + 0j), turning)
    return xp.reshape(a, (*a.shape[:-2], -1))


def _along_axis(p4: Float[Array, "*batch N 4"]) -> Float[Array, "*batch N 4"]:
    """Reflect the momenta so that the direction û of their sum becomes ẑ: p − 2v(v·p)/v² with v = û − ẑ."""
    xp = array_namespace(p4)
    total = xp.sum(p4, axis=-2, keepdims=True)
    smallest = xp.finfo(p4.dtype).smallest_normal
    unit = total[..., 1:] / xp.clip(fv.safe_norm(total), min=smallest)[..., None]
    v = xp.concat([unit[..., :2], unit[..., 2:] - 1], axis=-1)
    length2 = xp.clip(xp.sum(v**2, axis=-1, keepdims=True), min=smallest)
    along = xp.sum(v * p4[..., 1:], axis=-1, keepdims=True)
    return xp.concat([p4[..., :1], p4[..., 1:] - 2 * v * along / length2], axis=-1)


def _powers(x: Complex[Array, "*batch"], largest: int) -> Complex[Array, "*batch 2*largest+1"]:
    """Compute x^l for l = −largest … largest, with the conjugate of x for negative l."""
    xp = array_namespace(x)
    up = [x**power for power in range(1, largest + 1)]
    return xp.stack([*map(xp.conj, reversed(up)), xp.ones_like(x), *up], axis=-1)


def _chebyshev(x: Float[Array, "*batch"], largest: int) -> Float[Array, "*batch largest+1"]:
    """Compute the Chebyshev polynomials T_0(x) … T_largest(x) by recurrence."""
    xp = array_namespace(x)
    t = [xp.ones_like(x), x]
    while len(t) <= largest:
        t.append(2 * x * t[-1] - t[-2])
    return xp.stack(t[: largest + 1], axis=-1)
