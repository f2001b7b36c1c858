"""Taggers ranked under one budget, by the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

from jetkit.config import ConfigError
from jetkit.errors import JetkitError
from jetkit.models.model import MODELS
from jetkit.registry import entries
from jetkit.store.model_file import load_model
from jetkit.store.options import RunOptions
from jetkit.store.run_folder import run_options
from jetkit.studies import leaderboard as room
from jetkit.studies.leaderboard import (
    Allowance,
    LeaderboardOptions,
    _wanted,
    flops,
    leaderboard_options,
    within,
)
from jetkit.training.recipes import train_options

Verb = Callable[..., str]
SMALL = ("train.batch=64", "train.lr=5e-3", "threads=1", "fractions=[0.5,0.1,0.4]")
OF_ROWS = ("mlp", "nsf")
"""Models of plain tables, which see no jets."""
FAST = "models=[efn,topo-dnn,bip,observables-bdt]"


@pytest.fixture(scope="module")
def board(toy: Path, jetkit: Verb, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A leaderboard of four taggers and their ensembles."""
    out = tmp_path_factory.mktemp("board")
    jetkit("leaderboard", "top-landscape", f"data={toy}", f"out={out}", FAST, "budget=2epochs", *SMALL)
    return out


@pytest.fixture
def options(toy: Path, tmp_path: Path) -> RunOptions:
    return train_options("efn", [f"data={toy}", f"out={tmp_path}/efn", "epochs=30", "threads=1", "batch=64"])


def test_all_taggers_and_their_ensembles_are_on_the_page(board: Path) -> None:
    page = (board / "index.html").read_text()
    for name in ("efn", "topo-dnn", "bip", "observables-bdt", "mean", "median", "stack"):
        assert f". {name}" in page
    assert "7 taggers" in page
    assert "Budget of each training: 2epochs" in page
    assert {path.name for path in board.glob("*.png")} == {"auc.png", "cost.png"}


def test_a_budget_of_epochs_is_kept(board: Path) -> None:
    assert [run_options(board / "runs" / name).optim.epochs for name in ("efn", "topo-dnn", "bip")] == [2, 2, 2]


def test_a_second_call_trains_nothing_and_writes_the_same_page(board: Path, toy: Path, jetkit: Verb) -> None:
    page = (board / "index.html").read_bytes()
    weights = {path: path.stat().st_mtime_ns for path in board.glob("runs/*/checkpoint.safetensors")}
    jetkit("leaderboard", "top-landscape", f"data={toy}", f"out={board}", FAST, "budget=2epochs", *SMALL)
    assert {path: path.stat().st_mtime_ns for path in board.glob("runs/*/checkpoint.safetensors")} == weights
    assert (board / "index.html").read_bytes() == page


def test_a_training_with_other_options_is_not_taken_for_this_one(board: Path, toy: Path, jetkit: Verb) -> None:
    words = [f"data={toy}", f"out={board}", "models=[efn]", "budget=2epochs", *SMALL, "seed=9"]
    assert "trained with other options (seed)" in jetkit("leaderboard", "top-landscape", *words, code=1)


def test_a_long_time_allows_all_epochs_of_a_recipe_and_a_short_one_fewer_jets(
    options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "WATCHED", 0.2)
    assert within(options, Allowance(seconds=1e6)).optim.epochs == 30
    short = within(options, Allowance(seconds=1e-3))
    assert (short.optim.epochs, short.data.train_jets) == (1, 1000)


def test_an_unknown_tagger_is_named_before_anything_is_trained(toy: Path, tmp_path: Path, jetkit: Verb) -> None:
    words = [f"data={toy}", f"out={tmp_path}/board", "models=[efn,pfm]"]
    assert "did you mean pfn" in jetkit("leaderboard", "top-landscape", *words, code=1)
    assert not (tmp_path / "board").exists()


@pytest.mark.parametrize("text", ["ten", "0min", "10", "-3s", "5 parsecs"])
def test_a_budget_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="a budget is a time"):
        leaderboard_options([f"budget={text}"], "jetkit leaderboard")


def test_operations_of_a_perceptron_are_those_of_its_matrices(board: Path) -> None:
    folder = board / "runs" / "topo-dnn"
    layers = [part for part in load_model(folder / "model.safetensors").modules() if isinstance(part, nn.Linear)]
    assert flops(folder, run_options(folder)) == sum(2 * layer.in_features * layer.out_features for layer in layers)


def test_taggers_that_lack_their_features_are_left_out_unless_they_are_named(toy: Path) -> None:
    every, absent = _wanted(LeaderboardOptions(), str(toy), Path("board"))
    assert "part_d0" in absent["rnn-ip"]
    assert len(every) + len(absent) == sum(one.kind != "ensemble" for one in entries(MODELS)) - len(OF_ROWS)
    with pytest.raises(JetkitError, match="part_d0"):
        _wanted(LeaderboardOptions(models=("rnn-ip",)), str(toy), Path("board"))


def test_options_of_the_trainings_have_their_own_names() -> None:
    assert leaderboard_options(["train.batch=7"], "here") == LeaderboardOptions(train={"batch": 7})
    assert json.dumps(leaderboard_options(["train.lr=1e-4"], "here").train) == '{"lr": 0.0001}'
