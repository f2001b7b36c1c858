"""The proof of the contract: five extensions, each one file and one line outside of jetkit, do all verbs.

A search on a plain table, a regression with an auxiliary head of each particle, object condensation on two linked
collections, a conditional generator from generated to detected particles, and a flow on voxels.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shutil import copy
from typing import Any

import numpy as np
import pytest

from jetkit.data.card import Card, write_card
from jetkit.data.shards import write_shard

HERE = Path(__file__).parent / "extensions"
NAMES = sorted(path.stem for path in HERE.glob("*.py"))
WORDS = {
    "cwola": ("mlp", "task=cwola", "features=[event_mj1,event_tau21]", "model.widths=[16,16]", "epochs=8", "lr=1e-2"),
    "mass_and_origin": (
        "part", "task=mass-and-origin", "features=kin", "targets={part_track: [far, near]}",
        "model.width=16", "model.depth=1", "model.heads=2", "model.pair_widths=[8]", "model.dropout=0.0",
        "epochs=3", "optimiser=adamw", "lr=3e-3",
    ),
    "condensation": (
        "pfn", "task=condense", "features=[hit_x,hit_y]", "model.phi=[16,16]", "model.f=[16]", "epochs=6", "lr=1e-2",
    ),
    "redetect": (
        "redetect", "task=generate", "features={gen: [gen_px, gen_py], part: [part_px, part_py]}",
        "epochs=6", "lr=1e-2",
    ),
    "voxel_flow": (
        "voxel-flow", "task=density", "features=[{column: energy, transform: log}]",
        "arrays={voxel_energy: [2, 3]}", "model.width=16", "model.transforms=2", "epochs=6", "lr=1e-2",
    ),
}  # fmt: skip
COMMON = ("batch=64", "threads=1", "accelerator=cpu", "fractions=[0.6,0.1,0.3]")
EXPORTED = ("cwola", "condensation", "voxel_flow")
"""Those whose answers are a graph of plain operations."""
JUDGED = {
    "cwola": "max SIC",
    "mass_and_origin": "origins",
    "condensation": "loss",
    "redetect": "loss",
    "voxel_flow": "loss",
}


def lists(counts: np.ndarray, *values: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return [(value, offsets) for value in values]


def table(random: np.random.Generator, rows: int) -> dict[str, Any]:
    """A falling spectrum with a bump, whose events are lighter and more two-pronged."""
    signal = random.random(rows) < 0.2
    mass = np.where(signal, random.normal(3500, 60, rows), 2500 + random.exponential(800, rows))
    return {
        "event_mjj": mass,
        "event_mj1": np.where(signal, random.normal(80, 10, rows), random.exponential(150, rows)),
        "event_tau21": np.where(signal, random.normal(0.2, 0.05, rows), random.normal(0.6, 0.1, rows)),
        "jet_label": signal.astype(int),
    }


def momenta(prefix: str, counts: np.ndarray, px: np.ndarray, py: np.ndarray, pz: np.ndarray) -> dict[str, Any]:
    energy = np.sqrt(px**2 + py**2 + pz**2)
    names = [f"{prefix}_{name}" for name in ("px", "py", "pz", "energy")]
    return dict(zip(names, lists(counts, px, py, pz, energy), strict=True))


def jets(random: np.random.Generator, rows: int) -> dict[str, Any]:
    """Jets with generated and detected particles, and tracks near or far from the axis."""
    counts = random.integers(3, 12, rows)
    total = counts.sum()
    px, py, pz = random.exponential(20, total) + 1, random.normal(0, 5, total), random.normal(0, 5, total)
    found = momenta("part", counts, px, py, pz)
    jet = np.repeat(np.arange(rows), counts)
    energy, sums = np.sqrt(px**2 + py**2 + pz**2), [np.bincount(jet, one, rows) for one in (px, py, pz)]
    mass = np.sqrt(np.bincount(jet, energy, rows) ** 2 - sum(one**2 for one in sums))
    scale = 1 + 0.1 * random.normal(size=total)
    found |= momenta("gen", counts, px * scale, py * scale, pz * scale)
    found["part_track"] = lists(counts, (np.hypot(py, pz) / px < 0.3).astype(np.int32))[0]
    return found | {"jet_mass": mass}


def events(random: np.random.Generator, rows: int) -> dict[str, Any]:
    """Hits of two to four particles along straight lines, and noise."""
    numbers, hits = random.integers(2, 5, rows), random.integers(8, 20, rows)
    event = np.repeat(np.arange(rows), hits)
    owner = random.integers(-1, numbers[event])
    angle = random.uniform(0, 2 * np.pi, numbers.sum())
    first = np.concatenate([[0], np.cumsum(numbers)])[:-1]
    turn = np.where(owner >= 0, angle[first[event] + owner.clip(0)], random.uniform(0, 2 * np.pi, len(owner)))
    radius = random.uniform(0.5, 2, len(owner))
    x, y, links = lists(hits, radius * np.cos(turn), radius * np.sin(turn), owner.astype(np.int32))
    px, py = lists(numbers, np.cos(angle), np.sin(angle))
    return {"hit_x": x, "hit_y": y, "hit_particle": links, "particle_px": px, "particle_py": py}


def showers(random: np.random.Generator, rows: int) -> dict[str, Any]:
    energy = random.uniform(1, 100, rows)
    share = random.dirichlet(np.arange(1, 7), rows)
    voxels = lists(np.full(rows, 6), (energy[:, None] * share).ravel())[0]
    return {"energy": energy, "voxel_energy": voxels}


CLASSES = {"cwola": ["background", "signal"]}
MAKERS = {
    "cwola": table, "mass_and_origin": jets, "condensation": events, "redetect": jets, "voxel_flow": showers,
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package of extensions, a file and a line each, and a dataset for each of them."""
    folder = tmp_path_factory.mktemp("proof")
    package = folder / "my_extensions"
    package.mkdir()
    for name in NAMES:
        copy(HERE / f"{name}.py", package)
    (package / "__init__.py").write_text("".join(f"import my_extensions.{name}\n" for name in NAMES))
    for name, make in MAKERS.items():
        data = folder / "data" / name
        data.mkdir(parents=True)
        shard = write_shard(data / "0.parquet", make(np.random.default_rng(1), 1500))
        write_card(data, Card(name, classes=CLASSES.get(name, [])).with_shards([shard], complete=True))
    return folder


