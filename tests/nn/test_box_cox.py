"""Powers with learned exponents: their definition, and that a batch in steps is one."""

from __future__ import annotations

import pytest
import torch

from jetkit.nn import box_cox
from jetkit.nn.box_cox import BoxCox

X = torch.tensor([[-300.0], [-0.5], [0.0], [1e-4], [2e5]], dtype=torch.float64)


@pytest.mark.parametrize("offset", [1.0, 1e-5])
def test_the_power_is_that_of_the_definition(offset: float) -> None:
    module = BoxCox(7, offset).double()
    with torch.no_grad():
        module.weight.mul_(torch.linspace(-1, 2, 7))
        module.bias.add_(0.1)
    u, a = X * module.weight + 0.1, module.alpha**2 + 1e-6
    sign = u.sign() if offset == 1 else 1
    torch.testing.assert_close(module(X), sign * ((offset + u.abs()) ** a - 1) / a, rtol=1e-9, atol=1e-9)


def test_gradients_do_not_depend_on_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    module = BoxCox(7).double()
    gradients = []
    for cache in (2**20, 1):
        monkeypatch.setattr(box_cox, "CACHE", cache)
        module.zero_grad()
        module(X).sin().sum().backward()
        gradients.append(torch.cat([parameter.grad for parameter in module.parameters()]))
    torch.testing.assert_close(*gradients)
