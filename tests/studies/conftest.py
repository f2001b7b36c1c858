"""Toy jets and a tiny run on them."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jetkit import cli

ROOT = Path(__file__).parents[2]
WORDS = ("features=kin", "batch=64", "epochs=3", "threads=1", "accelerator=cpu", "lr=5e-3", "fractions=[0.5,0.1,0.4]")
SMALL = ("model.phi=[16,16]", "model.f=[16]")


def run(*words: str, code: int = 0) -> str:
    """Run the command line; returns what it printed."""
    ran = CliRunner(env={"COLUMNS": "200", "TERM": "dumb", "JETKIT_DEBUG": ""}).invoke(cli.app, list(words))
    assert ran.exit_code == code, ran.output
    return ran.output


@pytest.fixture(scope="session")
def jetkit() -> Callable[..., str]:
    """The command line as a function: words in, what it printed out."""
    return run


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    """Options of a training of a few seconds."""
    return (*WORDS, *SMALL)


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 1,500 toy jets."""
    write: Callable[[Path, int], Path] = runpy.run_path(str(ROOT / "benchmarks" / "toy_jets.py"))["write_toy_jets"]
    return write(tmp_path_factory.mktemp("toy"), 1500)


@pytest.fixture(scope="session")
def runs(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs pfn, efn (two seeds) and bdt."""
    folder = tmp_path_factory.mktemp("runs")
    run("train", "pfn", f"data={toy}", f"out={folder}/pfn", *WORDS, *SMALL)
    run("train", "efn", f"data={toy}", f"out={folder}/efn", "seeds=2", *WORDS, *SMALL)
    run("train", "observables-bdt", f"data={toy}", f"out={folder}/bdt", "model.trees=10", *WORDS)
    return folder
