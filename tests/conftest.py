"""One thread a process: small tensors gain nothing from more, and threads of many processes wait for each other."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


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


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As compiled loops want it, which leave the work to PyTorch where it has many threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
