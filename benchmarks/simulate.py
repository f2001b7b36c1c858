"""How much of the time is Pythia's: bare ``nextBatch`` against the whole chain, interleaved, on the same events.

With ``--window`` instead: what the parton window saves and what it loses, on the same seeds.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from jetkit.data.ragged import Ragged, Values
from jetkit.simulate import simulate
from jetkit.simulate.chain import BATCH, Chain, window
from jetkit.simulate.detector_card import load_card
from jetkit.simulate.generator import Generator, Streams
from jetkit.simulate.options import Options
from jetkit.simulate.recipe import load_recipe, load_variation, settings
from jetkit.simulate.rows import Rows, take


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


def rows_of(recipe_name: str, label: int, seed: int, on: bool, variation: str) -> Iterator[tuple[Rows, float]]:
    """Rows of kept jets, a batch of tries at a time, and the CPU seconds that each took."""
    recipe, varied = load_recipe(recipe_name), load_variation(variation)
    one = recipe.classes[label]
    jets = recipe.jets if on else replace(recipe.jets, parton_window=None)
    card = load_card(recipe.detector, varied.resolution_scale) if recipe.detector else None
    streams = Streams(seed)
    generator = Generator(settings(recipe, one.variants[0], varied), streams, window(jets))
    batches = Chain(generator, streams, one, jets, card, label).batches()
    while True:
        start = time.process_time()
        rows = next(batches)
        yield rows, time.process_time() - start


def compare(recipe_name: str, label: int, batches: int, seed: int, variation: str) -> str:
    """CPU time for each kept jet with the window and without, jets lost, and whether the others are the same."""
    both = [rows_of(recipe_name, label, seed, on, variation) for on in (True, False)]
    for rows in both:
        next(rows)
    spent, kept, unequal, lost = [0.0, 0.0], [0, 0], 0, []
    for _ in range(batches):
        (windowed, first), (everything, second) = (next(rows) for rows in both)
        spent = [spent[0] + first, spent[1] + second]
        kept = [kept[0] + len(windowed["jet_pt"]), kept[1] + len(everything["jet_pt"])]
        found = np.isin(everything["event_id"], windowed["event_id"])
        lost += everything["jet_pt"][~found].tolist()
        same = take(everything, np.flatnonzero(found))
        unequal += any(not equal(same[name], windowed[name]) for name in windowed)
    with_window, without = (1e3 * time / jets for time, jets in zip(spent, kept, strict=True))
    return (
        f"{with_window:8.2f} {without:8.2f} {without / with_window:6.2f} {kept[1]:7d} {len(lost):5d} {unequal:8d}  "
        f"{[round(pt) for pt in lost]}"
    )


def equal(column: Values, other: Values) -> bool:
    """Whether two columns hold the same bits."""
    if isinstance(column, Ragged):
        return equal(column.values, other.values) and equal(column.offsets, other.offsets)
    return np.asarray(column).tobytes() == np.asarray(other).tobytes()


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
    parser.add_argument("--window", action="store_true", help="only what the parton window saves and loses")
    parser.add_argument("--variation", default="none")
    chosen = parser.parse_args(arguments)
    if chosen.window:
        columns = f"{'with':>8s} {'without':>8s} {'ratio':>6s} {'kept':>7s} {'lost':>5s} {'unequal':>8s}  pT lost"
        print(f"CPU ms for each kept jet\n{'recipe':14s} {'class':6s} {columns}")
        for name in chosen.recipes:
            for label, one in enumerate(load_recipe(name).classes):
                found = compare(name, label, chosen.batches, chosen.seed, chosen.variation)
                print(f"{name:14s} {one.name:6s} {found}", flush=True)
        return
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
