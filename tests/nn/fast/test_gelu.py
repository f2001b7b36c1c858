from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from jetkit.nn.gelu import GELU

pytestmark = pytest.mark.usefixtures("one_thread")


def test_values_and_slopes_are_those_of_double_precision() -> None:
    x = torch.cat([torch.linspace(-40, 40, 100_001), torch.tensor([0.0, -0.0, 1e-30, -1e-30, 1e20])])
    x.requires_grad_()
    truth = x.detach().double().requires_grad_()
    found, known = GELU()(x), F.gelu(truth)
    found.sum().backward()
    known.sum().backward()
    torch.testing.assert_close(found.double(), known, atol=1e-6, rtol=3e-7)
    torch.testing.assert_close(x.grad.double(), truth.grad, atol=1e-6, rtol=0)


def test_what_is_no_number_stays_none() -> None:
    x = torch.tensor([1.0, math.nan], requires_grad=True)
    found = GELU()(x)
    found.sum().backward()
    assert found.isnan().tolist() == x.grad.isnan().tolist() == [False, True]


@pytest.mark.parametrize("p", [0.1, 0.6])
def test_dropout_behind_it_is_dropout(p: float) -> None:
    x = torch.randn(700, 1000, requires_grad=True)
    torch.manual_seed(5)
    found = GELU(p)(x)
    found.sum().backward()
    torch.manual_seed(5)
    apart = GELU(p).dropout(F.gelu(x))
    torch.testing.assert_close(found, apart, atol=2e-6 / (1 - p), rtol=1e-6)
    (slope,) = torch.autograd.grad(apart.sum(), x)
    torch.testing.assert_close(x.grad, slope, atol=2e-6 / (1 - p), rtol=1e-6)
    assert abs(float((found == 0).double().mean()) - p) < 6 * math.sqrt(p * (1 - p) / x.numel())


def test_other_types_evaluation_and_empty_tensors() -> None:
    for x in (torch.randn(5, dtype=torch.float64), torch.randn(5, dtype=torch.bfloat16), torch.randn(0, 3)):
        x.requires_grad_()
        assert torch.equal(GELU()(x), F.gelu(x))
    x = torch.randn(3, 4, requires_grad=True)
    assert torch.allclose(GELU(0.5).eval()(x), F.gelu(x), atol=1e-6)
    assert not GELU(1.0)(x).any()
    transposed = GELU()(x.T)
    assert torch.allclose(transposed, F.gelu(x.T), atol=1e-6)


def test_a_layer_of_it_learns() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1, 32), GELU(), nn.Linear(32, 1))
    optimiser, x = torch.optim.Adam(net.parameters(), lr=1e-2), torch.linspace(-2, 2, 200)[:, None]
    for _ in range(400):
        optimiser.zero_grad()
        loss = F.mse_loss(net(x), x.sin())
        loss.backward()
        optimiser.step()
    assert loss < 1e-3
