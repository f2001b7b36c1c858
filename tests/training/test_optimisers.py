from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from jetkit.data.spec import Spec
from jetkit.nn.ema import Average
from jetkit.registry import create
from jetkit.training.optimisers import Ranger, decay_groups, make_optimiser


def gradients(steps: int) -> list[torch.Tensor]:
    return list(torch.randn(steps, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64))


def test_ranger_is_radam_with_lookahead() -> None:
    """The rectification and the step back, written out from the papers."""
    lr, (b1, b2), eps, decay, alpha, k = 0.05, (0.95, 0.999), 1e-5, 0.1, 0.5, 6
    weight = nn.Parameter(torch.linspace(-1, 1, 5, dtype=torch.float64))
    optimiser = Ranger([weight], lr=lr, weight_decay=decay)
    fast = slow = weight.detach().clone()
    m = v = torch.zeros(5, dtype=torch.float64)
    largest = 2 / (1 - b2) - 1
    for t, g in enumerate(gradients(20), start=1):
        weight.grad = g.clone()
        optimiser.step()
        m, v, fast = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2, fast * (1 - lr * decay)
        rho = largest - 2 * t * b2**t / (1 - b2**t)
        step = m / (1 - b1**t)
        if rho > 5:
            r = math.sqrt((rho - 4) * (rho - 2) * largest / ((largest - 4) * (largest - 2) * rho))
            step = r * step * math.sqrt(1 - b2**t) / (v.sqrt() + eps)
        fast = fast - lr * step
        if t % k == 0:
            slow = slow + alpha * (fast - slow)
            fast = slow
        torch.testing.assert_close(weight.detach(), fast, rtol=1e-9, atol=1e-12)


def test_a_weight_without_gradient_stays() -> None:
    used, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimiser = Ranger([used, unused], lr=0.1, weight_decay=0.5)
    for _ in range(7):
        used.grad = torch.ones(2)
        optimiser.step()
    assert torch.equal(unused.detach(), torch.ones(2))
    assert not torch.equal(used.detach(), torch.ones(2))


def test_only_matrices_decay() -> None:
    spec = Spec.of(features=("a", "b"), classes=("QCD", "top"))
    model = create("part", spec, {"width": 8, "depth": 1, "heads": 2, "pair_widths": [4]})
    groups = decay_groups(model.named_parameters(), 0.1)
    decaying, free = ({id(weight) for weight in group["params"]} for group in groups)
    for name, weight in model.named_parameters():
        matrix = name.endswith("weight") and weight.ndim == 2
        assert (id(weight) in decaying) == matrix, name
        assert (id(weight) in free) == (not matrix), name
    assert [group["weight_decay"] for group in decay_groups(model.named_parameters(), 0.1)] == [0.1, 0.0]


def test_frozen_weights_are_left_out() -> None:
    model = nn.Linear(2, 2)
    model.weight.requires_grad_(False)
    assert [len(group["params"]) for group in decay_groups(model.named_parameters(), 0.1)] == [1]


@pytest.mark.parametrize(("name", "kind"), [("adamw", "AdamW"), ("radam", "RAdam"), ("ranger", "Ranger")])
def test_decay_is_apart_from_the_gradient(name: str, kind: str) -> None:
    model = nn.Linear(3, 3)
    before = model.weight.detach().clone()
    optimiser = make_optimiser(name, decay_groups(model.named_parameters(), 0.5), lr=0.1)
    assert type(optimiser).__name__ == kind
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    optimiser.step()
    torch.testing.assert_close(model.weight.detach(), before * (1 - 0.1 * 0.5))


def test_the_average_is_a_slow_twins() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    average = Average(model, 0.7)
    twin = {name: value.clone() for name, value in model.state_dict().items()}
    for step in range(30):
        for weight in model.parameters():
            weight.data.add_(torch.randn_like(weight))
        model(torch.randn(4, 2))
        average.update(model)
        d = min(0.7, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            twin[name] = d * twin[name] + (1 - d) * value if value.is_floating_point() else value.clone()
    for name, value in twin.items():
        torch.testing.assert_close(average.weights[name], value)


def test_averaged_weights_are_lent_and_given_back() -> None:
    model = nn.Linear(2, 2)
    average = Average(model, 0.5)
    average.weights["bias"].fill_(7.0)
    own = model.bias.detach().clone()
    with average.applied(model):
        assert model.bias.tolist() == [7.0, 7.0]
    assert torch.equal(model.bias.detach(), own)
