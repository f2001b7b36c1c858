"""Conversion speed: jets per processor second, from JetClass ROOT files to a dataset, on one core.

    python -m benchmarks converting [FOLDER] [jets=200000] [pairs=5]

Ours (read, judge, write, read back, checksums) against weaver-core's reader, which only brings the same branches into
memory; in turns after a warm-up. FOLDER is a dataset of ours, repeated until there are so many jets; without it the
synthetic sample of `benchmarks.jets` is taken. Files have 100,000 jets, as the public ones, whatever their class.
"""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.interleaved import PAIRS, Comparison, Work, in_turns, machine
from benchmarks.jets import write_sample
from benchmarks.words import Words
from jetkit.data.convert import ConvertOptions, convert
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.ragged import take_rows
from jetkit.data.readers.jetclass import LABELS, JetClass
from jetkit.data.readers.root import write_tree

OPTIONS = ("jets", "pairs")
JETS_A_FILE = 100_000
ADDED = ("jet_mass", "jet_rank", "jet_label")
"""Columns of ours that JetClass has not."""


def compare(name: str, words: Words, scratch: Path) -> Iterator[Comparison]:
    """Time of weaver-core's reader over that of ours, which does more."""
    pa.set_cpu_count(1)
    jets = words.number("jets", 200_000)
    folder = words.folders[0] if words.folders else write_sample(scratch / "jets", min(jets, JETS_A_FILE))
    files = write_files(scratch / "root", open_dataset(folder), jets)
    work = {"jetkit": lambda: converted(files, scratch / "out"), "weaver-core, reading": weaver_reader(files)}
    seconds = in_turns(work, words.number("pairs", PAIRS), time.process_time)
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    equality = f"reading alone is not equal to a conversion; largest resident memory of both {largest:.2f} GiB"
    yield Comparison(name, seconds, jets, "jets", equality, machine("weaver-core"))


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


def converted(files: Sequence[Path], out: Path) -> None:
    """All jets in a dataset that is then removed."""
    convert("jetclass", files, ConvertOptions(out=str(out)))
    shutil.rmtree(out)


def weaver_reader(files: Sequence[Path]) -> Work:
    """Read the same branches with weaver-core, file by file."""
    import uproot
    from weaver.utils.data.fileio import _read_files

    with uproot.open(f"{files[0]}:tree") as tree:
        branches = [name for name in tree.keys(recursive=False) if name not in {"npart"}]

    def read() -> None:
        for file in files:
            _read_files([str(file)], branches, treename="tree")

    return read
