"""The verbs as functions: they do what the command line does, with its names, and answer with objects."""

from __future__ import annotations

import inspect
import os
from pathlib import Path

import numpy as np
import pytest

import jetkit
from jetkit import api
from jetkit.config import ConfigError
from jetkit.errors import JetkitError
from jetkit.store.tensor_file import weights_hash

OPTIONS = {
    "features": "kin", "batch": 64, "epochs": 3, "threads": 1, "accelerator": "cpu", "lr": 5e-3,
    "fractions": [0.5, 0.1, 0.4], "hyperparameters": {"phi": [16, 16], "f": [16]},
}  # fmt: skip


@pytest.fixture(scope="module")
def run(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> jetkit.Run:
    return jetkit.train("pfn", data=toy, out=tmp_path_factory.mktemp("api") / "pfn", **OPTIONS)


def test_a_training_is_that_of_the_command_line(run: jetkit.Run, runs: Path) -> None:
    assert weights_hash(run.path / "model.safetensors") == weights_hash(runs / "pfn" / "model.safetensors")


def test_what_functions_return_shows_itself_in_few_words(run: jetkit.Run, toy: Path) -> None:
    found = jetkit.evaluate(run, replicas=20)
    page = jetkit.report(run, replicas=20)
    for one in (run, found, page, jetkit.open_dataset(toy)):
        assert len(repr(one)) < 250
        assert "\n" not in repr(one)
        assert one._repr_html_().startswith(("<b>", "<iframe"))
    assert found.numbers["auc"].value > 0.6
    assert found.numbers == found.result.numbers == run.numbers
    assert {"scores", "confusion", "calibration", "training"} <= found.figures.keys()
    assert list(run.figures) == ["training"]
    assert page.pictures["scores"].is_file()


def test_a_run_stands_for_its_path(run: jetkit.Run) -> None:
    assert os.fspath(run) == str(run.path)
    assert np.array_equal(jetkit.predict(run).logits, jetkit.predict(str(run.path)).logits)
    assert type(run.model) is type(jetkit.load_model(run.path / "model.safetensors"))


def test_several_seeds_are_one_run_with_parts(toy: Path, tmp_path: Path) -> None:
    several = jetkit.train("pfn", data=toy, out=tmp_path / "two", seeds=2, **(OPTIONS | {"epochs": 1}))
    assert [one.path.name for one in several.seeds] == ["seed-1", "seed-2"]
    assert "2 seeds" in repr(several)
    with pytest.raises(JetkitError, match=r"holds 2 seeds: evaluate each of Run\.seeds"):
        jetkit.evaluate(several)
    assert jetkit.evaluate(several.seeds[1]).numbers["accuracy"].value > 0.4


@pytest.mark.parametrize("name", ["evaluate", "predict", "report", "ensemble", "examine", "embed", "generate"])
def test_a_misspelt_option_is_refused_before_any_work(name: str, run: jetkit.Run) -> None:
    with pytest.raises(ConfigError, match=f"unknown option 'colour' in jetkit.{name}"):
        getattr(jetkit, name)(run, colour="red")


@pytest.mark.parametrize("name", ["simulate", "leaderboard", "scaling", "reproduce"])
def test_a_misspelt_option_of_a_recipe_is_refused_before_any_work(name: str) -> None:
    with pytest.raises(ConfigError, match="unknown option 'jest'"):
        getattr(jetkit, name)("top-landscape", jest=3)


def test_every_function_is_documented_and_typed() -> None:
    for name, function in inspect.getmembers(api, inspect.isfunction):
        if function.__module__ == "jetkit.api" and not name.startswith("_"):
            assert inspect.getdoc(function)
            assert "return" in function.__annotations__
            assert getattr(jetkit, name) is function
