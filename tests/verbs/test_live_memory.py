"""Bytes of tensors that live, against those counted by hand."""

from __future__ import annotations

import gc

import pytest
import torch
from torch.nn import functional as F

from jetkit.verbs.live_memory import LiveMemory, peak_bytes

B, IN, WIDTH, OUT = 7, 5, 11, 3
FLOAT = 4


@pytest.fixture
def x() -> torch.Tensor:
    return torch.ones(B, IN)


def test_a_chain_needs_what_lives_at_its_widest_place(x: torch.Tensor) -> None:
    first, second = torch.ones(IN, WIDTH), torch.ones(WIDTH, OUT)
    hidden, out = FLOAT * B * WIDTH, FLOAT * B * OUT
    assert peak_bytes(lambda: x @ first) == hidden
    assert peak_bytes(lambda: (x @ first).relu()) == 2 * hidden
    assert peak_bytes(lambda: (x @ first).relu() @ second) == max(2 * hidden, hidden + out)


def test_a_gradient_needs_what_its_way_back_does(x: torch.Tensor) -> None:
    weight = torch.ones(IN, WIDTH, requires_grad=True)
    weight.grad = torch.zeros_like(weight)
    hidden, of_weight, scalar = FLOAT * B * WIDTH, FLOAT * IN * WIDTH, FLOAT
    back = 2 * scalar  # the loss and its own gradient, 1; that of the sum is a view of it
    assert peak_bytes(lambda: torch.autograd.backward((x @ weight).sum())) == max(hidden + scalar, back + of_weight)
    relu = 2 * hidden + back  # what ReLU gave, kept until the way back, and its gradient
    found = peak_bytes(lambda: torch.autograd.backward((x @ weight).relu().sum()))
    assert found == max(relu, hidden + of_weight + back)


def test_views_and_changes_in_place_are_not_counted_twice(x: torch.Tensor) -> None:
    with LiveMemory() as memory:
        y = x + 1
        views = [y.t(), y[:2], y.reshape(-1), y.unsqueeze(0).expand(50, B, IN), y.add_(1), y.detach()]
        assert memory.live == memory.peak == FLOAT * B * IN
        del y
        assert memory.live == FLOAT * B * IN
        del views
        assert memory.live == 0


def test_what_was_there_before_is_not_counted(x: torch.Tensor) -> None:
    with LiveMemory() as memory:
        views = [x.t(), x[1:], F.relu_(x), torch.add(x, x, out=x)]
    assert (memory.live, memory.peak, len(views)) == (0, 0, 4)


def test_tensors_from_lists_and_storages_that_grow_are_counted() -> None:
    with LiveMemory() as memory:
        listed = torch.tensor([1.0, 2.0, 3.0])
        assert memory.live == 3 * FLOAT
        out = torch.empty(0)
        torch.cat([listed, listed], out=out)
        assert memory.live == 9 * FLOAT


def test_the_count_goes_on_counting_outside(x: torch.Tensor) -> None:
    with LiveMemory() as memory:
        y = x + 1
    z = y + 1
    del y
    assert (memory.live, memory.peak, len(z)) == (0, FLOAT * B * IN, B)


def test_cycles_end_no_life_early_and_collecting_goes_on_afterwards() -> None:
    def cycles() -> None:
        for _ in range(3):
            ring = [torch.ones(10)]
            ring.append(ring)
            del ring

    assert peak_bytes(cycles) == 3 * 10 * FLOAT
    assert gc.isenabled()
