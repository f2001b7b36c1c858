"""Two ways to do the same work, timed in turns: A B A B …, after a warm-up of each, with fixed threads."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

PAIRS = 5
"""Fewest pairs of a comparison."""


@dataclass(frozen=True)
class Comparison:
    """Seconds of each turn.

    Attributes:
        amount: how much of `unit` a turn does.
        equality: what was found the same before the clock ran, in words.
    """

    name: str
    peer: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    amount: int
    unit: str
    equality: str
    machine: Mapping[str, str]

    @property
    def ratios(self) -> list[float]:
        """Their time over ours, pair by pair."""
        return [theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    def print(self) -> None:
        """A table, the machine, and last the ratio."""
        print("\n".join(f"{key}: {value}" for key, value in self.machine.items()))
        print(f"{self.name}: {self.amount:,} {self.unit} a turn; {self.equality}")
        print(f"{'':<24}{self.unit + '/s, median':>24}{'lowest':>12}{'highest':>12}")
        for side, seconds in (("jetkit", self.ours), (self.peer, self.theirs)):
            rates = [self.amount / one for one in seconds]
            print(f"{side:<24}{statistics.median(rates):>24,.1f}{min(rates):>12,.1f}{max(rates):>12,.1f}")
        print(f"ratio {statistics.median(self.ratios):.2f} ({min(self.ratios):.2f} to {max(self.ratios):.2f})")

    def write(self, path: Path) -> None:
        """All numbers as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self) | {"ratio": statistics.median(self.ratios)}, indent=1) + "\n")


def in_turns(
    name: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    peer: str,
    amount: int,
    unit: str,
    equality: str,
    pairs: int = PAIRS,
    packages: tuple[str, ...] = (),
) -> Comparison:
    """Compare both by the seconds of five pairs of turns or more."""
    first, second = seconds_in_turns(ours, theirs, max(pairs, PAIRS))
    return Comparison(name, peer, first, second, amount, unit, equality, machine(packages))


def seconds_in_turns(
    ours: Callable[[], object], theirs: Callable[[], object], pairs: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds of each turn of both, after a call of each that compiles and warms up."""
    ours(), theirs()
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(pairs):
        for side, call in enumerate((ours, theirs)):
            begun = time.perf_counter()
            call()
            seconds[side].append(time.perf_counter() - begun)
    return tuple(seconds[0]), tuple(seconds[1])


def machine(packages: tuple[str, ...] = ()) -> dict[str, str]:
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
