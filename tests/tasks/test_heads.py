"""Heads: symmetric in pairs, equal to their formula, and none where a model decides itself."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from jetkit.nn.heads import PairHead, RowHead, TokenHead, head_for


def test_a_pair_has_the_same_logit_both_ways_to_the_bit() -> None:
    torch.manual_seed(1)
    logits = PairHead(8)(torch.randn(5, 12, 8))
    assert logits.shape == (5, 12, 12)
    assert torch.equal(logits, logits.mT)


def test_the_logit_of_a_pair_is_that_of_a_slow_twin() -> None:
    torch.manual_seed(2)
    head, tokens = PairHead(4, hidden=6).double(), torch.randn(2, 3, 4, dtype=torch.float64)
    found = head(tokens)
    a, b, c = head.sum.weight.tolist(), head.sum.bias.tolist(), head.product.weight.tolist()
    w, v = head.out.weight[0].tolist(), head.out.bias.item()
    for row in range(2):
        for i in range(3):
            for j in range(3):
                t, u = tokens[row, i].tolist(), tokens[row, j].tolist()
                total = v
                for k in range(6):
                    h = b[k] + sum(a[k][d] * (t[d] + u[d]) + c[k][d] * t[d] * u[d] for d in range(4))
                    total += w[k] * h * 0.5 * (1 + math.erf(h / math.sqrt(2)))
                assert found[row, i, j].item() == pytest.approx(total, rel=1e-9)


def test_objects_in_another_order_have_their_logits_in_it() -> None:
    torch.manual_seed(3)
    head, tokens, turn = PairHead(8), torch.randn(2, 6, 8), torch.randperm(6)
    torch.testing.assert_close(head(tokens[:, turn]), head(tokens)[:, turn][:, :, turn])


def test_a_pair_is_told_from_others_of_the_same_sum() -> None:
    """Without the product of the two, (t, −t) and (0, 0) would look alike."""
    torch.manual_seed(4)
    t = torch.randn(8)
    logits = PairHead(8)(torch.stack([t, -t, torch.zeros(8), torch.zeros(8)]).unsqueeze(0))
    assert abs(logits[0, 0, 1] - logits[0, 2, 3]) > 1e-3


def test_rows_and_objects_have_linear_heads() -> None:
    assert RowHead(8, 3)(torch.randn(5, 8)).shape == (5, 3)
    assert TokenHead(8, 3)(torch.randn(5, 7, 8)).shape == (5, 7, 3)


def test_a_model_that_decides_itself_has_no_head() -> None:
    assert isinstance(head_for(3, 3, decides=True), nn.Identity)
    assert isinstance(head_for(3, 2), RowHead)
    with pytest.raises(ValueError, match="the model gives 3 outputs by itself, 2 are asked for"):
        head_for(3, 2, decides=True)
