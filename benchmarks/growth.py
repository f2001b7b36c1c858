"""Time and memory of a training on ten times the jets.

    python -m benchmarks growth [jets=40000] [pairs=5] [model=pfn]

One process trains on a dataset, another on one of ten times the jets (synthetic ones, `benchmarks.jets`), one thread
each. A turn is as many steps as the smaller dataset has in an epoch. Behind the times stands the largest resident
memory of each process. Fewer than 30,000 jets are refused: they are of one or two classes, so that the loss and soon
the gradients vanish, and a processor is slow with numbers that small.
"""

from __future__ import annotations

import itertools
import resource
from collections.abc import Iterator
from pathlib import Path

import torch

import jetkit.models  # noqa: F401 - registers the models
from benchmarks.interleaved import PAIRS, Comparison, Work, apart, in_turns, machine
from benchmarks.jets import CLASSES, SHARD, write_sample
from benchmarks.words import Words
from jetkit.cli.process import keep_freed_memory
from jetkit.data.batch import Batch
from jetkit.data.dataset import open_dataset
from jetkit.registry import create
from jetkit.tasks.classify import Classify

OPTIONS = ("jets", "pairs", "model")
BATCH, TIMES = 128, 10


def compare(name: str, words: Words, scratch: Path) -> Iterator[Comparison]:
    """Time of ten times the jets over that of the jets, as many steps each."""
    jets, model = words.number("jets", 40_000), words.options.get("model", "pfn")
    if jets < len(CLASSES) * SHARD:
        raise SystemExit(f"jets={jets:,} would not hold every class: take {len(CLASSES) * SHARD:,} or more")
    folders = {"": write_sample(scratch / "few", jets), f"{TIMES} times ": write_sample(scratch / "many", TIMES * jets)}
    with apart({f"{key}{jets:,} jets": (steps, folder, model, jets) for key, folder in folders.items()}, 1) as sides:
        seconds = in_turns(sides, words.number("pairs", PAIRS))
        memory = ", ".join(f"{side()} MB with {key}" for key, side in sides.items())
    yield Comparison(name, seconds, jets, "jets", f"at most {memory}", machine(), words.said("model"))


def steps(folder: Path, model: str, jets: int) -> Work:
    """Steps on so many jets; then the process's largest resident memory in MB."""
    keep_freed_memory()
    dataset = open_dataset(folder)
    spec = dataset.spec("kin")
    task = Classify(create(model, spec), spec).train()
    optimiser = torch.optim.AdamW(task.parameters(), lr=1e-3)

    def epochs() -> Iterator[Batch]:
        for epoch in itertools.count():
            yield from dataset.batches(features="kin", batch=BATCH, epoch=epoch)

    batches = epochs()

    def turn() -> int:
        seen = 0
        while seen < jets:
            batch = next(batches)
            optimiser.zero_grad()
            task.loss(batch).total.backward()
            optimiser.step()
            seen += len(batch)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    return turn
