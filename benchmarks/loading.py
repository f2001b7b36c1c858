"""From files to padded batches of 128 jets with the features ``full``, beside weaver-core's SimpleIterDataset.

    python -m benchmarks loading [FOLDER] [jets=50000] [pairs=5]

One thread each, processor time of all threads. Without a folder the jets are synthetic (`benchmarks.jets`). Ours reads
the Parquet files, and then the mapped copy of them that `jetkit map` makes; weaver-core reads the Parquet files, whole
ones at once (``--fetch-step 1``, its fastest), or a hundredth of each (its default). All is in the machine's cache. The
limits are the bare decoding of the columns by pyarrow, and a copy of the batches from memory to memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from benchmarks.interleaved import PAIRS, Comparison, in_turns, machine
from benchmarks.jets import write_sample
from benchmarks.weaver_data import LENGTH, weaver_batches
from benchmarks.words import Words
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.mapping import map_dataset

OPTIONS = ("jets", "pairs")
BATCH = 128
FETCHES = {"": 0.01, "fetch step 1": 1.0}
"""Share of every file that weaver-core loads at once: its default, and its fastest."""


def compare(name: str, words: Words, scratch: Path) -> Iterator[Comparison]:
    """Ours from Parquet and from mapped files, beside weaver-core with both its settings; the main one last."""
    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    folder = words.folders[0] if words.folders else write_sample(scratch / "jets", words.number("jets", 50_000))
    parquet = open_dataset(folder)
    mapped = open_dataset(map_dataset(folder, scratch / "mapped"))
    work: dict[str, Callable[[], object]] = {
        "jetkit": lambda: count(ours(parquet)),
        "jetkit, mapped": lambda: count(ours(mapped)),
        **{f"weaver-core {key}".strip(): counting(parquet, scratch, fetch) for key, fetch in FETCHES.items()},
        "decoding by pyarrow": lambda: decode(parquet),
        "copying the batches": copying(parquet),
    }
    equality = same_jets(parquet, mapped, scratch)
    seconds = in_turns(work, words.number("pairs", PAIRS), time.process_time)
    limits = {key: seconds[key] for key in ("decoding by pyarrow", "copying the batches")}
    for setting in ("fetch step 1", ""):
        peer = f"weaver-core {setting}".strip()
        for side in ("jetkit", "jetkit, mapped") if setting else ("jetkit",):
            said = ", ".join(part for part in (side.partition(", ")[2], setting) if part)
            both = {side: seconds[side], peer: seconds[peer]}
            yield Comparison(
                name, both, len(parquet), "jets", equality, machine("weaver-core", "pyarrow"), said, limits
            )


def ours(dataset: Dataset) -> Iterator[torch.Tensor]:
    """Features of the batches."""
    for batch in dataset.batches(batch=BATCH, length=LENGTH, bucket=True):
        yield batch.x


def count(batches: Iterable[torch.Tensor]) -> int:
    """Jets of all batches."""
    return sum(len(batch) for batch in batches)


def counting(dataset: Dataset, scratch: Path, fetch: float) -> Callable[[], int]:
    """The work of the other loader."""
    return lambda: count(inputs["pf_mask"] for inputs in weaver_batches(dataset, scratch, fetch, BATCH))


def decode(dataset: Dataset) -> None:
    """Bring the columns of the features into memory, and no more."""
    names = [name for name in dataset.columns if name.startswith(("part_", "jet_"))]
    for source in dataset.sources:
        pq.read_table(source.path, columns=names, use_threads=False)


def copying(dataset: Dataset) -> Callable[[], None]:
    """A copy of as many bytes as features and momenta of all batches have."""
    sizes = [one.x.nbytes + one.p4.nbytes for one in dataset.batches(batch=BATCH, length=LENGTH, bucket=True)]
    from_, to = np.ones((2, max(sizes)), np.uint8)

    def copy() -> None:
        for size in sizes:
            np.copyto(to[:size], from_[:size])

    return copy


def same_jets(parquet: Dataset, mapped: Dataset, scratch: Path) -> str:
    """Whether all three see the same jets.

    Raises:
        SystemExit: they do not.
    """
    totals = [_total(ours(parquet)), _total(ours(mapped))]
    inputs = weaver_batches(parquet, scratch, 1.0, BATCH)
    totals.append(_total(found["pf_features"] * found["pf_mask"] for found in inputs))
    jets, features = np.array([total[0] for total in totals]), np.array([total[1] for total in totals])
    if (jets != jets[0]).any() or not np.allclose(features, features[0], rtol=1e-5):
        raise SystemExit(f"the loaders do not see the same jets ({totals}): nothing was timed")
    return f"the same {jets[0]:,} jets, sums of all features equal to {np.ptp(features) / abs(features[0]):.0e}"


def _total(batches: Iterable[torch.Tensor]) -> tuple[int, float]:
    jets, total = 0, 0.0
    for batch in batches:
        jets, total = jets + len(batch), total + float(batch.double().sum())
    return jets, total
