"""Attention in compiled loops against the same in operations of PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from jetkit.nn.attention import Attention, padding_bias
from jetkit.nn.fast import attention as module
from jetkit.nn.packing import Packing

pytestmark = pytest.mark.usefixtures("one_thread")
MASK = torch.arange(37) < torch.tensor([[37], [5], [1], [20]])
SHAPES = {"a table": (4, 8, 37, 37), "keys alone": (4, 1, 1, 37), "all jets": (1, 1, 37, 37)}


def found_by(attention: Attention, bias: Tensor, packed: bool, seed: int = 0) -> dict[str, Tensor]:
    """Values seen and all gradients, with the type of the weights."""
    kind = attention.out.weight.dtype
    generator = torch.Generator().manual_seed(2)
    x, gradient = torch.randn(2, 4, 37, 32, generator=generator)
    packing = Packing.of(MASK)
    if packed:
        x, gradient = packing.pack(x), packing.pack(gradient)
    else:
        gradient = gradient * MASK[..., None]
    x, bias = (part.detach().to(kind, copy=True).requires_grad_() for part in (x, bias))
    torch.manual_seed(seed)
    attention.zero_grad()
    seen = attention(x, x, bias + padding_bias(MASK, kind), packing if packed else None)
    seen.backward(gradient.to(kind))
    gradients = {name: weight.grad for name, weight in attention.named_parameters()}
    seen = seen if packed else seen[MASK]
    return {
        name: part.detach().double()
        for name, part in {"seen": seen, "x": x.grad, "bias": bias.grad, **gradients}.items()
    }


def same(found: dict[str, Tensor], known: dict[str, Tensor]) -> None:
    assert found.keys() == known.keys()
    for name, value in found.items():
        torch.testing.assert_close(value, known[name], atol=2e-5, rtol=2e-5, msg=name)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each call of the compiled way."""
    calls: list[int] = []
    compiled: Callable[..., Tensor] = module.packed_attention

    def counting(*arguments: object) -> Tensor:
        calls.append(1)
        return compiled(*arguments)

    monkeypatch.setattr(module, "packed_attention", counting)
    return calls


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_are_those_of_double_precision(shape: str, packed: bool, counted: list[int]) -> None:
    attention = Attention(32, 8, 0.1).eval()
    torch.nn.init.normal_(attention.project.bias)
    bias = 3 * torch.randn(SHAPES[shape])
    found = found_by(attention, bias, packed)
    assert counted
    known = found_by(attention.double(), bias, packed)
    assert len(counted) == 1
    same(found, known)


@pytest.mark.parametrize("p", [0.1, 0.6])
def test_the_same_weights_are_dropped(p: float, counted: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    attention, bias = Attention(32, 8, p), torch.randn(SHAPES["a table"])
    found = found_by(attention, bias, True, seed=5)
    assert counted
    other = found_by(attention, bias, True, seed=6)
    assert not torch.allclose(found["seen"], other["seen"])
    monkeypatch.setenv("JETKIT_BACKEND", "plain")
    same(found, found_by(attention, bias, True, seed=5))
    assert len(counted) == 2


def test_a_jet_without_particles_has_no_infinite_numbers(counted: list[int]) -> None:
    x = torch.randn(2, 3, 32, requires_grad=True)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    seen = Attention(32, 8, 0.1)(x, x, padding_bias(mask, torch.float32))
    seen.square().sum().backward()
    assert counted
    assert seen.isfinite().all()
    assert x.grad.isfinite().all()


def test_what_is_no_number_stays_none() -> None:
    x = torch.randn(1, 3, 32)
    x[0, 2] = torch.nan
    x.requires_grad_()
    assert Attention(32, 8, 0.0)(x, x, torch.zeros(1, 1, 1, 1)).isnan().all()
