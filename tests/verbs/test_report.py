"""From run folders to the page, through the command line."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from jetkit.training.recipes import train_options
from jetkit.verbs.results import command, tagger_result

Jetkit = Callable[..., str]


def test_runs_are_compared_on_one_page(jetkit: Jetkit, runs: Path, tmp_path: Path) -> None:
    output = jetkit("report", str(runs / "pfn"), str(runs / "efn"), str(runs / "bdt"), f"out={tmp_path}/page")
    page = (tmp_path / "page" / "index.html").read_text()
    assert str(tmp_path / "page" / "index.html") in output
    assert all(name in page for name in ("pfn", "efn", "observables-bdt"))
    assert not re.search(r"https?://(?!www\.w3\.org)[^ \"<]*\.(js|css|png|woff)", page)


def test_pretrainings_are_compared_by_their_health(jetkit: Jetkit, runs: Path, toy: Path, tmp_path: Path) -> None:
    words = (f"data={toy}", "epochs=2", "batch=64", "length=12", "features=kin", "threads=1", "accelerator=cpu")
    jetkit("pretrain", "mpm", *words, "model=pfn", "method.width=16", "method.target=regression", f"out={tmp_path}/mpm")
    sizes = ("model.bins=[6,6,6]", "model.width=16", "model.depth=1", "model.heads=2")
    jetkit("pretrain", "jet-gpt", *words, *sizes, f"out={tmp_path}/gpt")
    jetkit("report", f"{tmp_path}/mpm", f"{tmp_path}/gpt", f"out={tmp_path}/page")
    page = (tmp_path / "page" / "index.html").read_text()
    shown = [json.loads(line) for line in (tmp_path / "gpt" / "log.jsonl").read_text().splitlines()]
    assert shown[0]["epoch"] == 0
    assert f"untrained {shown[0]['validation']['effective_rank']:.3g}" in page
    assert f"{shown[-1]['validation']['loss']:.4g}" in page
    assert {file.name for file in (tmp_path / "page").glob("*.png")} == {"health.png", "losses-1.png", "losses-2.png"}
    assert "task.target=regression" in page
    said = jetkit("report", f"{tmp_path}/mpm", str(runs / "pfn"), f"out={tmp_path}/both", code=1)
    assert "report them apart" in said


def test_the_command_of_a_pretraining_makes_the_same_options() -> None:
    given = ["data=a", "epochs=3", "clip=null", "model=pfn", "model.phi=[8,8]", "method.share=0.5", "weight_decay=0.01"]
    options = train_options(words=[*given, "out=b"], task="mpm")
    words = command(options, "b", 1).split()
    assert words[:4] == ["jetkit", "train", "pfn", "task=mpm"]
    assert train_options(words[2], words[3:]) == options


@pytest.mark.parametrize("task", ["classify", "supervised-attention"])
def test_a_command_names_a_task_that_is_not_the_recipes(task: str) -> None:
    options = train_options("part-supervised", data="a", task=task, out="b")
    words = command(options, "b", 1).split()
    assert (f"task={task}" in words) == (task == "classify")
    assert train_options(words[2], words[3:]) == options


def test_a_command_with_tables_survives_a_shell() -> None:
    table = "{part: [part_deta, {column: part_energy, transform: log, scale: 0.7, clip: [-5, 5]}], row: [jet_pt]}"
    given = ["data=a b", f"features={table}", "targets={jet_rank: [the first, second]}", "plugins=[os.path]", "out=b"]
    options = train_options("pfn", given)
    words = shlex.split(command(options, "b", 1))
    assert words[:4] == ["jetkit", "train", "pfn", "data=a b"]
    assert train_options(words[2], words[3:]) == options


def test_a_result_tells_how_to_train_it_again(runs: Path) -> None:
    result = tagger_result(runs / "efn")
    assert [training.seed for training in result.trainings] == [1, 2]
    assert result.command.startswith("jetkit train efn data=")
    assert "seeds=2" in result.command
    assert "model.phi=[16,16]" in result.command
    assert "epochs=3" in result.command


def test_show_prints_what_a_model_file_says(jetkit: Jetkit, runs: Path) -> None:
    jetkit("evaluate", str(runs / "pfn"))
    output = jetkit("show", str(runs / "pfn" / "model.safetensors"))
    assert "part_logptrel" in output
    assert "±" in output
    assert "arXiv:1810.05165" in output
