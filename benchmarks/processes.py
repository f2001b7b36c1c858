"""An epoch of a training by two processes of one thread each, beside one process of two threads.

    python -m benchmarks processes [FOLDER] [model=part] [jets=1280] [pairs=5]

Both are the command ``jetkit train`` with 128 jets a step in all, float32, no other option; what counts are the seconds
of its log for the second of two epochs, validation included. Without a folder the jets are synthetic.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.interleaved import PAIRS, Comparison, machine
from benchmarks.jets import write_sample
from benchmarks.words import Words

OPTIONS = ("model", "jets", "pairs")
SIDES = {
    "two processes of a thread": ["devices=2", "batch=64", "threads=1"],
    "a process of two threads": ["devices=1", "batch=128", "threads=2"],
}


def compare(name: str, words: Words, scratch: Path) -> Iterator[Comparison]:
    """Time of one process over that of two."""
    model, jets = words.options.get("model", "part"), words.number("jets", 1280)
    folder = words.folders[0] if words.folders else write_sample(scratch / "jets", 2 * jets)
    train = ["train", model, f"data={folder}", f"train_jets={jets}", "fractions=[0.9,0.05,0.05]", "epochs=2"]
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(max(words.number("pairs", PAIRS), PAIRS)):
        for side, options in SIDES.items():
            seconds[side].append(epoch([*train, *options], scratch / "run"))
    found = {side: tuple(times) for side, times in seconds.items()}
    yield Comparison(name, found, jets, "jets", "the same jets and jets a step", machine(), words.said("model"))


def epoch(train: list[str], out: Path) -> float:
    """Seconds of the second epoch of a training that is then removed."""
    subprocess.run([sys.executable, "-m", "jetkit", *train, f"out={out}"], check=True, capture_output=True)
    first, second = (json.loads(line)["seconds"] for line in (out / "log.jsonl").read_text().splitlines())
    shutil.rmtree(out)
    return float(second - first)
