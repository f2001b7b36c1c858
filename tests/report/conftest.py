"""A small dataset of invented jets: two prongs for the first class, three for the second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from jetkit.data.card import Card, write_card
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.parquet import write_shard
from jetkit.report.jet_sample import JetSample, sample_jets
from jetkit.report.picture_set import picture_set

FLAGS = ("isChargedHadron", "isNeutralHadron", "isPhoton", "isElectron", "isMuon")


def write_dataset(folder: Path, classes: list[str], shards: int = 3, jets: int = 40) -> Path:
    """A dataset with a card; each shard has all classes."""
    folder.mkdir(parents=True)
    written = [
        write_shard(folder / f"jets-{k}.parquet", invented_jets(np.random.default_rng(k), len(classes), jets))
        for k in range(shards)
    ]
    counts = [np.bincount(np.arange(jets) % len(classes), minlength=len(classes)).tolist()] * shards
    described = [
        type(shard)(shard.name, shard.rows, shard.bytes, shard.sha256, count)
        for shard, count in zip(written, counts, strict=True)
    ]
    card = Card(
        name="invented <jets>",
        classes=classes,
        recipe={
            "dataset": {"name": "top-landscape", "description": "jets & prongs", "detector": "cms"},
            "options": {"jets": shards * jets, "seed": 7, "shard": jets, "twin": "none"},
        },
        generator={"pythia": "8.3", "jetkit": "0.1.0"},
        seed=7,
        cuts=["550 < pT < 650 GeV"],
        differences=["these jets are <b>invented</b>"],
        citation=["Nobody (2024), arXiv:0000.00000"],
    )
    write_card(folder, card.with_shards(described, complete=True))
    return folder


def invented_jets(random: np.random.Generator, classes: int, jets: int) -> dict[str, object]:
    """Columns of one shard; the label is the row modulo the number of classes."""
    label = np.arange(jets) % classes
    counts = random.integers(10, 40, jets)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    owner = np.repeat(np.arange(jets), counts)
    angle = 2 * np.pi * random.integers(0, label[owner] + 2) / (label[owner] + 2)
    deta = 0.4 * np.cos(angle) + random.normal(0, 0.05, len(owner))
    dphi = 0.4 * np.sin(angle) + random.normal(0, 0.05, len(owner))
    pt = random.exponential(20, len(owner)) + 0.5
    p4 = np.stack([pt * np.cosh(deta), pt * np.cos(dphi), pt * np.sin(dphi), pt * np.sinh(deta)], axis=1)
    kind = random.integers(0, 5, len(owner))
    tau = np.sort(random.uniform(0.1, 1.0, (jets, 3)), axis=1)[:, ::-1]
    total = np.stack([np.bincount(owner, p4[:, i]) for i in range(4)], axis=1)
    return {
        **{f"part_{name}": (p4[:, i].astype("f4"), offsets) for i, name in enumerate(("energy", "px", "py", "pz"))},
        "part_deta": (deta.astype("f4"), offsets),
        "part_dphi": (dphi.astype("f4"), offsets),
        **{f"part_{flag}": (kind == i, offsets) for i, flag in enumerate(FLAGS)},
        "jet_pt": np.hypot(total[:, 1], total[:, 2]).astype("f4"),
        "jet_sdmass": random.normal(100 + 70 * label, 15).astype("f4"),
        "jet_nparticles": counts.astype("i4"),
        **{f"jet_tau{i + 1}": tau[:, i].astype("f4") for i in range(3)},
        "jet_label": label.astype("i4"),
    }


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset that no test changes."""
    return write_dataset(tmp_path_factory.mktemp("invented") / "data", ["QCD", "top"])


@pytest.fixture(scope="session")
def dataset(folder: Path) -> Dataset:
    return open_dataset(folder)


@pytest.fixture(scope="session")
def jets(dataset: Dataset) -> JetSample:
    return sample_jets(dataset)


@pytest.fixture(scope="session")
def figures(jets: JetSample) -> dict[str, Figure]:
    return picture_set(jets)


@pytest.fixture
def fresh_folder(tmp_path: Path) -> Path:
    """A dataset that a test may damage."""
    return write_dataset(tmp_path / "data", ["QCD", "top"])


@pytest.fixture(scope="session")
def many_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of twelve classes, of which the first eight have one jet more than the others in each shard."""
    names = [f"class{i}" for i in range(12)]
    return write_dataset(tmp_path_factory.mktemp("many") / "data", names, jets=44)