def run(place: Path, *words: str, code: int = 0, program: tuple[str, ...] = (sys.executable, "-m", "jetkit")) -> str:
    """The command line in a new process, which finds the package on its path."""
    environment = {**os.environ, "PYTHONPATH": str(place), "COLUMNS": "160", "TERM": "dumb"}
    ran = subprocess.run([*program, *words], cwd=place, env=environment, capture_output=True, text=True)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@pytest.fixture
def jetkit(place: Path, forking: Path) -> Callable[..., str]:
    """The same, each time a fork of a process that has loaded nothing of the package."""
    return partial(run, place, program=(str(forking / "jetkit"),))


@pytest.mark.parametrize("name", NAMES)
def test_an_extension_does_all_verbs_in_new_processes(place: Path, jetkit: Callable[..., str], name: str) -> None:
    plugin, out = "plugins=my_extensions", f"runs/{name}"
    model, *words = WORDS[name]
    jetkit("train", model, f"data=data/{name}", f"out={out}", plugin, *words, *COMMON)
    log = [json.loads(line)["validation"] for line in (place / out / "log.jsonl").read_text().splitlines()]
    assert log[-1]["loss"] < log[0]["loss"]
    assert JUDGED[name] in jetkit("evaluate", out, plugin)
    result = json.loads((place / out / "result.json").read_text())
    assert all(np.isfinite(number["value"]) and number["error"] > 0 for number in result["numbers"].values())
    shown = jetkit("show", f"{out}/model.safetensors", plugin)
    assert "my_extensions" in shown
    assert JUDGED[name] in shown
    exported = jetkit("export", out, plugin, code=0 if name in EXPORTED else 1)
    assert ("model.onnx" if name in EXPORTED else "cannot be exported") in exported
    jetkit("report", out, plugin)
    page = (place / out / "report" / "index.html").read_text()
    assert all(shown in page for shown in result["numbers"])
    assert ("Significance improvement" in page) == (name == "cwola")
    assert (place / out / "report" / "training.png").is_file()
    without = jetkit("evaluate", out, code=1)
    assert "plugins=" in without
    assert "Traceback" not in without


@pytest.mark.parametrize("name", NAMES)
def test_an_extension_works_from_python(place: Path, forking: Path, name: str) -> None:
    model, *words = WORDS[name]
    words = [f"data=data/{name}", f"out=runs/python-{name}", *words, *COMMON]
    program = f"""
import my_extensions
from jetkit.training.run import train
from jetkit.verbs.evaluation import evaluate_run
(folder,) = train({model!r}, words={words!r})
print(evaluate_run(folder))
"""
    environment = {**os.environ, "PYTHONPATH": str(place)}
    command = [str(forking / "python"), "-c", program]
    ran = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert JUDGED[name] in ran.stdout


NETWORK = """
import torch
from torch import nn

class SumNet(nn.Module):
    \"\"\"A sum over particles between two layers.\"\"\"

    def __init__(self, features: int, classes: int, width: int = 8) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(features, width), nn.Linear(width, classes)

    def forward(self, x, p4, mask):
        return self.last((torch.relu(self.first(x)) * mask[..., None]).sum(1))
"""


def test_a_users_tagger_trains_in_two_processes(place: Path) -> None:
    (place / "sum_net.py").write_text(NETWORK)
    data = place / "data" / "two-classes"
    data.mkdir()
    columns = jets(np.random.default_rng(2), 400) | {"jet_label": np.arange(400) % 2}
    shard = write_shard(data / "0.parquet", columns)
    write_card(data, Card("two", classes=["even", "odd"]).with_shards([shard], complete=True))
    words = ("data=data/two-classes", "out=runs/two", "features=kin", "epochs=2", "devices=2", *COMMON)
    run(place, "train", "sum_net.py:SumNet", *words)
    assert len((place / "runs/two/log.jsonl").read_text().splitlines()) == 2
    found = run(place, "evaluate", "runs/two", "plugins=sum_net.py:SumNet")
    assert "accuracy" in found
