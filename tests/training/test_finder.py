from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.training.finder import find_learning_rate, suggested_rate
from jetkit.training.run import train


def test_rates_rise_to_where_the_loss_breaks_and_the_suggestion_is_below(make: Any, tmp_path: Path) -> None:
    options = make(tmp_path / "run", "pfn", "train_jets=300")
    steps: list[int] = []
    found = find_learning_rate(options, lambda done, total, what: steps.append(done))
    assert len(found.rates) == len(found.losses) <= 200
    assert np.allclose(np.diff(np.log(found.rates)), 6 * math.log(10) / 199)
    assert found.rates[0] == pytest.approx(1e-6)
    assert min(found.losses) < 0.75 < found.losses[0]
    assert all(math.isfinite(loss) for loss in found.losses)
    assert found.suggestion <= found.rates[int(np.argmin(found.losses))] / 10
    assert steps[-1] <= 200
    assert list(tmp_path.iterdir()) == []


def test_the_same_options_give_the_same_test(make: Any, tmp_path: Path) -> None:
    options = make(tmp_path / "run", "pfn", "train_jets=100")
    assert find_learning_rate(options) == find_learning_rate(options)


def test_the_suggestion_is_the_steepest_descent() -> None:
    rates = np.geomspace(1e-6, 1, 61).tolist()
    losses = [1 / (1 + (rate / 1e-4)) + max(0.0, rate - 0.1) for rate in rates]
    assert suggested_rate(rates, losses) == pytest.approx(1e-4, rel=0.3)


def test_the_suggestion_stays_a_factor_of_ten_below_the_minimum() -> None:
    assert suggested_rate([1e-4, 1e-3, 1e-2, 1e-1], [0.7, 0.69, 0.68, 0.1]) == pytest.approx(1e-2)


def test_a_loss_that_was_never_finite_is_one_sentence() -> None:
    with pytest.raises(JetkitError, match="not finite at the lowest rates"):
        suggested_rate([], [])


def test_a_training_can_find_its_rate_itself_and_goes_on_with_it(make: Any, tmp_path: Path) -> None:
    options = make(tmp_path / "run", "pfn", "train_jets=100", "lr=auto", "epochs=1")
    expected = find_learning_rate(options).suggestion
    (folder,) = train(options)
    assert json.loads((folder / "run.json").read_text())["options"]["optim"]["lr"] == expected
    before = (folder / "model.safetensors").read_bytes()
    train(options)
    assert (folder / "model.safetensors").read_bytes() == before
