"""Finite-dimensional irreducible representations (k, n) of the Lorentz group, and their products.

(k, n) has (k+1)(n+1) complex components t_{ab}: S in SL(2, C) acts on a as on the symmetric part of k spinors, on b as
on that of n conjugate spinors. (0, 0) are scalars, (1, 1) four-vectors, (2, 0) and (0, 2) the self-dual and anti-self-
dual antisymmetric tensors, (2, 2) the symmetric traceless ones. Arrays are (components, channels, particles).

Source: Lorentz Group Equivariant Neural Network for Particle Physics, 2020, arXiv:2006.04780.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from math import factorial, prod, sqrt

import torch
from jaxtyping import Complex, Float
from torch import Tensor

Irrep = tuple[int, int]
Covariants = Mapping[Irrep, Complex[Tensor, "d C M"]]
"""One array for each irrep."""
Terms = list[tuple[Irrep, Complex[Tensor, "d C M"]]]
"""Any number of arrays for each irrep."""


def dimension(irrep: Irrep) -> int:
    """Number of complex components.

    Example:
        >>> dimension((1, 1)), dimension((2, 2))
        (4, 9)
    """
    k, n = irrep
    return (k + 1) * (n + 1)


def coupled(first: Irrep, second: Irrep, maxdim: int) -> list[Irrep]:
    """What the product of two irreps contains; only those whose k and n are below ``maxdim``.

    Example:
        >>> coupled((1, 1), (1, 1), maxdim=3)
        [(0, 0), (0, 2), (2, 0), (2, 2)]
    """
    k, n = (range(abs(a - b), min(a + b + 1, maxdim), 2) for a, b in zip(first, second, strict=True))
    return list(product(k, n))


def clebsch_gordan(first: int, second: int, total: int) -> Float[Tensor, "total+1 first+1 second+1"]:
    """⟨j₁ m₁ j₂ m₂ | j m⟩ of SU(2), for the doubled spins k = 2j; the spins up come first. Racah's formula.

    Example:
        >>> clebsch_gordan(1, 1, 0).square()
        tensor([[[0.0000, 0.5000],
                 [0.5000, 0.0000]]], dtype=torch.float64)
    """
    coefficients = torch.zeros(total + 1, first + 1, second + 1, dtype=torch.float64, device="cpu")
    down, up, side = (first + second - total) // 2, (total + first - second) // 2, (total + second - first) // 2
    triangle = (total + 1) * factorial(down) * factorial(up) * factorial(side) / factorial(down + total + 1)
    for i, j in product(range(first + 1), range(second + 1)):  # spins down in each factor
        if not 0 <= i + j - down <= total:
            continue
        split = [first - i, i, second - j, j, total - (i + j - down), i + j - down]
        series = 0.0
        for v in range(max(0, i - up, second - j - side), min(down, i, second - j) + 1):
            parts = [v, down - v, i - v, second - j - v, up - i + v, side - (second - j) + v]
            series += (-1) ** v / _factorials(parts)
        coefficients[i + j - down, i, j] = sqrt(triangle * _factorials(split)) * series
    return coefficients


def _factorials(numbers: Sequence[int]) -> int:
    return prod(map(factorial, numbers))


@cache
def coupling(
    first: Irrep, second: Irrep, maxdim: int, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "out in"]:
    """Orthonormal rows that take t_{ab} u_{cd} to the irreps of the product, one after the other."""
    rows = [torch.zeros(0, dimension(first) * dimension(second), dtype=torch.float64, device="cpu")]
    for k, n in coupled(first, second, maxdim):
        left, right = clebsch_gordan(first[0], second[0], k), clebsch_gordan(first[1], second[1], n)
        rows.append(torch.einsum("xac,ybd->xyabcd", left, right).reshape((k + 1) * (n + 1), -1))
    return torch.cat(rows).to(device, dtype)


def products(first: Covariants, second: Covariants, maxdim: int) -> Terms:
    """Channel by channel, the irreps of all products of an array of ``first`` with one of ``second``.

    Example:
        >>> p = vector_irrep(torch.tensor([[5.0, 0.0, 3.0, 0.0]])).unsqueeze(1)
        >>> irrep, square = products({(1, 1): p}, {(1, 1): p}, maxdim=1)[0]
        >>> irrep, round(2 * float(square.real), 4)
        ((0, 0), 16.0)
    """
    terms: Terms = []
    for (one, x), (other, y) in product(first.items(), second.items()):
        irreps = coupled(one, other, maxdim)
        outer = (x.unsqueeze(1) * y.unsqueeze(0)).flatten(0, 1)
        numbers = torch.view_as_real(outer)
        matrix = coupling(one, other, maxdim, numbers.dtype, numbers.device)
        found = torch.view_as_complex((matrix @ numbers.flatten(1)).view(len(matrix), *numbers.shape[1:]))
        terms += separate(irreps, found)
    return terms


def separate(irreps: Sequence[Irrep], values: Complex[Tensor, "D C M"]) -> Terms:
    """Arrays of these irreps that stand one after the other.

    Example:
        >>> [part.shape[0] for _, part in separate([(0, 0), (1, 1)], torch.zeros(5, 1, 1))]
        [1, 4]
    """
    return list(zip(irreps, torch.split(values, [dimension(irrep) for irrep in irreps]), strict=True))


def vector_irrep(p4: Float[Tensor, "M 4"]) -> Complex[Tensor, "4 M"]:
    """(1, 1) from (E, px, py, pz): the components of (E + p·σ)/√2.

    Example:
        >>> vector_irrep(torch.tensor([[1.0, 0.0, 0.0, 1.0]]))[:, 0].real
        tensor([1.4142, 0.0000, 0.0000, 0.0000])
    """
    energy, px, py, pz = (p4 / sqrt(2)).unbind(-1)
    real = torch.stack([energy + pz, px, px, energy - pz])
    return torch.complex(real, torch.stack([torch.zeros_like(py), -py, py, torch.zeros_like(py)]))


def invariant_square(irrep: Irrep, x: Complex[Tensor, "d *batch"]) -> Complex[Tensor, "*batch"]:
    """Σ_ab (−1)^(a+b) t_{ab} t_{k−a,n−b}, which no Lorentz transformation changes; p² of a four-vector.

    Example:
        >>> square = invariant_square((1, 1), vector_irrep(torch.tensor([[5.0, 0.0, 3.0, 0.0]])))
        >>> round(float(square.real), 4)
        16.0
    """
    k, n = irrep
    signs = [(-1) ** (a + b) for a in range(k + 1) for b in range(n + 1)]
    weight = torch.tensor(signs, dtype=x.dtype, device=x.device)
    return torch.einsum("d,d...,d...->...", weight, x, x.flip(0))
