"""Pretraining on twins, from the simulator to the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from jetkit.cli import app
from jetkit.data.dataset import open_dataset
from jetkit.data.shards import write_shard
from jetkit.errors import JetkitError
from jetkit.progress import STOP
from jetkit.store.options import RunOptions
from jetkit.store.tensor_file import read_tensors
from jetkit.training.recipes import train_options
from jetkit.training.run import train

RECIPE = """
name: dijets
description: jets of quarks and gluons at particle level
generator: ["Beams:eCM = 13000.", "PhaseSpace:pTHatMin = 200.", "PartonLevel:MPI = off"]
jets: {radius: 0.4, pt: [150, 1000], abs_eta: 2.5, leading: 2}
classes: [{name: QCD, variants: [["HardQCD:all = on"]]}]
"""
TINY = (
    *("model.width=16", "model.depth=1", "model.heads=2", "model.pair_widths=[8]", "model.dropout=0"),
    *("method.hidden=16", "features=kin", "threads=1", "accelerator=cpu"),
)
Make = Callable[..., RunOptions]


@pytest.fixture
def neighbours(toy: Path, tmp_path: Path) -> Path:
    """Toy jets of which two neighbours each count as twins."""
    dataset = open_dataset(toy)
    columns = dataset.read(dataset.columns)
    numbers = {name: np.arange(len(dataset)) // 2 for name in ("pair", "event_id")}
    write_shard(tmp_path / "twins.parquet", columns | numbers)
    return tmp_path / "twins.parquet"


@pytest.fixture
def pretrain(tmp_path: Path) -> Make:
    """Options of a pretraining of two epochs."""

    def options(data: Path, out: str = "run") -> RunOptions:
        words = [f"data={data}", f"out={tmp_path / out}", "epochs=2", "batch=63", "lr=1e-3", *TINY]
        return train_options(task="rs3l", words=words)

    return options


def test_a_killed_pretraining_ends_with_the_same_bits(pretrain: Make, neighbours: Path) -> None:
    whole = train(pretrain(neighbours, out="whole"))[0]

    def stop(done: int, total: int, what: str) -> None:
        if what == "train" and done == 10:
            STOP.requested = True

    with pytest.raises(KeyboardInterrupt):
        train(pretrain(neighbours, out="stopped"), stop)
    again = train(pretrain(neighbours, out="stopped"))[0]
    first, second = (read_tensors(folder / "checkpoint.safetensors")[0] for folder in (whole, again))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_jets_without_twins_are_refused_before_anything_is_written(pretrain: Make, toy: Path, tmp_path: Path) -> None:
    with pytest.raises(JetkitError, match=r"the dataset has no twins: make one with jetkit simulate RECIPE twin="):
        train(pretrain(toy))
    assert not (tmp_path / "run").exists()


def test_twins_are_simulated_and_learned_from_by_the_command_line(tmp_path: Path) -> None:
    recipe, data, out = tmp_path / "dijets.yaml", tmp_path / "data", tmp_path / "run"
    recipe.write_text(RECIPE)
    words = ["jets=120", f"out={data}", "seed=2", "workers=1", "twin=rehadronise"]
    made = CliRunner().invoke(app, ["simulate", str(recipe), *words])
    assert made.exit_code == 0, made.output
    learn = [f"data={data}", f"out={out}", "epochs=10", "batch=64", "lr=5e-3", "length=40", *TINY]
    learned = CliRunner().invoke(app, ["pretrain", "rs3l", *learn])
    assert learned.exit_code == 0, learned.output
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in log] == list(range(11))
    assert log[-1]["train"]["contrast"] < 0.9 * log[1]["train"]["contrast"]
    assert log[-1]["validation"]["loss"] < log[0]["validation"]["loss"]
    assert 0 <= log[-1]["validation"]["loss alignment"] <= 4
    assert (out / "model.safetensors").exists()
