"""What was there before the contract of batches, tasks and options is there still: logits, losses, fits, datasets."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from jetkit.models.model import MODELS
from jetkit.registry import entries

HERE = Path(__file__).parent
GOLDEN: dict[str, Any] = json.loads((HERE / "golden.json").read_text())


@pytest.fixture(scope="module")
def made() -> ModuleType:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("make_golden", HERE / "make_golden.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.set_num_threads(1)
    return module


@pytest.fixture(scope="module")
def toy(made: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.toy_jets(tmp_path_factory.mktemp("golden") / "toy")


def test_every_model_of_that_time_is_there() -> None:
    assert set(GOLDEN["logits"]) <= {one.name for one in entries(MODELS)}


@pytest.mark.parametrize("name", GOLDEN["logits"])
def test_logits_are_those_of_before(made: ModuleType, name: str) -> None:
    np.testing.assert_allclose(made.answer(name), GOLDEN["logits"][name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", GOLDEN["losses"])
def test_first_losses_are_those_of_before(made: ModuleType, toy: Path, name: str) -> None:
    np.testing.assert_allclose(made.losses(name, toy, "64-true"), GOLDEN["losses"][name], rtol=1e-5)


@pytest.mark.parametrize("name", GOLDEN["losses32"])
def test_first_losses_in_single_precision_are_those_of_before(made: ModuleType, toy: Path, name: str) -> None:
    """Another processor rounds otherwise, and twenty steps amplify it; the first losses are held to 1e-5."""
    found, known = made.losses(name, toy, "32-true"), GOLDEN["losses32"][name]
    np.testing.assert_allclose(found[:3], known[:3], rtol=1e-5)
    np.testing.assert_allclose(found, known, rtol=2e-2)


@pytest.mark.parametrize("name", GOLDEN["fits"])
def test_whole_trainings_end_as_before(made: ModuleType, toy: Path, tmp_path: Path, name: str) -> None:
    found = made.fitted(name, toy, tmp_path / name)
    assert len(found) == len(GOLDEN["fits"][name])
    for line, known in zip(found, GOLDEN["fits"][name], strict=True):
        assert line == pytest.approx(known, rel=1e-4)


@pytest.mark.parametrize("recipe", GOLDEN["datasets"])
def test_simulated_datasets_have_the_same_bytes(made: ModuleType, tmp_path: Path, recipe: str) -> None:
    assert made.simulated(recipe, tmp_path / recipe) == GOLDEN["datasets"][recipe]
