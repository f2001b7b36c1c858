"""The whole simulator (generator, detector, jets, labels, rows) beside the bare generator, on the same events.

    python -m benchmarks simulate [RECIPE…] [pairs=5] [seed=1]

A turn is one batch of tries of each class, in one process. The bare side is Pythia's ``nextBatch`` with the same
settings and seeds: it is the limit, so the ratio stays below 1. The last line is that of the last recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.interleaved import PAIRS, Comparison, in_turns, machine
from benchmarks.words import Words
from jetkit.simulation.chain import BATCH, Chain
from jetkit.simulation.detector_card import load_card
from jetkit.simulation.generator import Generator, Streams
from jetkit.simulation.recipe import ClassRecipe, Recipe, load_recipe, load_variation, settings

OPTIONS = ("pairs", "seed")
RECIPES = ("jetclass", "quark-gluon", "lhco", "top-landscape")


def compare(name: str, words: Words, scratch: Path) -> Iterator[Comparison]:
    """The bare generator's time over ours, a recipe after the other."""
    for recipe_name in map(str, words.folders or RECIPES):
        recipe, seed = load_recipe(recipe_name), words.number("seed", 1)
        ours = [whole(recipe, one, label, seed) for label, one in enumerate(recipe.classes)]
        bare = [generator(recipe, one, seed) for one in recipe.classes]
        work = {"jetkit": lambda ours=ours: [call() for call in ours], "bare Pythia": lambda b=bare: [c() for c in b]}
        seconds = in_turns(work, words.number("pairs", PAIRS))
        events = BATCH * len(recipe.classes)
        equality = "the same settings and seeds"
        yield Comparison(name, seconds, events, "events", equality, machine("pythia8mc", "fastjet"), recipe_name)


def whole(recipe: Recipe, one: ClassRecipe, label: int, seed: int) -> Callable[[], object]:
    """Makes the rows of the jets of one batch of tries."""
    card = load_card(recipe.detector) if recipe.detector else None
    streams = Streams(seed)
    chain = Chain(Generator(_lines(recipe, one), streams), streams, one, recipe.jets, card, label)
    rows = chain.batches()
    return lambda: next(rows)


def generator(recipe: Recipe, one: ClassRecipe, seed: int) -> Callable[[], object]:
    """Makes the events of one batch of tries."""
    bare = Generator(_lines(recipe, one), Streams(seed))
    bare._course.begin()
    return lambda: bare._pythia.nextBatch(BATCH, "skip")


def _lines(recipe: Recipe, one: ClassRecipe) -> list[str]:
    return settings(recipe, one.variants[0], load_variation("none"))
