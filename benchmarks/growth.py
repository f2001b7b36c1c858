"""Time and memory of a training on ten times the jets.

    python -m benchmarks growth [jets=40000] [pairs=5] [model=pfn]

One process trains on a dataset, another on one of ten times the jets (synthetic ones, `benchmarks.jets`), one thread
each. A turn is as many steps as the smaller dataset has in an epoch. Behind the times stands the largest resident
memory of each process.
"""

from __future__ import annotations

import itertools
import resource
from collections.abc import Iterator
from pathlib import Path

import torch

import jetkit.models  # noqa: F401 - registers the models
from benchmarks.interleaved import PAIRS, Apart, Comparison, Work, in_turns, machine
from benchmarks.jets import write_sample
from benchmarks.words import Words
from jetkit.data.cloud import Cloud
from jetkit.data.dataset import open_dataset
from jetkit.registry import create
from jetkit.tasks.classify import Classify
from jetkit.train.memory import keep_freed_memory

OPTIONS = ("jets", "pairs", "model")
BATCH, TIMES = 128, 10


def compare(name: str, words: Words, scratch: Path) -> Iterator[Comparison]:
    """Time of ten times the jets over that of the jets, as many steps each."""
    jets, model = words.number("jets", 40_000), words.options.get("model", "pfn")
    folders = {"": write_sample(scratch / "few", jets), f"{TIMES} times ": write_sample(scratch / "many", TIMES * jets)}
    sides = {f"{key}{jets:,} jets": Apart(steps, folder, model, jets, threads=1) for key, folder in folders.items()}
    seconds = in_turns(sides, words.number("pairs", PAIRS))
    memory = ", ".join(f"{side()} MB with {key}" for key, side in sides.items())
    for side in sides.values():
        side.close()
    yield Comparison(name, seconds, jets, "jets", f"at most {memory}", machine(), words.said("model"))


def steps(folder: Path, model: str, jets: int) -> Work:
    """Steps on so many jets; then the process's largest resident memory in MB."""
    keep_freed_memory()
    dataset = open_dataset(folder)
    task = Classify(create(model, dataset.spec("kin"))).train()
    optimiser = torch.optim.AdamW(task.parameters(), lr=1e-3)

    def epochs() -> Iterator[Cloud]:
        for epoch in itertools.count():
            yield from dataset.batches(features="kin", batch=BATCH, epoch=epoch)

    clouds = epochs()

    def turn() -> int:
        seen = 0
        while seen < jets:
            cloud = next(clouds)
            optimiser.zero_grad()
            task.loss(cloud).total.backward()
            optimiser.step()
            seen += len(cloud)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    return turn
