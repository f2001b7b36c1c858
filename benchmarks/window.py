"""What the parton window of the simulator saves and what it loses, with and without it on the same seeds.

python -m benchmarks window [RECIPE…] [batches=6] [seed=1] [variation=none]
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.simulate import RECIPES
from benchmarks.words import Words
from jetkit.data.ragged import Ragged, Values
from jetkit.simulation.chain import Chain, window
from jetkit.simulation.detector_card import load_card
from jetkit.simulation.generator import Generator, Streams
from jetkit.simulation.recipe import load_recipe, load_variation, settings
from jetkit.simulation.rows import Rows, take


def main(arguments: list[str]) -> None:
    """A line for each recipe and class."""
    words = Words(arguments, ("batches", "seed", "variation"))
    columns = f"{'with':>8s} {'without':>8s} {'ratio':>6s} {'kept':>7s} {'lost':>5s} {'unequal':>8s}  pT lost"
    print(f"CPU ms for each kept jet\n{'recipe':14s} {'class':6s} {columns}")
    for name in map(str, words.folders or RECIPES):
        for label, one in enumerate(load_recipe(name).classes):
            variation = words.options.get("variation", "none")
            found = compare(name, label, words.number("batches", 6), words.number("seed", 1), variation)
            print(f"{name:14s} {one.name:6s} {found}", flush=True)


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
