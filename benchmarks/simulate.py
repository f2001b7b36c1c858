"""How much of the time is Pythia's: bare ``nextBatch`` against the whole chain, interleaved, on the same events."""

import argparse
import time
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from jetkit.simulate import simulate
from jetkit.simulate.chain import BATCH, Chain
from jetkit.simulate.detector_card import load_card
from jetkit.simulate.generator import Generator, Streams
from jetkit.simulate.options import Options
from jetkit.simulate.recipe import load_recipe, load_variation, settings


def ratios(recipe_name: str, label: int, batches: int, seed: int) -> tuple[list[float], float, float]:
    """Per batch: bare time over chain time; and the median chain rate (events/s) and kept jets/s."""
    recipe = load_recipe(recipe_name)
    one = recipe.classes[label]
    lines = settings(recipe, one.variants[0], load_variation("none"))
    card = load_card(recipe.detector) if recipe.detector else None
    streams = Streams(seed)
    bare = Generator(lines, streams)
    bare._hooks.begin()
    chain = Chain(Generator(lines, streams), streams, one, recipe.jets, card, label)
    rows = chain.batches()
    bare._pythia.nextBatch(BATCH, "skip")
    next(rows)
    kept, found, spent = 0, [], 0.0
    for _ in range(batches):
        start = time.perf_counter()
        bare._pythia.nextBatch(BATCH, "skip")
        middle = time.perf_counter()
        kept += len(next(rows)["jet_pt"])
        stop = time.perf_counter()
        found.append((middle - start) / (stop - middle))
        spent += stop - middle
    return found, batches * BATCH / spent, kept / spent


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
    generator = Generator(settings(recipe, recipe.classes[0].variants[0], load_variation("none")), Streams(seed))
    generator._hooks.begin()
    generator._pythia.nextBatch(BATCH, "skip")
    start = time.perf_counter()
    for _ in range(20):
        generator._pythia.nextBatch(BATCH, "skip")
    return 20 * BATCH / (time.perf_counter() - start)


def bare_scaling() -> float:
    """What the machine allows: rate of two generators in two processes over that of one alone."""
    with get_context("spawn").Pool(2) as pool:
        (alone,) = pool.map(bare_rate, [1])
        return sum(pool.map(bare_rate, [1, 2], chunksize=1)) / alone


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", nargs="*", default=["top-landscape", "jetclass", "quark-gluon", "lhco"])
    parser.add_argument("--batches", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scaling", type=int, default=0, metavar="JETS", help="also time two workers against one")
    chosen = parser.parse_args(arguments)
    print(f"{'recipe':14s} {'class':6s} {'bare/chain':>18s} {'events/s':>9s} {'kept jets/s':>12s}")
    for name in chosen.recipes:
        everything = []
        for label, one in enumerate(load_recipe(name).classes):
            found, events, jets = ratios(name, label, chosen.batches, chosen.seed)
            everything += found
            span = f"{median(found):.2f} ({min(found):.2f}-{max(found):.2f})"
            print(f"{name:14s} {one.name:6s} {span:>18s} {events:9.0f} {jets:12.0f}", flush=True)
        print(f"{name:14s} {'all':6s} {median(everything):18.2f}")
    if chosen.scaling:
        print(f"two bare generators are {bare_scaling():.2f} times as fast as one on this machine")
        for name in chosen.recipes:
            print(f"{name}, {chosen.scaling} jets: two workers are {scaling(name, chosen.scaling):.2f} times as fast")
