"""Whitened values: no correlation, no matter how they were mixed before, and nothing from padded places."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from jetkit.nn.whitening import standardised, whitened


@pytest.fixture
def values() -> Tensor:
    return torch.randn(6, 9, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def mask() -> Tensor:
    return torch.arange(9) < torch.tensor([9, 4, 1, 7, 9, 2]).unsqueeze(1)


def test_whitened_channels_have_variance_one_and_no_correlation(values: Tensor, mask: Tensor) -> None:
    mixing = torch.tensor([[1.0, 0.9, 0.0, 0.1], [0, 0.5, 0, 0], [2, 0, 3, 0], [0, 0, 1, 0.5]], dtype=torch.float64)
    found = whitened(values @ mixing + 7, mask)
    rows = found[mask]
    torch.testing.assert_close(rows.mean(0), torch.zeros(4, dtype=torch.float64))
    torch.testing.assert_close(rows.T @ rows / len(rows), torch.eye(4, dtype=torch.float64))
    assert not found[~mask].any()


def test_a_turn_of_the_channels_turns_what_is_whitened(values: Tensor, mask: Tensor) -> None:
    turn = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64))[0]
    torch.testing.assert_close(whitened(values @ turn, mask), whitened(values, mask) @ turn)


def test_uncorrelated_channels_are_standardised(values: Tensor, mask: Tensor) -> None:
    plain = whitened(values, mask) * torch.tensor([1.0, 2, 3, 0.5], dtype=torch.float64)
    torch.testing.assert_close(whitened(plain, mask), standardised(plain, mask, least=0.0))


def test_a_channel_that_tells_nothing_stays_finite(values: Tensor, mask: Tensor) -> None:
    found = whitened(values * torch.tensor([1.0, 1, 1, 0], dtype=torch.float64), mask)
    assert found.isfinite().all()
    assert found[..., 3].abs().max() < 1e-6
    assert found[mask].square().mean().item() == pytest.approx(1)


def test_padded_places_do_not_matter(values: Tensor, mask: Tensor) -> None:
    other = torch.where(mask.unsqueeze(2), values, 1e3)
    assert torch.equal(whitened(other, mask), whitened(values, mask))
    assert torch.equal(standardised(other, mask), standardised(values, mask))
