"""Messages that are never all written down, against messages that are."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from jetkit.nn.fast import messages
from jetkit.nn.fast.messages import Message, Pairs, Size, gated_messages, normalised_pairs

A = 6


@pytest.fixture
def pairs() -> Tensor:
    mask = torch.arange(7) < torch.tensor([[7], [3], [1], [5], [0]])
    return mask[:, None] & mask[:, :, None] & ~torch.eye(7, dtype=torch.bool)


def tensors(sizes: bool) -> list[Tensor]:
    random = torch.Generator().manual_seed(1)
    shapes = [(5, 7, A), (5, 7, A), (2, A), (5, 7, 7, 2), (A, A), (A,), (1, A), (1,), (A, A), (A,), (1, A)]
    kept = shapes if sizes else shapes[:8]
    return [torch.randn(s, generator=random, dtype=torch.float64).requires_grad_() for s in kept]


def grouped(pairs: Tensor, *given: Tensor) -> tuple[Tensor, Tensor]:
    size = Size(*given[8:]) if given[8:] else None
    collected, numbers = gated_messages(Pairs(*given[:4]), Message(*given[4:8]), size, pairs, torch.float64)
    return collected, numbers * pairs


def written_out(pairs: Tensor, *given: Tensor) -> tuple[Tensor, Tensor]:
    linear, message = Pairs(*given[:4]), Message(*given[4:8])
    edges = linear.quantity @ linear.weight + linear.row[:, :, None] + linear.column[:, None]
    m = (edges.relu() @ message.weight.T + message.bias).relu()
    m = m * torch.sigmoid(m @ message.gate.T + message.gate_bias) * pairs[..., None]
    if not given[8:]:
        return m.sum(2), torch.zeros(pairs.shape)
    size = Size(*given[8:])
    return m.sum(2), ((m @ size.weight.T + size.bias).relu() @ size.out.T)[..., 0] * pairs


@pytest.mark.parametrize("sizes", [True, False])
@pytest.mark.parametrize("cache", [1, 1440, 10**6])
def test_messages_and_their_gradients_are_those_written_out(pairs, monkeypatch, cache, sizes) -> None:
    monkeypatch.setattr(messages, "CACHE", cache)
    weights = [torch.randn(shape, dtype=torch.float64) for shape in ((5, 7, A), (5, 7, 7))]
    results = []
    for function in (grouped, written_out):
        given = tensors(sizes)
        found = function(pairs, *given)
        sum((a * b).sum() for a, b in zip(found, weights, strict=True)).backward()
        results.append([*found, *(tensor.grad for tensor in given)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12, check_dtype=False)


def test_half_precision_is_that_of_the_products(pairs) -> None:
    given = [tensor.detach().float() for tensor in tensors(sizes=True)]
    linear, message, size = Pairs(*given[:4]), Message(*given[4:8]), Size(*given[8:])
    full, half = (gated_messages(linear, message, size, pairs, dtype) for dtype in (torch.float32, torch.bfloat16))
    for a, b in zip(full, half, strict=True):
        assert a.dtype == b.dtype == torch.float32
        assert 0 < (a - b).abs().max() < 0.03 * a.abs().max()


@pytest.fixture
def mask() -> torch.Tensor:
    return torch.arange(6) < torch.tensor([[6], [2], [1], [4]])


def linear(seed: int) -> Pairs:
    random = torch.Generator().manual_seed(seed)
    shapes = ((4, 6, 3), (4, 6, 3), (2, 3), (4, 6, 6, 2))
    return Pairs(*(torch.randn(shape, generator=random, dtype=torch.float64) for shape in shapes))


def written_down(pairs: Pairs) -> torch.Tensor:
    return pairs.row[:, :, None] + pairs.column[:, None] + pairs.quantity @ pairs.weight


def test_normalised_pairs_are_those_of_batch_normalisation_of_the_real_pairs(mask) -> None:
    real = mask[:, :, None] & mask[:, None] & ~torch.eye(6, dtype=torch.bool)
    own, plain = nn.BatchNorm1d(3).double(), nn.BatchNorm1d(3).double()
    for norm in (own, plain):
        nn.init.constant_(norm.weight, 1.7)
        nn.init.constant_(norm.bias, -0.3)
    for seed in range(3):
        pairs = linear(seed)
        torch.testing.assert_close(
            written_down(normalised_pairs(pairs, real, own))[real], plain(written_down(pairs)[real])
        )
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(own.state_dict()[name], value, rtol=1e-12, atol=1e-12)
    pairs = linear(9)
    torch.testing.assert_close(
        written_down(normalised_pairs(pairs, real, own.eval()))[real], plain.eval()(written_down(pairs)[real])
    )


def test_gradients_of_normalised_pairs_are_those_of_batch_normalisation(mask) -> None:
    real = mask[:, :, None] & mask[:, None]
    own, plain = nn.BatchNorm1d(3).double(), nn.BatchNorm1d(3).double()
    gradients = []
    for normalised in (
        lambda pairs: written_down(normalised_pairs(pairs, real, own))[real],
        lambda pairs: plain(written_down(pairs)[real]),
    ):
        pairs = Pairs(*(part.requires_grad_() for part in linear(1)))
        normalised(pairs).pow(3).sum().backward()
        gradients.append([part.grad for part in pairs])
    torch.testing.assert_close(*gradients)
