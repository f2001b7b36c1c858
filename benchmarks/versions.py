"""This version beside another checkout: the same work in turns, each in a process of its own.

``python -m benchmarks versions other=PATH [pairs=5] [threads=2]``, where PATH holds the other version's ``src``. The
script calls what both have; names that have moved are looked for in both places.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.words import Words

WORK = ("loading", "part-train", "part-infer", "epoch", "simulate")
SMALL = ["batch=64", "epochs=1", "optimiser=adamw", "schedule=constant", "accelerator=cpu", "features=full"]


def main(words: list[str]) -> None:
    """Compare, and print a table of ratios: the other's time over ours."""
    given = Words(words, ("other", "pairs", "threads", "work"))
    pairs, threads = int(given.options.get("pairs", 5)), int(given.options.get("threads", 2))
    here, other = Path(__file__).parents[1], Path(given.options["other"])
    chosen = given.options["work"].split(",") if "work" in given.options else WORK
    print(f"{'':<14}{'ours, s':>10}{'other, s':>10}   ratio, median (lowest to highest)")
    for name in chosen:
        sides = [_start(root, name, threads) for root in (here, other)]
        times: list[tuple[float, float]] = []
        for _ in range(pairs + 1):
            times.append((_turn(sides[0]), _turn(sides[1])))
        for side in sides:
            side.stdin.close()
            side.wait()
        kept = times[1:]  # the first turn warms up
        ratios = [theirs / ours for ours, theirs in kept]
        ours, theirs = (statistics.median(column) for column in zip(*kept, strict=True))
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"{name:<14}{ours:>10.3f}{theirs:>10.3f}   {spread}", flush=True)


def _start(root: Path, name: str, threads: int) -> Any:
    paths = os.pathsep.join([str(root / "src"), str(Path(__file__).parents[1])])
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.versions", name, str(threads)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": str(threads)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _turn(side: Any) -> float:
    side.stdin.write("go\n")
    side.stdin.flush()
    return float(json.loads(side.stdout.readline()))


def _of(name: str, *modules: str) -> Any:
    """A function that one of these modules has."""
    for module in modules:
        try:
            return getattr(import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise ImportError(name)


def jets(folder: Path, rows: int = 20_000) -> Path:
    """Jets of 20 to 80 particles in four shards, of ten classes, with all columns of the set ``full``."""
    import numpy as np

    from jetkit.data.card import Card, write_card
    from jetkit.data.shards import write_shard

    folder.mkdir(parents=True)
    shards = []
    for number in range(4):
        random = np.random.default_rng(number)
        counts = random.integers(20, 81, rows // 4)
        offsets, total = np.concatenate([[0], np.cumsum(counts)]), int(counts.sum())
        pt, eta, phi = random.exponential(10, total) + 0.5, random.normal(0, 0.5, total), random.normal(0, 0.5, total)
        values = {"px": pt * np.cos(phi), "py": pt * np.sin(phi), "pz": pt * np.sinh(eta), "energy": pt * np.cosh(eta)}
        values |= {"deta": eta, "dphi": phi, "charge": random.integers(-1, 2, total)}
        values |= {f"{name}val": random.normal(0, 1, total) for name in ("d0", "dz")}
        values |= {f"{name}err": random.uniform(0, 1, total) for name in ("d0", "dz")}
        kind = random.integers(0, 5, total)
        names = ("ChargedHadron", "NeutralHadron", "Photon", "Electron", "Muon")
        values |= {f"is{name}": kind == place for place, name in enumerate(names)}
        columns: dict[str, Any] = {f"part_{name}": (value, offsets) for name, value in values.items()}
        columns |= {"jet_pt": random.uniform(500, 1000, len(counts)), "jet_eta": random.normal(size=len(counts))}
        columns |= {"jet_phi": random.normal(size=len(counts)), "jet_energy": random.uniform(600, 1200, len(counts))}
        columns |= {
            "jet_label": random.integers(0, 10, len(counts)),
            "event_id": np.arange(len(counts)) + number * 10**6,
        }
        shards.append(write_shard(folder / f"{number}.parquet", columns))
    write_card(folder, Card("jets", classes=[f"class {k}" for k in range(10)]).with_shards(shards, complete=True))
    return folder


def prepared(name: str, place: Path) -> Callable[[], object]:
    """What one turn does."""
    if name == "simulate":
        return lambda: _simulate(place / f"simulated-{time.monotonic_ns()}")
    from jetkit import open_dataset

    data = jets(place / "jets")
    if name == "loading":
        return lambda: [len(batch) for batch in open_dataset(data).batches(batch=512, features="full")]
    options = _of("train_options", "jetkit.training.recipes", "jetkit.train.recipes", "jetkit.train.options")
    if name == "epoch":
        train = _of("train", "jetkit.training.run", "jetkit.train.run")

        def epoch() -> None:
            out = place / f"run-{time.monotonic_ns()}"
            train(
                options("part", [f"data={data}", f"out={out}", "train_jets=1280", "fractions=[0.9,0.02,0.08]", *SMALL])
            )
            shutil.rmtree(out)

        return epoch
    return _steps(options("part", [f"data={data}", f"out={place / 'run'}", *SMALL]), name)


def _steps(wanted: Any, name: str) -> Callable[[], object]:
    """Eight training steps, or the logits of eight batches, of the published Particle Transformer."""
    from itertools import islice

    import torch

    make_fabric = _of("make_fabric", "jetkit.training.machine", "jetkit.train.machine", "jetkit.train.run")
    assemble = _of("assemble", "jetkit.training.assembly", "jetkit.train.assembly", "jetkit.train.run")
    rehearse = _of("rehearse", "jetkit.training.loop", "jetkit.train.loop")
    fabric = make_fabric(getattr(wanted, "machine", wanted))
    training, _ = assemble(wanted, fabric, lambda done, total, what: None)
    batches = list(islice(training.train, 8))
    door = getattr(training, "door", training.task)
    task = door.module.task if hasattr(training, "door") else door.module
    if name == "part-train":
        door.train()
        return lambda: [rehearse(training, batch, 1e-3) for batch in batches]
    logits = task if hasattr(training, "door") else task.model
    task.eval()

    @torch.inference_mode()
    def infer() -> list[int]:
        return [len(logits(batch)) for batch in batches]

    return infer


def _simulate(out: Path) -> None:
    simulate = _of("simulate", "jetkit.simulation.run", "jetkit.simulate.run")
    Options = _of("Options", "jetkit.simulation.options", "jetkit.simulate.options")

    simulate("top-landscape", Options(jets=300, out=str(out), seed=1, workers=1), lambda done, total: None)
    shutil.rmtree(out)


def _serve(name: str, threads: int) -> None:
    """Do a turn for each line that comes in, and say how long it took."""
    from tempfile import TemporaryDirectory

    import torch

    torch.set_num_threads(threads)
    with TemporaryDirectory() as folder:
        work = prepared(name, Path(folder))
        for _ in sys.stdin:
            begun = time.perf_counter()
            work()
            print(json.dumps(time.perf_counter() - begun), flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
