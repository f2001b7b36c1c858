"""Toy jets, tiny runs on them, and the command line, for all rooms.

One thread a process: small tensors gain nothing from more, and threads of many processes wait for each other.
"""

import os
import runpy
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]
WORDS = ("features=kin", "batch=64", "epochs=3", "threads=1", "accelerator=cpu", "lr=5e-3", "fractions=[0.5,0.1,0.4]")
SMALL = ("model.phi=[16,16]", "model.f=[16]")


def pytest_collection_modifyitems(items: list) -> None:
    """The commands of the documents take longest: they come first, so that two processes end together."""
    items.sort(key=lambda item: "test_docs" not in item.nodeid)


@pytest.fixture(scope="session")
def forking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the program ``jetkit`` that a warm process answers."""
    folder = tmp_path_factory.mktemp("bin")
    with subprocess.Popen([sys.executable, str(Path(__file__).with_name("forked_jetkit.py")), str(folder)]) as server:
        while not (folder / "jetkit").exists():
            assert server.poll() is None, "the process that answers ended"
            time.sleep(0.1)
        yield folder
        server.kill()


def run(*words: str, code: int = 0) -> str:
    """Run the command line; returns what it printed."""
    from jetkit import cli

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


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As compiled loops want it, which leave the work to PyTorch where it has many threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
