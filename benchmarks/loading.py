"""Loading speed: jets per processor second, from Parquet to padded batches of 128 with the ``full`` features.

    python -m benchmarks loading [FOLDER] [jets=50000] [repeats=3]

Ours against SimpleIterDataset of weaver-core, one thread each, in turns after a warm-up. Without a folder the
jets are a synthetic sample with the columns, the lengths (50 particles a jet) and the one-class shards of JetClass.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from jetkit.data.card import Card, write_card
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.features import FEATURE_SETS
from jetkit.data.shards import write_shard

BATCH = 128
LENGTH = 128
SHARD = 10000
FETCHES = (1.0, 0.01)
"""Share of every file that weaver-core loads at once (its option --fetch-step): its fastest, and its default."""
CLASSES = ["QCD", "Hbb", "Tbqq"]
FLAGS = ["ChargedHadron", "NeutralHadron", "Photon", "Electron", "Muon"]


def main(arguments: list[str]) -> None:
    options = dict(argument.split("=") for argument in arguments if "=" in argument)
    folders = [argument for argument in arguments if "=" not in argument]
    threads = torch.get_num_threads(), pa.cpu_count()
    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            folder = (
                Path(folders[0]) if folders else write_sample(Path(scratch) / "jets", int(options.get("jets", 50000)))
            )
            report(compare(open_dataset(folder), Path(scratch), int(options.get("repeats", 3))))
    finally:
        torch.set_num_threads(threads[0])
        pa.set_cpu_count(threads[1])


def compare(dataset: Dataset, scratch: Path, repeats: int) -> dict[str, list[float]]:
    """Jets per second of each loader, one number per repeat; the loaders take turns."""
    loaders = {"jetkit": lambda: (len(cloud) for cloud in dataset.batches(batch=BATCH, length=LENGTH, bucket=True))}
    for fetch in FETCHES:
        peer = weaver_loader(dataset, scratch, fetch)
        if peer is not None:
            loaders[f"weaver-core, fetch {fetch:g}"] = peer
    for loader in loaders.values():
        rate(loader())
    rates: dict[str, list[float]] = {name: [] for name in loaders}
    for _ in range(repeats):
        for name, loader in loaders.items():
            rates[name].append(rate(loader()))
    return rates


def rate(sizes: Iterable[int]) -> float:
    """Jets per second of processor time (of all threads) of a stream of batch sizes."""
    start = time.process_time()
    jets = sum(sizes)
    return jets / (time.process_time() - start)


def report(rates: dict[str, list[float]]) -> None:
    print(f"{'loader':<24}{'jets/CPU s, median':>20}{'lowest':>12}{'highest':>12}{'jetkit over it':>16}")
    for name, values in rates.items():
        ratio = statistics.median(ours / theirs for ours, theirs in zip(rates["jetkit"], values, strict=True))
        print(f"{name:<24}{statistics.median(values):>20,.0f}{min(values):>12,.0f}{max(values):>12,.0f}{ratio:>16.1f}")


def weaver_loader(dataset: Dataset, scratch: Path, fetch: float) -> Callable[[], Iterator[int]] | None:
    """Batch sizes of weaver-core's loader with the settings of its training command and no worker process."""
    try:
        import yaml
        from weaver.utils.dataset import SimpleIterDataset
    except ImportError as error:
        print(f"weaver-core cannot be imported ({error}): pip install 'jetkit[reference]' to compare with it")
        return None
    config = scratch / "full.yaml"
    config.write_text(yaml.safe_dump(weaver_config(max(1, len(dataset.classes))), sort_keys=False), encoding="utf-8")
    files = {"jets": [str(source.path) for source in dataset.sources]}

    def sizes() -> Iterator[int]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            jets = SimpleIterDataset(
                files,
                str(config),
                for_training=True,
                fetch_by_files=False,
                fetch_step=fetch,
                async_load=False,
                name="train",
            )
            for inputs, _labels, _observers in torch.utils.data.DataLoader(jets, batch_size=BATCH):
                yield len(inputs["pf_mask"])

    return sizes


