"""Small datasets for the tests of the data room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jetkit.data.card import Card, write_card
from jetkit.data.shards import write_shard

REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "jets" / "JetClassII_example.parquet"
FLAGS = ["isChargedHadron", "isNeutralHadron", "isPhoton", "isElectron", "isMuon"]


def make_jets(counts: list[int] | np.ndarray, label: int = 0, first_event: int = 0, seed: int = 0) -> dict[str, Any]:
    """Columns of random jets with the given numbers of particles, in falling order of pT; two jets an event."""
    random = np.random.default_rng(seed)
    counts = np.asarray(counts, np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    total, rows = int(offsets[-1]), len(counts)
    pt = np.concatenate([np.sort(random.uniform(1, 100, count))[::-1] for count in counts] or [np.empty(0)])
    eta, phi = random.normal(0, 1, total), random.uniform(-3, 3, total)
    values: dict[str, np.ndarray] = {
        "px": pt * np.cos(phi),
        "py": pt * np.sin(phi),
        "pz": pt * np.sinh(eta),
        "energy": pt * np.cosh(eta),
        "deta": random.normal(0, 0.3, total),
        "dphi": random.normal(0, 0.3, total),
        "d0val": random.normal(0, 1, total),
        "d0err": random.uniform(0, 2, total),
        "dzval": random.normal(0, 1, total),
        "dzerr": random.uniform(0, 2, total),
        "charge": random.integers(-1, 2, total),
    }
    kind = random.integers(0, 5, total)
    values |= {name: kind == index for index, name in enumerate(FLAGS)}
    columns: dict[str, Any] = {f"part_{name}": (value, offsets) for name, value in values.items()}
    jets = {"pt": random.uniform(500, 1000, rows), "eta": random.normal(0, 1, rows), "phi": random.uniform(-3, 3, rows)}
    columns |= {f"jet_{name}": value for name, value in jets.items()}
    columns["jet_energy"] = jets["pt"] * np.cosh(jets["eta"])
    return columns | {"jet_label": np.full(rows, label), "event_id": first_event + np.arange(rows) // 2}


@pytest.fixture(scope="session")
def make() -> Callable[..., dict[str, Any]]:
    return make_jets


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards of one class each, 2500 + 1200 + 300 jets of 1 to 60 particles."""
    place = tmp_path_factory.mktemp("dataset")
    random = np.random.default_rng(0)
    sizes = [2500, 1200, 300]
    shards = [
        write_shard(
            place / f"{number}.parquet",
            make_jets(random.integers(1, 61, size), label=number, first_event=10000 * number, seed=number),
        )
        for number, size in enumerate(sizes)
    ]
    write_card(place, Card("sample", classes=["QCD", "W", "top"]).with_shards(shards, complete=True))
    return place


@pytest.fixture(scope="session")
def real() -> Path:
    """The public JetClass-II example file."""
    if not REAL.exists():
        pytest.skip("the JetClass-II example file is not here")
    return REAL
