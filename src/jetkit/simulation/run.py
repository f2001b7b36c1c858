"""Simulation of a dataset: plan the shards, run them on dask, and resume an interrupted run."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jetkit.config import ConfigError
from jetkit.data.building import account, claim, finished
from jetkit.data.card import Card, Shard, write_card
from jetkit.errors import JetkitError, require
from jetkit.progress import Count
from jetkit.simulation import generator
from jetkit.simulation.chain import NEAR
from jetkit.simulation.detector_card import DetectorCard, load_card
from jetkit.simulation.options import Options
from jetkit.simulation.recipe import Recipe, Variation, load_recipe, load_variation, to_dict
from jetkit.simulation.shard import Task, make_shard

SCRATCH = ".dask"
STAGES = ("shower", "hadrons", "detector")


def simulate(recipe: str | Path, options: Options, progress: Count | None = None) -> Path:
    """Simulate a dataset, or resume an interrupted run; both give bit-identical results.

    Args:
        recipe: name of a packaged recipe, or a YAML file.
        options: numbers of jets, seed, folder, workers, ...
        progress: called with (jets kept so far, jets asked for).

    Returns:
        The folder of the dataset.

    Raises:
        JetkitError: a bad recipe or option, a folder that holds something else, an impossible cut, a full disk.

    Example:
        >>> import tempfile
        >>> from jetkit.data.card import read_card
        >>> folder = simulate("quark-gluon", Options(jets=4, out=tempfile.mkdtemp(), workers=1))
        >>> read_card(folder).counts
        {'gluon': 2, 'quark': 2}
    """
    tasks, card = plan(recipe, options)
    folder = Path(options.out or f"data/{card.name}")
    claim(folder, card)
    shutil.rmtree(folder / SCRATCH, ignore_errors=True)
    names = [task.name for task in tasks]
    done = {shard.name: shard for shard in finished(folder, names, tasks[0].fingerprint)}
    todo = [task for task in tasks if task.name not in done]
    ahead = sum(task.jets for task in tasks if task.name in done)
    total = sum(task.jets for task in tasks)
    for shard in _run(todo, folder, options, lambda kept: progress(ahead + kept, total) if progress else None):
        done[shard.name] = shard
        write_card(folder, card.with_shards(list(done.values()), complete=False))
    counts, columns = account(folder, names)
    final = replace(card, skipped=counts, columns=columns)
    write_card(folder, final.with_shards(list(done.values()), complete=True))
    return folder


def plan(recipe: str | Path, options: Options) -> tuple[list[Task], Card]:
    """Plan the shards and the card that describes them; everything is checked, and nothing is written."""
    variation = load_variation(options.variation)
    if variation.particle_level and options.detector not in ("", "none"):
        raise ConfigError(
            f"variation={options.variation} ends before any detector; leave out detector={options.detector}"
        )
    parsed = load_recipe(recipe, "none" if variation.particle_level else options.detector)
    if options.twin == "redetect" and not parsed.detector:
        raise ConfigError(
            "twin=redetect needs a detector; this recipe has none, choose twin=rehadronise or detector=NAME"
        )
    if options.twin == "rehadronise" and variation.particle_level:
        raise ConfigError(
            f"twin=rehadronise would repeat nothing with variation={options.variation}; choose twin=reshower"
        )
    detector = load_card(parsed.detector, variation.resolution_scale) if parsed.detector else None
    versions = {"pythia": generator.version(), "fastjet": version("fastjet"), "jetkit": version("jetkit")}
    made_of = _made_of(parsed, options, variation, detector)
    fingerprint = hashlib.sha256(json.dumps([made_of, versions], sort_keys=True).encode()).hexdigest()
    classes = len(parsed.classes)
    if options.jets < classes:
        raise ConfigError(f"jets={options.jets} is less than one for each of the {classes} classes; ask for more")
    tasks = []
    for label in range(classes):
        wanted = options.jets // classes + (label < options.jets % classes)
        for k, first in enumerate(range(0, wanted, options.shard)):
            jets = min(options.shard, wanted - first)
            key = (options.seed, options.twin, variation, detector, fingerprint)
            tasks.append(Task(parsed, label, k * classes + label, jets, *key))
    return sorted(tasks, key=lambda task: task.number), _card(parsed, options, made_of, versions, detector)


def _made_of(recipe: Recipe, options: Options, variation: Variation, detector: DetectorCard | None) -> dict[str, Any]:
    """Return all settings that determine the content of the dataset, as plain values."""
    chosen = {name: getattr(options, name) for name in ("jets", "seed", "shard", "twin", "variation")}
    return {
        "dataset": to_dict(recipe),
        "options": chosen,
        "variation": asdict(variation),
        "detector": json.loads(json.dumps(asdict(detector)).replace("Infinity", '"inf"')) if detector else None,
    }


def _card(
    recipe: Recipe, options: Options, made_of: dict[str, Any], versions: dict[str, str], detector: DetectorCard | None
) -> Card:
    jets = recipe.jets
    cuts = [
        f"{jets.algorithm} jets, R = {jets.radius}, {jets.pt[0]} < pT < {jets.pt[1]} GeV, |eta| < {jets.abs_eta}, "
        f"|y| < {jets.abs_rapidity}",
        {0: "all jets of an event", 1: "the hardest jet of an event"}.get(
            jets.leading, f"the {jets.leading} hardest jets of an event"
        ),
    ]
    return Card(
        recipe.name,
        classes=[one.name for one in recipe.classes],
        recipe=made_of,
        generator=versions,
        seed=options.seed,
        cuts=cuts,
        notes=[
            recipe.description,
            f"detector: {detector.description}" if detector else "particle level, no detector",
            *_twins(recipe, options),
        ],
        differences=[*recipe.differences, *(detector.differences if detector else [])],
        citation=recipe.citation,
    )


def _twins(recipe: Recipe, options: Options) -> list[str]:
    """Return a sentence on how twins were made, if they were."""
    if options.twin == "none":
        return []
    drawn = ", ".join(stage for stage in STAGES if stage in generator.REPEATED[options.twin])
    return [
        f"twins ({options.twin}): each event twice, with {drawn} drawn anew; the two jets of a pair are each other's "
        f"nearest, Delta R < {min(recipe.jets.radius, NEAR)}"
    ]


def _run(tasks: list[Task], folder: Path, options: Options, report: Callable[[int], None]) -> Iterator[Shard]:
    """Run tasks on dask, and yield their shards as they finish."""
    if not tasks:
        return
    distributed = require("distributed")
    kept: Counter[int] = Counter()
    with _client(folder, options, len(tasks)) as client:

        def hear(event: tuple[float, tuple[int, int]]) -> None:
            kept[event[1][0]] += event[1][1]
            report(sum(kept.values()))

        client.subscribe_topic(SCRATCH, hear)
        futures = client.map(_work, tasks, folder=str(folder.resolve()), pure=False)
        for future in distributed.as_completed(futures):
            yield future.result()


def _work(task: Task, folder: str) -> Shard:
    worker = require("distributed").get_worker()
    return make_shard(task, folder, lambda jets: worker.log_event(SCRATCH, (task.number, jets)))


@contextmanager
def _client(folder: Path, options: Options, tasks: int) -> Iterator[Any]:
    """Open a dask client for the given scheduler, or for local processes that live as long as the run."""
    distributed = require("distributed")
    if options.scheduler:
        try:
            client = distributed.Client(options.scheduler, timeout=10)
        except (OSError, ValueError) as error:
            raise JetkitError(
                f"no dask scheduler answers at {options.scheduler}; start one or give workers=N"
            ) from error
        with client:
            yield client
        return
    scratch = folder / SCRATCH
    quiet = {"distributed.worker.use-file-locking": False, "distributed.logging": {"distributed": "error"}}
    with require("dask").config.set(quiet), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _local_cluster(min(options.workers, tasks), scratch) as cluster, distributed.Client(cluster) as client:
                yield client
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _local_cluster(workers: int, scratch: Path) -> Any:
    """Start local processes with one thread each; a single worker is a thread of this process."""
    try:
        return require("distributed").LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=workers > 1,
            memory_limit=0,
            dashboard_address=None,
            local_directory=str(scratch),
            silence_logs=50,
        )
    except RuntimeError as error:
        raise JetkitError(
            "the worker processes cannot start: in a script call simulate() below if __name__ == '__main__', "
            "or take workers=1"
        ) from error