def weaver_config(classes: int) -> dict[str, Any]:
    """The data configuration of JetClass_full, for files with the column jet_label."""
    inputs = {
        "pf_points": {"length": LENGTH, "pad_mode": "wrap", "vars": [["part_deta", None], ["part_dphi", None]]},
        "pf_features": {"length": LENGTH, "pad_mode": "wrap", "vars": _weaver_features()},
        "pf_vectors": {
            "length": LENGTH,
            "pad_mode": "wrap",
            "vars": [[f"part_{name}", None] for name in ("px", "py", "pz", "energy")],
        },
        "pf_mask": {"length": LENGTH, "pad_mode": "constant", "vars": [["part_mask", None]]},
    }
    return {
        "treename": "tree",
        "selection": None,
        "new_variables": {
            "part_mask": "ak.ones_like(part_energy)",
            "part_pt": "np.hypot(part_px, part_py)",
            "part_pt_log": "np.log(part_pt)",
            "part_e_log": "np.log(part_energy)",
            "part_logptrel": "np.log(part_pt/jet_pt)",
            "part_logerel": "np.log(part_energy/jet_energy)",
            "part_deltaR": "np.hypot(part_deta, part_dphi)",
            "part_d0": "np.tanh(part_d0val)",
            "part_dz": "np.tanh(part_dzval)",
            **{f"label_{index}": f"jet_label=={index}" for index in range(classes)},
        },
        "preprocess": {"method": "manual", "data_fraction": None},
        "inputs": inputs,
        "labels": {"type": "simple", "value": [f"label_{index}" for index in range(classes)]},
        "observers": [],
        "weights": None,
    }


def _weaver_features() -> list[list[Any]]:
    rows = {feature.name: feature for feature in FEATURE_SETS["full"]}
    return [
        [name, None] if item.center is None else [name, item.center, item.scale, item.low, item.high]
        for name, item in rows.items()
    ]


def write_sample(folder: Path, jets: int) -> Path:
    """A synthetic dataset with one class per shard."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(1)
    shards = []
    for number in range(-(-jets // SHARD)):
        size = min(SHARD, jets - number * SHARD)
        columns = synthetic_jets(size, number % len(CLASSES), generator)
        shards.append(write_shard(folder / f"jets-{number}.parquet", columns))
    write_card(folder, Card("synthetic", classes=CLASSES).with_shards(shards, complete=True))
    return folder


def synthetic_jets(size: int, label: int, generator: np.random.Generator) -> dict[str, Any]:
    """Jets with random particles; the number of them and the spectra are about those of JetClass, nothing else is."""
    counts = np.clip(generator.normal(42 + 8 * label, 16, size), 5, 128).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    jet, total = np.repeat(np.arange(size), counts), int(offsets[-1])
    share = generator.exponential(1.0, total) ** 2
    order = np.lexsort((-share, jet))
    pt = share[order] / np.bincount(jet, share)[jet] * generator.uniform(500, 1000, size)[jet]
    deta, dphi = generator.normal(0, 0.2, (2, total))
    jet_eta, jet_phi = generator.uniform(-2, 2, size), generator.uniform(-np.pi, np.pi, size)
    eta, phi = jet_eta[jet] + np.sign(jet_eta)[jet] * deta, jet_phi[jet] + dphi
    kind = generator.choice(5, total, p=[0.55, 0.15, 0.27, 0.01, 0.02])
    charged = (kind == 0) | (kind > 2)
    p4 = {"px": pt * np.cos(phi), "py": pt * np.sin(phi), "pz": pt * np.sinh(eta), "energy": pt * np.cosh(eta)}
    track = {name: charged * generator.normal(0, 0.1, total) for name in ("d0val", "dzval")}
    track |= {name: charged * generator.uniform(0.01, 0.3, total) for name in ("d0err", "dzerr")}
    particles = {**p4, "deta": deta, "dphi": dphi, **track}
    particles |= {"charge": charged * generator.choice(np.array([-1, 1]), total)}
    particles |= {f"is{name}": kind == index for index, name in enumerate(FLAGS)}
    jets = {"pt": np.bincount(jet, pt), "eta": jet_eta, "phi": jet_phi, "energy": np.bincount(jet, p4["energy"])}
    columns: dict[str, Any] = {f"part_{name}": (values, offsets) for name, values in particles.items()}
    return columns | {f"jet_{name}": values for name, values in jets.items()} | {"jet_label": np.full(size, label)}
