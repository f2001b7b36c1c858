"""Padding, sums over real particles, and precision."""

from __future__ import annotations

import torch

from jetkit.nn.packing import masked_mean, masked_sum, pad
from jetkit.nn.precision import full_precision, product_dtype

MASK = torch.tensor([[True, False, True], [False, False, False], [True, True, True]])
VALUES = torch.arange(18.0).reshape(3, 3, 2) + 1


def test_padding_undoes_packing() -> None:
    assert torch.equal(pad(VALUES[MASK], MASK), VALUES * MASK[..., None])


def test_means_and_sums_are_over_real_particles() -> None:
    assert masked_sum(VALUES, MASK).tolist() == [[6.0, 8.0], [0.0, 0.0], [45.0, 48.0]]
    assert masked_mean(VALUES, MASK).tolist() == [[3.0, 4.0], [0.0, 0.0], [15.0, 16.0]]


def test_within_full_precision_the_outer_one_is_known() -> None:
    x = torch.ones(2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        half = product_dtype(x)
        with full_precision(x):
            assert (x @ x).dtype == product_dtype(x) == torch.float32
    assert (half, product_dtype(x), product_dtype(x.double())) == (torch.bfloat16, torch.float32, torch.float64)
