"""Conversion speed: jets per processor second, from JetClass ROOT files to a dataset, on one core.

    python -m benchmarks converting [FOLDER] [jets=200000] [repeats=3]

Ours (read, judge, write, read back, checksums) against weaver-core's reader, which only brings the same branches into
memory; in turns after a warm-up. FOLDER is a dataset of ours, repeated until there are so many jets; without it the
synthetic sample of ``loading`` is taken. Files have 100,000 jets, as the public ones, whatever their class.
"""

from __future__ import annotations

import resource
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.loading import rate, report, write_sample
from jetkit.data.convert import ConvertOptions, convert
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.ragged import take_rows
from jetkit.data.readers.jetclass import LABELS, JetClass
from jetkit.data.readers.root import write_tree

JETS_A_FILE = 100_000
ADDED = ("jet_mass", "jet_rank", "jet_label")
"""Columns of ours that JetClass has not."""


def main(arguments: list[str]) -> None:
    options = dict(argument.split("=") for argument in arguments if "=" in argument)
    folders = [Path(argument) for argument in arguments if "=" not in argument]
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        jets = int(options.get("jets", 200_000))
        folder = folders[0] if folders else write_sample(place / "jets", min(jets, JETS_A_FILE))
        files = write_files(place / "root", open_dataset(folder), jets)
        work: dict[str, Callable[[], int]] = {"jetkit": lambda: converted(files, place / "out", jets)}
        if peer := weaver_reader(files, jets):
            work["weaver-core, reading"] = peer
        rates: dict[str, list[float]] = {name: [] for name in work}
        for turn in range(int(options.get("repeats", 3)) + 1):
            for name, function in work.items():
                found = rate(function() for _ in range(1))
                rates[name] += [found] if turn else []
        report(rates)
        print(f"largest resident memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def write_files(folder: Path, dataset: Dataset, jets: int) -> list[Path]:
    """ROOT files with the branches of JetClass and this many jets in all, each called QCD."""
    folder.mkdir()
    public = [name for name in JetClass.kept if name.startswith(("part_", "jet_")) and name not in ADDED]
    columns = dataset.read([name for name in public if name in dataset.columns])
    files = [folder / f"jets_{number:03d}.root" for number in range(-(-jets // JETS_A_FILE))]
    for number, file in enumerate(files):
        rows = np.arange(number * JETS_A_FILE, min(jets, (number + 1) * JETS_A_FILE)) % len(dataset)
        taken = {name: take_rows(column, rows) for name, column in columns.items()}
        write_tree(file, "tree", taken | {label: np.full(len(rows), label == LABELS[0]) for label in LABELS})
    return files


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
