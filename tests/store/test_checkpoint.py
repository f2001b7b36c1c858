from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from jetkit.errors import JetkitError
from jetkit.nn.ema import Average
from jetkit.store import checkpoint
from jetkit.store.checkpoint import Progress
from jetkit.training.optimisers import decay_groups, make_optimiser
from jetkit.training.seeds import mix, set_random_state


def stepped(optimiser: str, steps: int) -> tuple[nn.Module, torch.optim.Optimizer, Average]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    made, average = make_optimiser(optimiser, decay_groups(model.named_parameters(), 0.01), 0.1), Average(model, 0.9)
    for step in range(steps):
        advance(model, made, average, step)
    return model, made, average


def advance(model: nn.Module, optimiser: torch.optim.Optimizer, average: Average, step: int) -> None:
    set_random_state(1, 0, step)
    optimiser.zero_grad()
    model(torch.randn(8, 3)).square().sum().backward()
    optimiser.step()
    average.update(model)


@pytest.mark.parametrize("optimiser", ["adamw", "radam", "ranger", "lion"])
@pytest.mark.parametrize("stop", [0, 3, 6, 13])
def test_the_steps_after_a_restore_are_the_same_bits(tmp_path: Path, optimiser: str, stop: int) -> None:
    checkpoint.save(tmp_path, *stepped(optimiser, stop), Progress(step=stop), "run")
    model, made, average = stepped(optimiser, 0)
    progress = checkpoint.restore(tmp_path, model, made, average, "run")
    assert progress == Progress(step=stop)
    for step in range(stop, 20):
        advance(model, made, average, step)
    expected, _, expected_average = stepped(optimiser, 20)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in expected.state_dict().items())
    assert all(torch.equal(value, average.weights[name]) for name, value in expected_average.weights.items())


def test_progress_keeps_every_bit(tmp_path: Path) -> None:
    log = [{"lr": 1e-300, "epoch": 1}]
    progress = Progress(3, 1, {"epoch": 1}, {"loss": 0.1 + 0.2}, 2, 0.1, 1 / 3, 1, log, 0.7, True, {"scale": 2.0})
    checkpoint.save(tmp_path, *stepped("adamw", 1), progress, "run")
    found = checkpoint.restore(tmp_path, *stepped("adamw", 0), "run")
    assert found is not None
    assert found == progress
    assert list(found.log[0]) == ["lr", "epoch"]


def test_without_a_checkpoint_there_is_nothing_to_restore(tmp_path: Path) -> None:
    assert checkpoint.restore(tmp_path, *stepped("adamw", 0), "run") is None


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, *stepped("adamw", 1), Progress(), "run")
    with pytest.raises(JetkitError, match="other options or data: give another out=, or remove the folder"):
        checkpoint.restore(tmp_path, *stepped("adamw", 0), "other")


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, *stepped("adamw", 1), Progress(), "run")
    model = nn.Linear(2, 2)
    optimiser = make_optimiser("adamw", decay_groups(model.named_parameters(), 0.0), 0.1)
    with pytest.raises(JetkitError, match="was written by another jetkit"):
        checkpoint.restore(tmp_path, model, optimiser, None, "run")


def test_a_cut_off_checkpoint_is_refused(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, *stepped("adamw", 1), Progress(), "run")
    path = tmp_path / checkpoint.NAME
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(JetkitError, match=re.escape(f"{path} is damaged")):
        checkpoint.restore(tmp_path, *stepped("adamw", 0), "run")


def test_mixing_is_splitmix64() -> None:
    assert mix(0) == 0xE220A8397B1DCDAF >> 1
    assert mix(0x9E3779B97F4A7C15) == 0x6E789E6AA1B965F4 >> 1


def test_random_numbers_differ_between_seeds_processes_and_steps() -> None:
    places = [(seed, rank, step) for seed in range(8) for rank in range(8) for step in range(8)]
    assert len({mix(*place) for place in places}) == len(places)
    assert all(0 <= mix(*place) < 2**63 for place in places)
