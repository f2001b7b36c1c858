"""Resident memory of one process, sampled while it simulates a shard and while it streams a dataset many times over."""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from jetkit.data.dataset import open_dataset
from jetkit.simulation import simulate
from jetkit.simulation.options import Options
from jetkit.simulation.run import plan
from jetkit.simulation.shard import make_shard


def resident() -> float:
    return psutil.Process().memory_info().rss / 2**20


def curve(samples: list[tuple[int, float]]) -> str:
    step = max(1, len(samples) // 10)
    return "  ".join(f"{n}: {mib:.0f}" for n, mib in samples[::step])


def simulating(recipe: str, jets: int, folder: Path) -> list[tuple[int, float]]:
    """(kept jets, MiB) while consecutive shards are made in this very process."""
    tasks, _ = plan(recipe, Options(jets=jets, shard=max(1, jets // 20), out=str(folder)))
    folder.mkdir()
    samples, kept = [(0, resident())], 0
    for task in tasks:
        make_shard(task, str(folder), lambda _: None)
        kept += task.jets
        samples.append((kept, resident()))
    return samples


def streaming(folder: Path, epochs: int) -> tuple[list[tuple[int, float]], float]:
    samples, seen, start = [(0, resident())], 0, time.perf_counter()
    dataset = open_dataset(folder)
    for epoch in range(epochs):
        for rows in dataset.batches(batch=128, features="kin", epoch=epoch):
            seen += len(rows)
        samples.append((seen, resident()))
    return samples, seen / (time.perf_counter() - start)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="top-landscape")
    parser.add_argument("--jets", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=40)
    chosen = parser.parse_args(arguments)
    with TemporaryDirectory() as scratch:
        print(f"simulating {chosen.recipe}, resident MiB after so many kept jets:")
        print(" ", curve(simulating(chosen.recipe, chosen.jets, Path(scratch) / "shards")))
        whole = simulate(chosen.recipe, Options(jets=chosen.jets, out=str(Path(scratch) / "whole")))
        samples, rate = streaming(whole, chosen.epochs)
        print(f"streaming it {chosen.epochs} times, resident MiB after so many jets ({rate:.0f} jets/s):")
        print(" ", curve(samples))
