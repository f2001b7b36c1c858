from __future__ import annotations

import math

import pytest
import torch

from jetkit.nn.dropout import Dropout

COUNT = 1_000_003


@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.9])
def test_the_share_of_zeros_is_p(p) -> None:
    torch.manual_seed(1)
    dropped = Dropout(p)(torch.ones(COUNT))
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / (1 - p)])
    assert abs(float((dropped == 0).double().mean()) - p) < 6 * math.sqrt(p * (1 - p) / COUNT)


def test_places_near_each_other_and_calls_are_independent() -> None:
    torch.manual_seed(2)
    zero = torch.cat([(Dropout(0.3)(torch.ones(200_000, 8)) == 0).double() for _ in range(2)], 1)
    assert float((torch.corrcoef(zero.T) - torch.eye(16)).abs().max()) < 6 / math.sqrt(200_000)


def test_the_gradient_is_that_of_the_kept() -> None:
    x = torch.randn(10, 30, requires_grad=True)
    dropped = Dropout(0.4)(x)
    dropped.sum().backward()
    torch.testing.assert_close(x.grad, torch.where(dropped == 0, 0.0, 1 / 0.6))


def test_the_generator_decides_and_half_precision_stays_half() -> None:
    def drop() -> torch.Tensor:
        torch.manual_seed(3)
        return Dropout(0.2)(torch.ones(7, 5, dtype=torch.bfloat16))

    assert drop().dtype == torch.bfloat16
    assert torch.equal(drop(), drop())


def test_nothing_is_dropped_in_evaluation_and_all_with_p_one() -> None:
    x = torch.randn(9)
    assert torch.equal(Dropout(0.9).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)
    assert not Dropout(1.0)(x).any()
    assert Dropout(0.5)(torch.empty(0, 3)).shape == (0, 3)
