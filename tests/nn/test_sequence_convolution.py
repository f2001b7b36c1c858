"""Convolution along sequences: PyTorch's own on each sequence alone is the slow twin."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from jetkit.nn.sequence_convolution import SequenceConvolution, windows


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_each_sequence_is_convolved_alone(stride: int) -> None:
    torch.manual_seed(1)
    lengths = [4, 1, 0, 7, 2, 3]
    mask = torch.arange(8) < torch.tensor(lengths)[:, None]
    x, convolution = torch.randn(sum(lengths), 5).double(), SequenceConvolution(5, 6).double()
    kernel = convolution.layer.weight.view(6, 3, 5).mT
    alone = [
        F.conv1d(sequence.T[None], kernel, convolution.layer.bias, stride, padding=1)[0].T
        for sequence in x.split(lengths)
        if len(sequence)
    ]
    torch.testing.assert_close(convolution(x, windows(mask, stride)), torch.cat(alone), rtol=0, atol=1e-12)


def test_windows_of_no_element_are_none() -> None:
    assert windows(torch.zeros(2, 3, dtype=torch.bool)).shape == (0, 3)
