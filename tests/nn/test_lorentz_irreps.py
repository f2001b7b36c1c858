"""Clebsch-Gordan coefficients, covariance of products, and what products of four-vectors are."""

from __future__ import annotations

from itertools import product
from math import comb

import pytest
import torch
from torch import Tensor

from jetkit.nn.lorentz_irreps import (
    Irrep,
    clebsch_gordan,
    coupled,
    coupling,
    dimension,
    invariant_square,
    products,
    vector_irrep,
)
from jetkit.physics.four_vectors import boost

IRREPS = [(0, 0), (1, 1), (0, 2), (2, 0), (2, 2), (1, 3)]
SIGMA = torch.tensor([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], dtype=torch.complex128)


def spin_matrix(spinor: Tensor, k: int) -> Tensor:
    """Action on the symmetric part of k spinors: what S ⊗ … ⊗ S is between normalised symmetric states."""
    symmetric, power = torch.zeros(k + 1, 2**k, dtype=spinor.dtype), torch.ones(1, 1, dtype=spinor.dtype)
    for state in range(2**k):
        down = state.bit_count()
        symmetric[down, state] = comb(k, down) ** -0.5
    for _ in range(k):
        power = torch.kron(power, spinor)
    return symmetric @ power @ symmetric.T


def action(spinor: Tensor, irrep: Irrep) -> Tensor:
    return torch.kron(spin_matrix(spinor, irrep[0]), spin_matrix(spinor, irrep[1]).conj())


def random_spinor(seed: int) -> Tensor:
    """An element of SL(2, C): a rotation and a boost."""
    random = torch.Generator().manual_seed(seed)
    generator = torch.randn(3, dtype=torch.complex128, generator=random)
    return torch.matrix_exp(0.5 * torch.einsum("a,aij->ij", generator, SIGMA))


def random_tensor(irrep: Irrep, seed: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(dimension(irrep), 2, 5, dtype=torch.complex128, generator=random)


def momenta(seed: int) -> Tensor:
    return torch.randn(7, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def minkowski(p: Tensor, q: Tensor) -> Tensor:
    return p[:, 0] * q[:, 0] - (p[:, 1:] * q[:, 1:]).sum(1)


def parts_of(p: Tensor, q: Tensor) -> dict[Irrep, Tensor]:
    one, other = vector_irrep(p).unsqueeze(1), vector_irrep(q).unsqueeze(1)
    return {irrep: part[:, 0] for irrep, part in products({(1, 1): one}, {(1, 1): other}, maxdim=3)}


@pytest.mark.parametrize(("first", "second"), list(product(range(4), repeat=2)))
def test_coefficients_are_those_of_sympy(first: int, second: int) -> None:
    cg = pytest.importorskip("sympy.physics.quantum.cg")
    half = pytest.importorskip("sympy").Rational(1, 2)
    for total in range(abs(first - second), first + second + 1, 2):
        own = clebsch_gordan(first, second, total)
        for i, j in product(range(first + 1), range(second + 1)):
            one, other = (first * half, first * half - i), (second * half, second * half - j)
            for m in range(total + 1):
                expected = float(cg.CG(*one, *other, total * half, total * half - m).doit())
                assert float(own[m, i, j]) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(("first", "second"), list(product(IRREPS, repeat=2)))
def test_a_product_is_all_of_its_irreps(first: Irrep, second: Irrep) -> None:
    matrix = coupling(first, second, 99, torch.float64, torch.device("cpu"))
    assert matrix.shape == (dimension(first) * dimension(second),) * 2
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(len(matrix), dtype=torch.float64), rtol=0, atol=1e-14)


def test_irreps_of_the_limit_or_above_are_left_out() -> None:
    assert coupled((2, 2), (1, 1), maxdim=3) == [(1, 1)]
    assert coupled((1, 1), (1, 1), maxdim=2) == [(0, 0)]


@pytest.mark.parametrize(("first", "second"), list(product(IRREPS, repeat=2)))
def test_products_are_covariant(first: Irrep, second: Irrep) -> None:
    x, y, spinor = random_tensor(first, 1), random_tensor(second, 2), random_spinor(3)
    turned = [torch.einsum("xy,ycm->xcm", action(spinor, i), t) for i, t in ((first, x), (second, y))]
    before = products({first: x}, {second: y}, maxdim=4)
    after = products({first: turned[0]}, {second: turned[1]}, maxdim=4)
    assert [irrep for irrep, _ in before] == coupled(first, second, 4)
    for (irrep, part), (_, moved) in zip(before, after, strict=True):
        expected = torch.einsum("xy,ycm->xcm", action(spinor, irrep), part)
        torch.testing.assert_close(moved, expected, rtol=1e-9, atol=1e-9)


def test_boosts_and_rotations_of_momenta_are_those_of_the_irrep() -> None:
    p, rapidity, angle = momenta(0), 0.7, 1.1
    faster = boost(p, torch.tensor([0.0, torch.tensor(rapidity).tanh(), 0.0], dtype=torch.float64))
    turned = p.clone()
    turned[:, 2] = p[:, 2] * torch.cos(torch.tensor(angle)) - p[:, 3] * torch.sin(torch.tensor(angle))
    turned[:, 3] = p[:, 2] * torch.sin(torch.tensor(angle)) + p[:, 3] * torch.cos(torch.tensor(angle))
    for moved, generator in ((faster, rapidity * SIGMA[1]), (turned, -1j * angle * SIGMA[0])):
        spinor = torch.matrix_exp(0.5 * generator)
        torch.testing.assert_close(vector_irrep(moved), action(spinor, (1, 1)) @ vector_irrep(p), rtol=0, atol=1e-6)


def test_the_scalar_of_two_vectors_is_half_of_their_minkowski_product() -> None:
    p, q = momenta(1), momenta(2)
    scalar = parts_of(p, q)[0, 0][0]
    torch.testing.assert_close(scalar, (minkowski(p, q) / 2).to(scalar.dtype))


def test_the_antisymmetric_part_of_two_vectors_is_self_dual_and_anti_self_dual() -> None:
    p, q = momenta(1), momenta(2)
    forth, back, alone = parts_of(p, q), parts_of(q, p), parts_of(p, p)
    square = minkowski(p, q) ** 2 - minkowski(p, p) * minkowski(q, q)  # −½ F_μν F^μν of F = p ∧ q
    for irrep in ((2, 0), (0, 2)):
        torch.testing.assert_close(forth[irrep], -back[irrep])
        assert alone[irrep].abs().max() < 1e-14
        found = invariant_square(irrep, forth[irrep])
        torch.testing.assert_close(found, (square / 4).to(found.dtype) * torch.sign(found[0].real * square[0]))
    for irrep in ((0, 0), (2, 2)):
        torch.testing.assert_close(forth[irrep], back[irrep])


def test_the_traceless_part_of_a_vector_with_itself_has_three_quarters_of_its_square() -> None:
    p = momenta(1)
    found = invariant_square((2, 2), parts_of(p, p)[2, 2])
    torch.testing.assert_close(found, (0.75 * minkowski(p, p) ** 2).to(found.dtype))


@pytest.mark.parametrize("irrep", IRREPS[:-1])
def test_invariant_squares_are_invariant(irrep: Irrep) -> None:
    x, spinor = random_tensor(irrep, 1), random_spinor(5)
    moved = torch.einsum("xy,ycm->xcm", action(spinor, irrep), x)
    torch.testing.assert_close(invariant_square(irrep, moved), invariant_square(irrep, x), rtol=1e-9, atol=1e-9)
