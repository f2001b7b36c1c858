"""Conversion speed: jets per processor second, from JetClass ROOT files to a dataset, on one core.

    python -m benchmarks converting [FOLDER] [jets=50000] [repeats=3]

Ours (read, judge, write, read back, checksums) against weaver-core's reader, which only brings the same branches into
memory; in turns after a warm-up. FOLDER is a dataset of ours; without it the synthetic sample of ``loading`` is taken.
"""

from __future__ import annotations

import resource
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from benchmarks.loading import rate, report, write_sample
from jetkit.data.convert import ConvertOptions, convert
from jetkit.data.dataset import open_dataset
from jetkit.data.writers.jetclass import write_jetclass


def main(arguments: list[str]) -> None:
    options = dict(argument.split("=") for argument in arguments if "=" in argument)
    folders = [Path(argument) for argument in arguments if "=" not in argument]
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        folder = folders[0] if folders else write_sample(place / "jets", int(options.get("jets", 50000)))
        dataset = open_dataset(folder)
        files = write_jetclass(dataset, place / "root")
        work: dict[str, Callable[[], int]] = {"jetkit": lambda: converted(files, place / "out", len(dataset))}
        if peer := weaver_reader(files, len(dataset)):
            work["weaver-core, reading"] = peer
        rates: dict[str, list[float]] = {name: [] for name in work}
        for turn in range(int(options.get("repeats", 3)) + 1):
            for name, function in work.items():
                found = rate(function() for _ in range(1))
                rates[name] += [found] if turn else []
        report(rates)
        print(f"largest resident memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def converted(files: Sequence[Path], out: Path, jets: int) -> int:
    """Number of jets, all of them in a dataset that is then removed."""
    convert("jetclass", files, ConvertOptions(out=str(out)))
    shutil.rmtree(out)
    return jets


def weaver_reader(files: Sequence[Path], jets: int) -> Callable[[], int] | None:
    """Read the same branches with weaver-core, file by file; None where it is not installed."""
    try:
        from weaver.utils.data.fileio import _read_files
    except ImportError:
        return None
    import uproot

    with uproot.open(f"{files[0]}:tree") as tree:
        branches = [name for name in tree.keys(recursive=False) if name not in {"npart"}]

    def read() -> int:
        for file in files:
            _read_files([str(file)], branches, treename="tree")
        return jets

    return read
