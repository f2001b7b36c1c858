"""Ways to do the same work, timed in turns: A B A B …, after a warm-up of each, with fixed threads."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import Connection
from pathlib import Path

import torch
import torch.multiprocessing
from lightning_fabric.plugins.environments.lightning import find_free_network_port

PAIRS = 5
"""Fewest pairs of a comparison."""
Work = Callable[[], object]


@dataclass(frozen=True)
class Comparison:
    """Seconds of each turn.

    Attributes:
        seconds: side → seconds of its turns; first ours, then the peer's.
        limits: the same of what no program that does this work can undercut, or what the bare machine does.
        amount: how much of `unit` a turn does.
        equality: what was found the same before the clock ran, in words.
        setting: options that are not the default ones, in words.
    """

    name: str
    seconds: Mapping[str, tuple[float, ...]]
    amount: int
    unit: str
    equality: str
    machine: Mapping[str, str]
    setting: str = ""
    limits: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """Name and setting as the name of a file."""
        return re.sub(r"[^a-z0-9]+", "-", f"{self.name} {self.setting}".lower()).strip("-")

    @property
    def ratios(self) -> list[float]:
        """The peer's time over ours, pair by pair."""
        ours, theirs, *_ = self.seconds.values()
        return [other / mine for mine, other in zip(ours, theirs, strict=True)]

    @property
    def ratio(self) -> str:
        """Their median and range."""
        return f"{statistics.median(self.ratios):.2f} ({min(self.ratios):.2f} to {max(self.ratios):.2f})"

    def print(self) -> None:
        """A table, the machine, and last the ratio."""
        print("\n".join(f"{key}: {value}" for key, value in self.machine.items()))
        print(f"{self.name}{self.setting and ', ' + self.setting}: {self.amount:,} {self.unit} a turn; {self.equality}")
        print(f"{'':<32}{self.unit + '/s, median':>24}{'lowest':>12}{'highest':>12}")
        for side, seconds in {**self.seconds, **{f"limit: {key}": times for key, times in self.limits.items()}}.items():
            rates = [self.amount / one for one in seconds]
            print(f"{side:<32}{statistics.median(rates):>24,.1f}{min(rates):>12,.1f}{max(rates):>12,.1f}")
        print(
            f"ratio {statistics.median(self.ratios):.2f} ({min(self.ratios):.2f} to {max(self.ratios):.2f})", flush=True
        )

    def write(self, path: Path) -> None:
        """All numbers as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Comparison:
        """What `write` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


class Apart:
    """Work that processes of its own do, so that what one side asks of the machine does not help the other.

    Args:
        prepare: makes the work, in the other process; a function of a module
        arguments: what it is called with
        threads: of torch, in each of the other processes
        processes: how many do the work together, as processes of `torch.distributed`
    """

    def __init__(self, prepare: Callable[..., Work], *arguments: object, threads: int, processes: int = 1) -> None:
        context = torch.multiprocessing.get_context("spawn")
        self._pipes, self._processes = [], []
        meeting = f"tcp://127.0.0.1:{find_free_network_port()}"
        for rank in range(processes):
            pipe, theirs = context.Pipe()
            place = (meeting, rank, processes)
            process = context.Process(target=_serve, args=(theirs, threads, place, prepare, arguments), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(pipe)
            self._processes.append(process)
        for pipe in self._pipes:
            pipe.recv()

    def __call__(self) -> object:
        """What the work gives in the first process, once it is done in all."""
        for pipe in self._pipes:
            pipe.send(None)
        done = [pipe.recv() for pipe in self._pipes]
        return done[0]

    def close(self) -> None:
        """End the processes."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join()


@contextmanager
def apart(
    work: Mapping[str, tuple[Callable[..., Work], *tuple[object, ...]]], threads: int, **together: int
) -> Iterator[dict[str, Apart]]:
    """Sides from what makes the work and its arguments; the processes end with the block.

    A side has a process of its own, or as many as `together` says, which divide the threads among them.
    """
    sides = {}
    for side, (prepare, *arguments) in work.items():
        processes = together.get(side, 1)
        sides[side] = Apart(prepare, *arguments, threads=max(threads // processes, 1), processes=processes)
    try:
        yield sides
    finally:
        for side in sides.values():
            side.close()


def _serve(
    pipe: Connection,
    threads: int,
    place: tuple[str, int, int],
    prepare: Callable[..., Work],
    arguments: tuple[object, ...],
) -> None:
    torch.set_num_threads(threads)
    meeting, rank, processes = place
    if processes > 1:
        torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=processes)
    work = prepare(*arguments)
    pipe.send(None)
    with suppress(EOFError):  # the other end is closed
        while True:
            pipe.recv()
            pipe.send(work())


def in_turns(
    work: Mapping[str, Work], pairs: int = PAIRS, clock: Callable[[], float] = time.perf_counter
) -> dict[str, tuple[float, ...]]:
    """Seconds of each turn of each way, after a call of each that compiles and warms up."""
    for call in work.values():
        call()
    seconds: dict[str, list[float]] = {side: [] for side in work}
    for _ in range(max(pairs, PAIRS)):
        for side, call in work.items():
            begun = clock()
            call()
            seconds[side].append(clock() - begun)
    return {side: tuple(times) for side, times in seconds.items()}


def machine(*packages: str) -> dict[str, str]:
    """Processor, threads, versions and date."""
    found = {
        "date": time.strftime("%Y-%m-%d"),
        "processor": _processor(),
        "threads": f"{torch.get_num_threads()} of {os.cpu_count()} cores",
    }
    for name in ("jetkit", "torch", "numpy", *packages):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
