"""Attention against loops over heads, queries and keys."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from jetkit.errors import JetkitError
from jetkit.nn.attention import Attention, Block, padding_bias
from jetkit.nn.packing import Packing


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def bias() -> torch.Tensor:
    mask = torch.arange(5) < torch.tensor([[5], [3]])
    return torch.randn(2, 4, 5, 5, dtype=torch.float64) + padding_bias(mask, torch.float64)


def looped(attention: Attention, query, key, bias):
    q, k, v = (
        F.linear(tokens, weight, offset)
        for tokens, weight, offset in zip(
            (query, key, key), attention.project.weight.chunk(3), attention.project.bias.chunk(3), strict=True
        )
    )
    seen = torch.zeros_like(query)
    for b in range(len(query)):
        for head in range(4):
            part = slice(2 * head, 2 * head + 2)
            for i in range(query.shape[1]):
                logits = torch.stack([q[b, i, part] @ k[b, j, part] / math.sqrt(2) for j in range(key.shape[1])])
                seen[b, i, part] = (logits + bias[b, head, i]).softmax(0) @ v[b, :, part]
    return attention.out(seen)


def test_attention_is_a_biased_softmax_per_head(tokens, bias) -> None:
    attention = Attention(8, 4, 0.0).double()
    torch.testing.assert_close(attention(tokens, tokens, bias), looped(attention, tokens, tokens, bias))


@pytest.mark.parametrize("queries", [1, 2])
def test_other_queries_than_keys_see_the_same_values(tokens, bias, queries) -> None:
    attention = Attention(8, 4, 0.0).double()
    torch.nn.init.normal_(attention.project.bias)
    query, bias = tokens[:, :queries] + 0.5, bias[:, :, :queries]
    torch.testing.assert_close(attention(query, tokens, bias), looped(attention, query, tokens, bias))


def test_padded_keys_are_not_seen(tokens, bias) -> None:
    block = Block(8, 4, 0.0).double()
    changed = tokens.clone()
    changed[1, 3:] = 99.0
    torch.testing.assert_close(block(changed, bias)[1, :3], block(tokens, bias)[1, :3], rtol=0, atol=1e-12)
    open_to_all = bias.where(bias > -1e9, 0)
    assert not torch.allclose(block(changed, open_to_all)[1, :3], block(tokens, open_to_all)[1, :3])


def test_a_class_token_sees_itself_and_the_particles(tokens) -> None:
    block = Block(8, 4, 0.0).double()
    token = torch.ones(2, 1, 8, dtype=torch.float64)
    mask = torch.arange(5) < torch.tensor([[5], [0]])
    seen = block.attend(token, tokens, F.pad(padding_bias(mask, torch.float64), (1, 0)))
    alone = block.attend(token[1:], tokens[1:, :0], torch.zeros(1, 1, 1, 1, dtype=torch.float64))
    torch.testing.assert_close(seen[1:], alone)
    assert not torch.allclose(seen[0], seen[1])


def test_dropout_acts_in_training_only(tokens) -> None:
    block = Block(8, 4, 0.5).double()
    free = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    assert not torch.equal(block.train()(tokens, free), block(tokens, free))
    assert torch.equal(block.eval()(tokens, free), block(tokens, free))


def test_a_width_that_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(JetkitError, match="width should be a multiple of heads, got 8 and 3"):
        Attention(8, 3, 0.0)


def test_dropout_of_attention_is_right_on_average_and_empty_jets_give_numbers(tokens) -> None:
    torch.manual_seed(4)
    mask = torch.arange(5) < torch.tensor([[3], [0]])
    bias = padding_bias(mask, torch.float64)
    attention = Attention(8, 4, 0.2).double()
    many = torch.stack([attention(tokens, tokens, bias).detach() for _ in range(4000)])
    assert many.isfinite().all()
    pull = (many.mean(0) - attention.eval()(tokens, tokens, bias).detach()) / (many.std(0) / 4000**0.5)
    assert float(pull.abs().max()) < 6


@pytest.mark.parametrize("training", [False, True])
def test_rows_of_real_particles_are_as_good_as_padded_ones(tokens, training) -> None:
    mask = torch.tensor([[True, True, False, True, True], [False, True, False, True, False]])
    bias = torch.randn(2, 4, 5, 5, dtype=torch.float64) + padding_bias(mask, torch.float64)
    block, packing = Block(8, 4, 0.0).double().train(training), Packing.of(mask)
    rows = packing.pack(tokens).requires_grad_()
    padded = tokens.clone().requires_grad_()
    seen, known = block(rows, bias, packing), packing.pack(block(padded, bias))
    torch.testing.assert_close(seen, known, rtol=0, atol=1e-12)
    (gradient,) = torch.autograd.grad(seen.square().sum(), rows)
    (other,) = torch.autograd.grad(known.square().sum(), padded)
    torch.testing.assert_close(packing.pad(gradient), other, rtol=0, atol=1e-11)
