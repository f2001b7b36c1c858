"""Toy jets, options of a tiny training, and one that is done."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from jetkit.store.options import RunOptions
from jetkit.training.recipes import train_options
from jetkit.training.run import train

ROOT = Path(__file__).parents[2]
TINY = {
    "pfn": ("model.phi=[8, 8]", "model.f=[8]"),
    "bip": ("model.order=2", "model.levels=4", "model.f=[8]"),
    "part": ("model.width=16", "model.depth=2", "model.heads=2", "model.pair_widths=[8]", "model.dropout=0.1"),
}

Make = Callable[..., RunOptions]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Tiny tensors are faster on one."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 600 toy jets."""
    write: Callable[[Path, int], Path] = runpy.run_path(str(ROOT / "benchmarks" / "toy_jets.py"))["write_toy_jets"]
    return write(tmp_path_factory.mktemp("toy"), 600)


@pytest.fixture(scope="session")
def make(toy: Path) -> Make:
    """Options of a tiny training of 2 epochs of 8 steps into a folder."""

    def options(out: Path, model: str = "pfn", *words: str) -> RunOptions:
        common = ["features=kin", "batch=64", "epochs=2", "threads=1", "accelerator=cpu", "lr=3e-3"]
        plain = [f"data={toy}", f"out={out}", *common, *TINY[model], *words]
        return train_options(model, list({word.partition("=")[0]: word for word in plain}.values()))

    return options


@pytest.fixture(scope="session")
def trained(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a tiny training."""
    return train(make(tmp_path_factory.mktemp("runs") / "pfn"))[0]
