"""One shard of a dataset: a self-contained task that runs on any worker."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from jetkit.data.card import Shard
from jetkit.data.shards import write_shard
from jetkit.errors import JetkitError
from jetkit.simulation.chain import BATCH, Chain, pair, window
from jetkit.simulation.detector_card import DetectorCard
from jetkit.simulation.generator import Generator, Streams
from jetkit.simulation.options import Twin
from jetkit.simulation.recipe import Recipe, Variation, settings
from jetkit.simulation.rows import Rows, join, take
from jetkit.simulation.seeds import derive_seed

PATIENCE = 10_000
"""Number of events without a kept jet after which a recipe counts as impossible."""
EVENTS_A_SHARD = 2**32
"""Range of event numbers per shard; event_id = shard · 2³² + variant · 2²⁸ + event."""
EVENTS_A_VARIANT = EVENTS_A_SHARD // 16


@dataclass(frozen=True)
class Task:
    """Description of one shard: ``jets`` kept jets of one class (pairs of jets for twins)."""

    recipe: Recipe
    label: int
    number: int
    jets: int
    seed: int
    twin: Twin
    variation: Variation
    card: DetectorCard | None
    fingerprint: str

    @property
    def name(self) -> str:
        """File name of the shard."""
        return f"{self.number:05d}-{self.recipe.classes[self.label].name}.parquet"

    @property
    def copies(self) -> int:
        """Number of rows per jet."""
        return 1 if self.twin == "none" else 2


def make_shard(task: Task, folder: str, report: Callable[[int], None]) -> Shard:
    """Simulate a shard and write it; the result depends only on the task.

    Args:
        task: description of the shard.
        folder: output folder.
        report: called with the number of newly kept jets, for a progress bar.

    Returns:
        The shard as the card lists it; the file's metadata count the events and jets lost at each stage.

    Raises:
        JetkitError: no jet passes the cuts, the generator refuses its settings, the disk is full.
    """
    counts: Counter[str] = Counter()
    variants = task.recipe.classes[task.label].variants
    shares = [task.jets // len(variants) + (k < task.jets % len(variants)) for k in range(len(variants))]
    parts = [_collect(task, k, share, counts, report) for k, share in enumerate(shares) if share > 0]
    rows = join(parts)
    order = np.random.default_rng(derive_seed(task.seed, "order", task.number)).permutation(task.jets)
    rows = take(rows, (order[:, None] * task.copies + np.arange(task.copies)).ravel())
    rows["event_id"] = np.asarray(rows["event_id"]) + EVENTS_A_SHARD * task.number
    if task.copies > 1:
        rows["pair"] = EVENTS_A_SHARD * task.number + np.arange(task.jets).repeat(task.copies)
    metadata = {"jetkit": task.fingerprint, "counts": json.dumps(counts, sort_keys=True)}
    return write_shard(Path(folder) / task.name, rows, metadata)


def _collect(task: Task, variant: int, wanted: int, counts: Counter[str], report: Callable[[int], None]) -> Rows:
    """Collect the first ``wanted`` kept jets of a variant (for twins: pairs, one after the other)."""
    parts: list[Rows] = []
    kept = fruitless = 0
    batches = _chain(task, variant, counts, copy=0).batches() if task.copies == 1 else _pairs(task, variant, counts)
    for rows in batches:
        found = min(len(np.asarray(rows["jet_pt"])) // task.copies, wanted - kept)
        fruitless = 0 if found else fruitless + BATCH
        if fruitless >= PATIENCE:
            raise JetkitError(_impossible(task, fruitless))
        if found:
            parts.append(take(rows, np.arange(found * task.copies)))
            report(found)
            kept += found
        if kept == wanted:
            break
    rows = join(parts)
    rows["event_id"] = np.asarray(rows["event_id"]) + variant * EVENTS_A_VARIANT
    return rows


def _chain(task: Task, variant: int, counts: Counter[str], copy: int) -> Chain:
    """Build the chain of a variant; every variant of a shard has its own seed and event numbers."""
    recipe = task.recipe.classes[task.label]
    streams = Streams(derive_seed(task.seed, recipe.name, task.number, variant), task.twin, copy)
    jets = task.recipe.jets if task.twin == "none" else replace(task.recipe.jets, parton_window=None)
    generator = Generator(settings(task.recipe, recipe.variants[variant], task.variation), streams, window(jets))
    return Chain(generator, streams, recipe, jets, task.card, task.label, counts)


def _pairs(task: Task, variant: int, counts: Counter[str]) -> Iterator[Rows]:
    """Yield the jets that both twins keep, each original followed by its twin."""
    chains = [_chain(task, variant, Counter(), copy=1), _chain(task, variant, counts, copy=0)]
    for twin, original in zip(*(chain.batches() for chain in chains), strict=False):
        left, right = pair(original, twin, task.recipe.jets.radius)
        counts["jets without a twin"] += len(np.asarray(original["jet_pt"])) - len(left)
        same = np.asarray(original.pop("shared"))[left] == np.asarray(twin.pop("shared"))[right]
        counts["pairs that do not share what they should"] += int((~same).sum())
        left, right = left[same], right[same]
        both = join([take(original, left), take(twin, right)])
        both["twin"] = np.repeat([0, 1], len(left))
        yield take(both, np.arange(2 * len(left)).reshape(2, -1).T.ravel())


def _impossible(task: Task, events: int) -> str:
    recipe = task.recipe
    return (
        f"no jet of class {recipe.classes[task.label].name} passed the cuts of {recipe.name} in {events} events; "
        f"widen jets.pt = {list(recipe.jets.pt)} or the generator's pTHat window"
    )
