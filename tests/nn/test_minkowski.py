"""Products and squares, and the equivariance of a block."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from jetkit.nn.fast import messages
from jetkit.nn.minkowski import ClampedLorentzBlock, LorentzBlock, minkowski_products, minkowski_square
from jetkit.physics.four_vectors import boost


@pytest.fixture
def mask() -> torch.Tensor:
    return torch.arange(6) < torch.tensor([[6], [2], [1], [4]])


def test_products_and_squares_have_the_signature_plus_minus_minus_minus() -> None:
    p4 = torch.tensor([[[5.0, 3.0, 0.0, 4.0], [2.0, 1.0, 1.0, 1.0]]])
    assert minkowski_square(p4).tolist() == [[0.0, 1.0]]
    assert minkowski_products(p4).tolist() == [[[0.0, 3.0], [3.0, 1.0]]]


def block_of(cls: type[LorentzBlock]) -> LorentzBlock:
    torch.manual_seed(5)
    block = cls(4, 1, 0.01, moves=True).double().eval()
    nn.init.normal_(block.move_out.weight, std=30)
    return block


def inputs(mask) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(2)
    momentum = 20 * torch.randn(4, 6, 3, generator=random, dtype=torch.float64)
    x = torch.cat([momentum.norm(dim=-1, keepdim=True) + 0.1, momentum], -1) * mask[..., None]
    return (
        torch.randn(4, 6, 4, generator=random, dtype=torch.float64),
        x,
        torch.ones(4, 6, 1, dtype=torch.float64),
        mask,
    )


@pytest.mark.parametrize(("cls", "equivariant"), [(LorentzBlock, True), (ClampedLorentzBlock, False)])
def test_a_block_without_limit_is_equivariant(mask, cls, equivariant) -> None:
    block, (h, x, s, mask) = block_of(cls), inputs(mask)
    velocity = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64)
    with torch.no_grad():
        scalars, vectors = block(h, x, s, mask)
        moved_scalars, moved_vectors = block(h, boost(x, velocity), s, mask)
    assert (vectors - x)[mask].abs().max() > 1e-2
    torch.testing.assert_close(moved_scalars, scalars, rtol=0, atol=1e-10)
    assert torch.allclose(moved_vectors, boost(vectors, velocity), rtol=0, atol=1e-8) == equivariant


def test_jets_in_small_groups_give_the_same(mask, monkeypatch) -> None:
    block, data = block_of(LorentzBlock), inputs(mask)
    with torch.no_grad():
        together = block(*data)
        monkeypatch.setattr(messages, "CACHE", 1)
        torch.testing.assert_close(block(*data), together, rtol=1e-13, atol=1e-13)


def test_gradients_of_a_block_are_those_of_finite_differences(mask) -> None:
    block, (h, x, s, mask) = block_of(LorentzBlock), inputs(mask)
    h, x = h[:2, :3].requires_grad_(), x[:2, :3].requires_grad_()
    assert torch.autograd.gradcheck(lambda h, x: block(h, x, s[:2, :3], mask[:2, :3]), (h, x))
