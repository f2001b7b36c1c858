"""What two workers of the simulator bring over one, and what the machine allows.

python -m benchmarks workers [RECIPE…] [jets=2000]
"""

from __future__ import annotations

import time
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.simulate import RECIPES, generator
from benchmarks.words import Words
from jetkit.simulation import simulate
from jetkit.simulation.chain import BATCH
from jetkit.simulation.options import Options
from jetkit.simulation.recipe import load_recipe


def main(arguments: list[str]) -> None:
    """A line for the machine and one for each recipe."""
    words = Words(arguments, ("jets",))
    jets = words.number("jets", 2000)
    print(f"two bare generators are {bare_scaling():.2f} times as fast as one on this machine")
    for name in map(str, words.folders or RECIPES):
        print(f"{name}, {jets} jets: two workers are {scaling(name, jets):.2f} times as fast")


def scaling(recipe: str, jets: int) -> float:
    """Wall time of one worker over that of two, for the same dataset, start-up included."""
    times = {}
    with TemporaryDirectory() as folder:
        for workers in (1, 2):
            start = time.perf_counter()
            out = str(Path(folder) / str(workers))
            simulate(recipe, Options(jets=jets, out=out, workers=workers, shard=max(1, jets // 20)))
            times[workers] = time.perf_counter() - start
    return times[1] / times[2]


def bare_rate(seed: int) -> float:
    """Events/s of the bare generator, for the first class of top-landscape."""
    recipe = load_recipe("top-landscape")
    make_batch = generator(recipe, recipe.classes[0], seed)
    make_batch()
    start = time.perf_counter()
    for _ in range(20):
        make_batch()
    return 20 * BATCH / (time.perf_counter() - start)


def bare_scaling() -> float:
    """What the machine allows: rate of two generators in two processes over that of one alone."""
    with get_context("spawn").Pool(2) as pool:
        (alone,) = pool.map(bare_rate, [1])
        return sum(pool.map(bare_rate, [1, 2], chunksize=1)) / alone
