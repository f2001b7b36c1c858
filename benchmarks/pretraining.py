"""What a step of each pretraining method costs, over a supervised step of the same encoder and batch.

    python -m benchmarks pretraining FOLDER [batch=128] [repeats=5] [width=128] [depth=8]

FOLDER is a dataset, such as one of `jetkit simulate jetclass`. The Particle Transformer, its features `full`, one
thread, processor time; the methods take turns on the same batches after a warm-up.
"""

from __future__ import annotations

import statistics
import time
from itertools import islice
from typing import Any

import torch

import jetkit.models
import jetkit.tasks.registered  # noqa: F401 - registers the methods
from benchmarks.words import Words
from jetkit.data.batch import Batch
from jetkit.data.dataset import open_dataset
from jetkit.registry import create
from jetkit.tasks.classify import Classify
from jetkit.tasks.task import TASK, Task

METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "p-jepa": ("p-jepa", {}),
    "mpm, regression": ("mpm", {"target": "regression"}),
    "mpm, flow matching": ("mpm", {"target": "flow-matching"}),
    "mpm, spline flow": ("mpm", {"target": "spline-flow"}),
    "mpm, k-means": ("mpm", {"target": "k-means"}),
    "jet-clr": ("jet-clr", {}),
}


def main(arguments: list[str]) -> None:
    words = Words(arguments, ("batch", "repeats", "width", "depth"))
    (folder,) = words.folders
    torch.set_num_threads(1)
    dataset = open_dataset(folder)
    size = {"width": words.number("width", 128), "depth": words.number("depth", 8)}
    loader = dataset.batches(features="full", batch=words.number("batch", 128), seed=1)
    repeats = words.number("repeats", 5)
    batches = list(islice(loader, repeats + 1))
    spec = dataset.spec("full")
    tasks: dict[str, Task] = {"supervised": Classify(create("part", spec, size), spec)}
    for name, (method, given) in METHODS.items():
        torch.manual_seed(1)
        tasks[name] = create(method, (create("part", spec, size), spec), given, TASK)
        tasks[name].prepare(batches)
    report(compare(tasks, batches))


def compare(tasks: dict[str, Task], batches: list[Batch]) -> dict[str, list[float]]:
    """Seconds of a step on each batch but the first."""
    optimisers = {name: torch.optim.AdamW(task.parameters(), lr=1e-4) for name, task in tasks.items()}
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for batch in batches:
        for name, task in tasks.items():
            seconds[name].append(step(task, optimisers[name], batch))
    return {name: values[1:] for name, values in seconds.items()}


def step(task: Task, optimiser: torch.optim.Optimizer, batch: Batch) -> float:
    """Processor time of loss, gradient, optimiser and what follows."""
    begun = time.process_time()
    optimiser.zero_grad()
    task.train().loss(batch).total.backward()
    optimiser.step()
    task.after_step(0.5)
    return time.process_time() - begun


def report(seconds: dict[str, list[float]]) -> None:
    print(f"{'step':<22}{'CPU s, median':>14}{'over supervised':>18}{'lowest':>9}{'highest':>9}")
    for name, values in seconds.items():
        ratios = [mine / theirs for mine, theirs in zip(values, seconds["supervised"], strict=True)]
        middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
        print(f"{name:<22}{statistics.median(values):>14.2f}{middle:>18.2f}{low:>9.2f}{high:>9.2f}")
