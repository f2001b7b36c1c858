"""A small dataset of toy jets: two classes that differ in width and mass, in three shards, two jets an event."""

from pathlib import Path

import numpy as np

from jetkit.data.card import Card, write_card
from jetkit.data.shards import write_shard


def toy_columns(rows: int, seed: int) -> dict[str, object]:
    """Columns of jets with 3 to 24 particles; those of class 1 are wider and heavier."""
    random = np.random.default_rng(seed)
    label = random.integers(0, 2, rows)
    counts = random.integers(3, 25, rows)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    jet = np.repeat(np.arange(rows), counts)
    jet_pt, jet_eta, jet_phi = random.uniform(500, 600, rows), random.normal(0, 0.5, rows), random.uniform(-3, 3, rows)
    jet_pt += 20 * label
    share = random.exponential(size=len(jet))
    pt = share / np.bincount(jet, share)[jet] * jet_pt[jet]
    deta, dphi = random.normal(0, 0.1 + 0.1 * label[jet], (2, len(jet)))
    eta, phi = jet_eta[jet] + deta, jet_phi[jet] + dphi
    particles = {
        "px": pt * np.cos(phi),
        "py": pt * np.sin(phi),
        "pz": pt * np.sinh(eta),
        "energy": pt * np.cosh(eta),
        "deta": deta,
        "dphi": dphi,
    }
    columns: dict[str, object] = {f"part_{name}": (values, offsets) for name, values in particles.items()}
    return columns | {
        "jet_pt": jet_pt,
        "jet_eta": jet_eta,
        "jet_phi": jet_phi,
        "jet_energy": jet_pt * np.cosh(jet_eta),
        "jet_sdmass": random.gamma(4, 20 + 10 * label),
        "jet_label": label,
        "event_id": seed * 10**6 + np.arange(rows) // 2,
    }


def write_toy_jets(folder: Path, rows: int) -> Path:
    """The dataset in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [rows // 2, rows // 4, rows - rows // 2 - rows // 4]
    shards = [
        write_shard(folder / f"{number}.parquet", toy_columns(size, number + 1)) for number, size in enumerate(sizes)
    ]
    write_card(folder, Card("toy", classes=["narrow", "wide"]).with_shards(shards, complete=True))
    return folder
