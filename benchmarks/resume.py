"""Trainings killed (SIGKILL) at random moments and resumed, beside the same ones left alone: are the endings equal?

``python -m benchmarks resume kills=20 [rows=1200] [seed=1] [cases=part,pfn,…]``. Every process is a fork of this one.
"""

import json
import os
import random
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from benchmarks.toy_jets import write_toy_jets
from jetkit.config import read_yaml
from jetkit.data.split import hash_share
from jetkit.errors import JetkitError, require
from jetkit.store.tensor_file import read_tensors
from jetkit.training.recipes import train_options
from jetkit.training.run import train

COMMON = ["features=kin", "batch=64", "threads=1", "checkpoint=0.01", "accelerator=cpu"]
PFN = ["model.phi=[16, 16]", "model.f=[16]", "epochs=6", "lr=3e-3"]
PART = ["model.width=16", "model.depth=2", "model.heads=2", "model.pair_widths=[8]", "epochs=3"]
NET = ["model.width=8", "model.depth=2"]
CASES = {
    "part": ("part", [*PART, "optimiser=ranger", "schedule=flat-decay", "ema=0.9", "features=kin"], 1),
    "pfn": ("pfn", [*PFN, "optimiser=adamw", "schedule=one-cycle", "patience=2", "clip=1.0", "select=loss"], 1),
    "lorentz-net": ("lorentz-net", [*NET, "epochs=3", "optimiser=radam", "schedule=cosine", "reweight=kinematics"], 1),
    "part-bf16": ("part", [*PART, "optimiser=adamw", "schedule=warm-restarts", "precision=bf16-mixed"], 1),
    "part-2-processes": ("part", [*PART, "optimiser=ranger", "schedule=one-cycle", "ema=0.9", "epochs=2"], 2),
}
"""Name → recipe, options and number of processes."""


def warm_up(data: Path, rows: int) -> None:
    """Imports and a compiled kernel, which every fork then has, and the data.

    Only a fork touches the data: Parquet's reader starts threads, whose locks a later fork would inherit locked.
    """
    for name in ("lightning_fabric", "pandas"):  # pyarrow imports pandas where it is installed
        with suppress(JetkitError):
            require(name)
    hash_share(np.arange(3), 0)
    child = os.fork()
    if not child:
        write_toy_jets(data, rows)
        os._exit(0)
    os.waitpid(child, 0)


def words_of(case: str, data: Path, out: Path) -> tuple[str, list[str]]:
    name, words, _ = CASES[case]
    chosen = {word.partition("=")[0]: word for word in [*COMMON, *words, f"data={data}", f"out={out}"]}
    return name, list(chosen.values())


def fork(case: str, data: Path, out: Path, rank: int, port: int, begun: int) -> int:
    """The process id of a training, of which rank 0 writes a byte to ``begun`` at each step."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        world = CASES[case][2]
        if world > 1:
            ranks = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
            place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "resume"}
            os.environ.update({name: str(value) for name, value in (ranks | place).items()})
        name, words = words_of(case, data, out)
        train(train_options(name, words), lambda done, total, what: os.write(begun, b"."))
        code = 0
    finally:
        sys.stdout.flush()
        os._exit(code)


def run(case: str, data: Path, out: Path, kill_after: tuple[int, float] | None) -> tuple[bool, int]:
    """Whether the training ended by itself, and its steps; ``None``: it is not killed, else after (steps, seconds)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    reader, writer = os.pipe()
    children = [fork(case, data, out, rank, port, writer) for rank in range(CASES[case][2])]
    os.close(writer)
    steps = 0
    while (kill_after is None or steps < kill_after[0]) and os.read(reader, 1):
        steps += 1
    if kill_after is not None:
        time.sleep(kill_after[1])
        for child in children:
            os.kill(child, signal.SIGKILL)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    os.close(reader)
    if not set(codes) <= {0, -signal.SIGKILL}:
        raise SystemExit(f"{case}: the training failed with exit codes {codes}")
    return codes == [0] * len(codes), steps


def ending(folder: Path) -> list[object]:
    """All that has to be equal: model file, log and checkpoint, the last two without seconds."""
    tensors, header = read_tensors(folder / "checkpoint.safetensors")
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    progress = header["progress"] | {"seconds": 0}
    for line in [*log, *progress["log"]]:
        line["seconds"] = 0
    weights = {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}
    return [(folder / "model.safetensors").read_bytes(), log, progress, header["optimiser"], weights]


def trial(case: str, data: Path, scratch: Path, kills: int, chance: random.Random) -> tuple[int, int, int, int]:
    """Kills, killed trainings, those of them that ended like the one left alone, and the steps of that one."""
    _, steps = run(case, data, scratch / "whole", None)
    expected, done, trainings, equal = ending(scratch / "whole"), 0, 0, 0
    while done < kills:
        folder, ended, first = scratch / f"killed-{trainings}", False, done
        while not ended:
            moment = (chance.randint(1, steps // 2), chance.uniform(0, 0.05)) if done < kills else None
            ended, _ = run(case, data, folder, moment)
            done += not ended
        if done > first:
            trainings += 1
            equal += ending(folder) == expected
            leftovers = [path.name for path in folder.iterdir() if path.name.endswith(".partial")]
            assert not leftovers, leftovers
    return done, trainings, equal, steps


def main(arguments: list[str]) -> None:
    chosen = {"kills": 20, "rows": 1200, "seed": 1, "cases": ",".join(CASES)}
    for word in arguments:
        name, _, text = word.partition("=")
        chosen[name] = read_yaml(text, name)
    torch.set_num_threads(1)
    chance, wrong = random.Random(chosen["seed"]), 0
    print(f"{'training':18s} {'kills':>6s} {'trainings':>10s} {'identical':>10s} {'steps':>6s}", flush=True)
    with TemporaryDirectory() as scratch:
        data = Path(scratch) / "data"
        warm_up(data, int(chosen["rows"]))
        for case in str(chosen["cases"]).split(","):
            folder = Path(scratch) / case
            kills, trainings, equal, steps = trial(case, data, folder, int(chosen["kills"]), chance)
            print(f"{case:18s} {kills:6d} {trainings:10d} {equal:10d} {steps:6d}", flush=True)
            wrong += trainings - equal
    sys.exit(1 if wrong else 0)
