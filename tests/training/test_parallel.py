from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from jetkit.store.model_file import read_model
from jetkit.store.options import flat
from jetkit.store.tensor_file import read_tensors
from jetkit.training.data_parts import split_data
from jetkit.training.run import train

SCRIPT = """
import json, os, sys
import torch
from jetkit.training import run
from jetkit.training.recipes import train_options
from jetkit.store.tensor_file import write_tensors

kept = []
predicted = []

def kept_start(training):
    kept.append(training)
    predict = training.task.predict
    training.task.predict = lambda batch: predicted.append(batch.index.row.tolist()) or predict(batch)
    return start(training)

run.start, start = kept_start, run.start
run.train(train_options("pfn", sys.argv[2:]))
rank = kept[0].fabric.global_rank
place = __import__("pathlib").Path(sys.argv[1])
write_tensors(place / f"rank{rank}", dict(kept[0].task.named_parameters()), {})
(place / f"rows{rank}.json").write_text(json.dumps(predicted))
"""


@pytest.fixture(scope="module")
def two(make: Any, toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run of two processes that Fabric started, and the weights of each."""
    place = tmp_path_factory.mktemp("two")
    (place / "script.py").write_text(SCRIPT)
    options = flat(make(place / "run"))
    chosen = ("data", "out", "features", "epochs", "threads", "accelerator", "lr")
    words = [f"{name}={options[name]}" for name in chosen]
    words += ["batch=32", "devices=2", "model.phi=[8, 8]", "model.f=[8]", "optimiser=adamw", "schedule=constant"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("WORLD", "LOCAL_", "RANK"))}
    done = subprocess.run(
        [sys.executable, str(place / "script.py"), str(place), *words],
        capture_output=True,
        text=True,
        timeout=300,
        env=clean,
    )
    assert done.returncode == 0, done.stderr
    return place


def test_both_processes_end_with_the_same_weights(two: Path) -> None:
    first, second = (read_tensors(two / f"rank{rank}")[0] for rank in (0, 1))
    assert first.keys() == second.keys()
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_the_run_folder_is_written_once(two: Path) -> None:
    names = ["checkpoint.safetensors", "log.jsonl", "model.safetensors", "run.json"]
    assert sorted(path.name for path in (two / "run").iterdir()) == names
    assert [json.loads(line)["epoch"] for line in (two / "run" / "log.jsonl").read_text().splitlines()] == [1, 2]


def test_each_process_predicts_its_share_of_the_validation_jets(two: Path, make: Any) -> None:
    shares = [json.loads((two / f"rows{rank}.json").read_text()) for rank in (0, 1)]
    assert len(shares[0]) == len(shares[1]) >= 2
    first, second = ({row for rows in share for row in rows} for share in shares)
    assert not first & second
    assert len(first | second) == len(split_data(make(two / "alone")).validation)


def test_the_shared_validation_is_that_of_the_kept_model(two: Path, make: Any) -> None:
    log = [json.loads(line) for line in (two / "run" / "log.jsonl").read_text().splitlines()]
    model, card = read_model(two / "run" / "model.safetensors")
    jets = split_data(make(two / "alone")).validation
    accuracy = loss = 0.0
    with torch.no_grad():
        for batch in jets.batches(features=card.preprocessing["features"], batch=17, shuffle=False):
            logits = model.eval()(batch)
            accuracy += float((logits.argmax(1) == batch.label).sum()) / len(jets)
            loss += float(torch.nn.functional.cross_entropy(logits, batch.label, reduction="sum")) / len(jets)
    best = log[card.training["epoch"] - 1]["validation"]
    assert best["accuracy"] == pytest.approx(accuracy, abs=1e-9)
    assert best["loss"] == pytest.approx(loss, abs=1e-5)


def test_two_processes_learn_as_one_with_twice_the_batch(two: Path, make: Any, tmp_path: Path) -> None:
    alone = train(make(tmp_path / "run", "pfn", "batch=64", "optimiser=adamw", "schedule=constant"))[0]
    logs = [
        [json.loads(line) for line in (place / "log.jsonl").read_text().splitlines()] for place in (two / "run", alone)
    ]
    assert [line["step"] for line in logs[0]] == [line["step"] for line in logs[1]]
    for together, single in zip(*logs, strict=True):
        assert together["train"]["cross_entropy"] == pytest.approx(single["train"]["cross_entropy"], abs=0.1)
        assert together["validation"]["loss"] == pytest.approx(single["validation"]["loss"], abs=0.1)
    for log in logs:
        assert log[1]["train"]["cross_entropy"] < log[0]["train"]["cross_entropy"] - 0.1


@pytest.mark.parametrize("method", ["p-jepa", "jet-clr"])
def test_two_processes_pretrain_together(toy: Path, tmp_path: Path, method: str) -> None:
    words = [f"data={toy}", f"out={tmp_path}/run", "devices=2", "epochs=2", "batch=64", "features=kin", "lr=1e-3"]
    words += ["model.width=16", "model.depth=1", "model.heads=2", "model.pair_widths=[8]", "method.width=16"]
    words += ["threads=1", "accelerator=cpu", "precision=32-true", *(["method.heads=2"] if method == "p-jepa" else [])]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("WORLD", "LOCAL_", "RANK"))}
    command = [sys.executable, "-m", "jetkit", "pretrain", method, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=clean)
    assert done.returncode == 0, done.stderr
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in log] == [0, 1, 2]
    assert log[-1]["validation"]["loss"] < log[0]["validation"]["loss"]


def test_two_processes_learn_of_particles_alone_what_leaves_the_vector_of_the_jet_out(
    toy: Path, tmp_path: Path
) -> None:
    words = [f"data={toy}", f"out={tmp_path}/run", "devices=2", "epochs=1", "batch=64", "features=kin", "lr=1e-3"]
    words += ["task=multi-task", "task.targets=[part_deta]", "model.phi=[8, 8]", "model.f=[8]"]
    words += ["threads=1", "accelerator=cpu"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("WORLD", "LOCAL_", "RANK"))}
    command = [sys.executable, "-m", "jetkit", "train", "pfn", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=clean)
    assert done.returncode == 0, done.stderr
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert set(log[0]["validation"]) == {"loss", "loss part_deta"}
