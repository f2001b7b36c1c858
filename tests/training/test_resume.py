from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from jetkit.cli.process import heed_signals
from jetkit.errors import JetkitError
from jetkit.progress import STOP
from jetkit.store import checkpoint
from jetkit.store.tensor_file import read_tensors
from jetkit.training.run import train

ROOT = Path(__file__).parents[2]
CASES = {
    "observables": ("bip", ("optimiser=adamw",)),
    "part": ("part", ("optimiser=ranger", "schedule=flat-decay", "ema=0.9")),
    "pfn": ("pfn", ("optimiser=adamw", "clip=1.0", "select=loss", "reweight=kinematics", "patience=1")),
    "radam": ("pfn", ("optimiser=radam", "schedule=warm-restarts", "labels=shuffled", "precision=bf16-mixed")),
}


def without_seconds(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line | {"seconds": 0} for line in lines]


def ending(folder: Path) -> list[Any]:
    """What has to be equal to the last bit: model file, log, and checkpoint without the seconds it took."""
    tensors, header = read_tensors(folder / "checkpoint.safetensors")
    progress = header["progress"]
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    weights = {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}
    return [
        (folder / "model.safetensors").read_bytes(),
        without_seconds(log),
        progress | {"seconds": 0, "log": without_seconds(progress["log"])},
        weights,
    ]


@pytest.fixture(scope="module")
def whole(make: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """The endings of trainings left alone."""
    folder = tmp_path_factory.mktemp("whole")
    return {case: ending(train(make(folder / case, model, *words))[0]) for case, (model, words) in CASES.items()}


class Stop:
    """A report that asks for the end at a step, by a signal if one is given."""

    def __init__(self, step: int, kind: signal.Signals | None = None) -> None:
        self.step, self.kind, self.calls = step, kind, 0

    def __call__(self, done: int, total: int, what: str) -> None:
        self.calls += what == "train"
        if self.calls == self.step and self.kind is None:
            STOP.requested = True
        elif self.calls == self.step:
            os.kill(os.getpid(), self.kind)


@pytest.fixture
def heeding() -> Iterator[None]:
    """The signals as the program ``jetkit`` sets them."""
    before = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}
    heed_signals()
    yield
    for kind, handler in before.items():
        signal.signal(kind, handler)


@pytest.mark.parametrize("case", sorted(CASES))
@pytest.mark.parametrize("step", [1, 8], ids=["end of an epoch", "middle of one"])
def test_an_interrupted_training_ends_with_the_same_bits(
    make: Any, whole: dict[str, list[Any]], tmp_path: Path, case: str, step: int
) -> None:
    model, words = CASES[case]
    options = make(tmp_path / "run", model, *words)
    for stop in (step, 5):
        with pytest.raises(KeyboardInterrupt):
            train(options, Stop(stop))
    folder = train(options)[0]
    assert ending(folder) == whole[case]


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("heeding")
def test_an_interrupt_of_the_program_writes_a_checkpoint_first(make: Any, tmp_path: Path, kind: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(make(tmp_path / "run", "pfn", "checkpoint=1000"), Stop(3, kind))
    _, header = read_tensors(tmp_path / "run" / checkpoint.NAME)
    assert header["progress"]["step"] == 4


@pytest.mark.usefixtures("heeding")
def test_what_does_not_heed_an_interrupt_is_interrupted_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert not STOP.requested


def test_a_training_leaves_its_process_as_it_was(make: Any, tmp_path: Path) -> None:
    """Signals, random numbers, threads and environment."""
    torch.manual_seed(7)

    def state() -> list[Any]:
        handlers = [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)]
        return [*handlers, torch.get_rng_state().tolist(), torch.get_num_threads(), dict(os.environ), random.getstate()]

    before = state()
    train(make(tmp_path / "run", "pfn", "threads=2"))
    assert state() == before


def test_a_training_killed_between_model_file_and_checkpoint_ends_with_the_same_bits(
    make: Any, whole: dict[str, list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, words = CASES["part"]
    options = make(tmp_path / "run", model, *words, "checkpoint=0.000001")
    save = checkpoint.save

    def killed(folder: Path, *rest: Any) -> None:
        if (folder / "model.safetensors").exists():
            raise MemoryError
        save(folder, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", killed)
        with pytest.raises(MemoryError):
            train(options)
    assert read_tensors(tmp_path / "run" / checkpoint.NAME)[1]["progress"]["log"] == []
    assert ending(train(options)[0]) == whole["part"]


def test_how_often_checkpoints_are_written_changes_nothing(
    make: Any, whole: dict[str, list[Any]], tmp_path: Path
) -> None:
    model, words = CASES["pfn"]
    assert ending(train(make(tmp_path / "run", model, *words, "checkpoint=0.000001"))[0]) == whole["pfn"]


def test_a_finished_training_is_left_alone(trained: Path, make: Any) -> None:
    before = {path.name: path.read_bytes() for path in trained.iterdir()}
    steps: list[int] = []
    train(make(trained), lambda done, total, what: steps.append(done))
    assert not steps
    assert {path.name: path.read_bytes() for path in trained.iterdir()} == before


def test_a_folder_of_other_options_is_refused_untouched(trained: Path, make: Any) -> None:
    before = {path.name: path.read_bytes() for path in trained.iterdir()}
    with pytest.raises(JetkitError, match="holds a training with other options or data: give another out="):
        train(make(trained, "pfn", "lr=1e-4"))
    assert {path.name: path.read_bytes() for path in trained.iterdir()} == before


def test_leftovers_of_a_killed_write_are_removed(make: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".checkpoint.safetensors.123.partial").write_bytes(b"half")
    train(make(folder, "pfn", "epochs=1"))
    names = ["checkpoint.safetensors", "log.jsonl", "model.safetensors", "run.json"]
    assert sorted(path.name for path in folder.iterdir()) == names


def test_killed_processes_one_or_two_end_with_the_same_bits() -> None:
    words = ["kills=1", "rows=300", "cases=pfn,part-2-processes"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "resume", *words], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    for case in ("pfn", "part-2-processes"):
        _, kills, trainings, identical, _ = next(row for row in rows if row[0] == case)
        assert kills == "1"
        assert identical == trainings == "1"
