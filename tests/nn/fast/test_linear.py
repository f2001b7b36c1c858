"""Linear layers together with the normalisation before them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from jetkit.nn.fast.linear import normalised_linear
from jetkit.nn.shared_batch_norm import SharedBatchNorm


@pytest.mark.parametrize("kind", [nn.BatchNorm1d, SharedBatchNorm])
@pytest.mark.parametrize("training", [True, False])
def test_a_linear_layer_behind_it_is_one_product(kind: type[nn.BatchNorm1d], training: bool) -> None:
    torch.manual_seed(3)
    x, gradient = 2 * torch.randn(50, 4, dtype=torch.float64) - 18, torch.randn(50, 6, dtype=torch.float64)
    norm, linear = kind(4).double().train(training), nn.Linear(4, 6).double()
    for part in (norm.weight, norm.bias, norm.running_mean):
        nn.init.normal_(part)
    start = {name: value.clone() for name, value in norm.state_dict().items()}

    def found(product: bool) -> list[torch.Tensor]:
        norm.load_state_dict(start)
        parameters = [*norm.parameters(), *linear.parameters()]
        value = normalised_linear(x, norm, linear) if product else linear(norm(x))
        return [value, *torch.autograd.grad(value, parameters, gradient), *norm.state_dict().values()]

    for mine, known in zip(found(True), found(False), strict=True):
        torch.testing.assert_close(mine, known)
