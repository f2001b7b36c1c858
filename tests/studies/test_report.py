"""From run folders to the page, through the command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from jetkit.studies.results import tagger_result

Jetkit = Callable[..., str]


def test_runs_are_compared_on_one_page(jetkit: Jetkit, runs: Path, tmp_path: Path) -> None:
    output = jetkit("report", str(runs / "pfn"), str(runs / "efn"), str(runs / "bdt"), f"out={tmp_path}/page")
    page = (tmp_path / "page" / "index.html").read_text()
    assert str(tmp_path / "page" / "index.html") in output
    assert all(name in page for name in ("pfn", "efn", "observables-bdt"))
    assert not re.search(r"https?://(?!www\.w3\.org)[^ \"<]*\.(js|css|png|woff)", page)


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
