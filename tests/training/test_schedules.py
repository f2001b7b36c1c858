from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from jetkit.registry import entries
from jetkit.training.schedules import cosine, flat_decay, one_cycle, schedule, warm_restarts

SCHEDULES = [entry.name for entry in entries("schedule") if entry.plugin is None]


def test_there_are_five() -> None:
    assert sorted(SCHEDULES) == ["constant", "cosine", "flat-decay", "one-cycle", "warm-restarts"]


@pytest.mark.parametrize("name", sorted(SCHEDULES))
@pytest.mark.parametrize("epochs", [2, 7, 35, 100])
def test_factors_lie_between_0_and_1_and_reach_1(name: str, epochs: int) -> None:
    factors = [schedule(name)(epoch, epochs) for epoch in np.linspace(0, epochs, 2001)]
    assert min(factors) >= 0
    assert max(factors) == pytest.approx(1.0, abs=1e-3)


def test_one_cycle_is_torchs() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        max_lr=1.0,
        total_steps=101,
        pct_start=0.3,
        div_factor=10,
        final_div_factor=1000,
        cycle_momentum=False,
    )
    for step in range(101):
        assert theirs.get_last_lr()[0] == pytest.approx(one_cycle(step / 10, 10), abs=0.04)
        optimiser.step()
        if step < 100:
            theirs.step()


def test_a_single_epoch_does_not_decay() -> None:
    assert [flat_decay(epoch, 1) for epoch in (0, 0.5, 0.99)] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("epochs", [2, 3, 5, 10, 20, 50])
def test_flat_decay_is_weavers(epochs: int) -> None:
    decaying = max(1, int(epochs * 0.3))
    milestones = list(range(epochs - decaying, epochs))
    for epoch in range(epochs):
        expected = (0.01 ** (1 / decaying)) ** sum(epoch >= milestone for milestone in milestones)
        assert flat_decay(epoch + 0.5, epochs) == pytest.approx(expected)
    assert flat_decay(epochs - 0.01, epochs) == pytest.approx(0.01)


@pytest.mark.parametrize(("epoch", "factor"), [(0, 0.0), (0.25, 0.5), (0.5, 1.0), (5.25, 0.5), (10, 0.0)])
def test_cosine_warms_up_and_falls(epoch: float, factor: float) -> None:
    assert cosine(epoch, 10) == pytest.approx(factor)


def test_warm_restarts_start_anew_at_5_9_and_17_of_35() -> None:
    assert [warm_restarts(epoch, 35) for epoch in (0, 2.5, 5, 7, 9, 13, 17, 25)] == pytest.approx(
        [0, 0.5, 1, 0.5, 1, 0.5, 1, 0.5]
    )
    last = [warm_restarts(epoch, 35) for epoch in (30.999, 31, 32, 33, 34)]
    assert [b / a for a, b in pairwise(last)] == pytest.approx([0.5] * 4, rel=1e-2)


def test_warm_restarts_scale_with_the_number_of_epochs() -> None:
    assert warm_restarts(5.7, 7) == pytest.approx(warm_restarts(28.5, 35))
