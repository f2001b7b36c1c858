"""Synthetic jets with the columns, the lengths and the one-class shards of JetClass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from jetkit.data.card import Card, write_card
from jetkit.data.shards import write_shard

SHARD = 10000
CLASSES = ["QCD", "Hbb", "Tbqq"]
FLAGS = ["ChargedHadron", "NeutralHadron", "Photon", "Electron", "Muon"]


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
