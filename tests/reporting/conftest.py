"""Invented jets, two prongs for the first class and three for the second; and invented taggers with their trainings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from jetkit.data.card import Card, write_card
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.shards import write_shard
from jetkit.evaluation.number import Number
from jetkit.evaluation.power_law import PowerLaw, fit_power_law
from jetkit.evaluation.summary import evaluate
from jetkit.reporting.cost_page import write_page as write_cost_page
from jetkit.reporting.jet_sample import JetSample, sample_jets
from jetkit.reporting.model_cost import Cost, LeftOut, ModelCost, Spent
from jetkit.reporting.picture_set import picture_set
from jetkit.reporting.scaling_page import Run, Study
from jetkit.reporting.scaling_page import write_page as write_scaling_page
from jetkit.reporting.tagger_page import write_page
from jetkit.reporting.tagger_result import TaggerResult, Training

JETCLASS = ("QCD", "Hbb", "Hcc", "Hgg", "H4q", "Hqql", "Zqq", "Wqq", "Tbqq", "Tbl")
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


def invented_log(epochs: int, final: float, seed: int = 0) -> list[dict[str, Any]]:
    """Loss that falls to a final value, and a validation that follows it."""
    random = np.random.default_rng(seed)
    lines = []
    for epoch in range(1, epochs + 1):
        loss = final + 0.4 * np.exp(-epoch / 3) + random.normal(0, 0.002)
        lines.append(
            {
                "epoch": epoch,
                "step": 100 * epoch,
                "lr": 1e-3,
                "seconds": 12.5 * epoch,
                "train": {"cross_entropy": float(loss - 0.004 * epoch)},
                "validation": {"loss": float(loss), "accuracy": float(1 - 0.4 * loss)},
            }
        )
    return lines


def invented_training(
    classes: Sequence[str], separation: float, *, seed: int = 0, jets: int = 20_000, sample: int = 0
) -> Training:
    """A training whose logits prefer the true class by `separation`; jets of one `sample` are the same for all."""
    common = np.random.default_rng(sample)
    label = common.integers(0, len(classes), jets)
    hardness = common.normal(size=(jets, len(classes)))
    mass = np.where(label == 0, common.exponential(60, jets), common.normal(172, 12, jets)).clip(0)
    noise = np.random.default_rng(1000 + seed).normal(0, 0.5, size=(jets, len(classes)))
    logits = separation * np.eye(len(classes))[label] + hardness + noise
    logits = 1.2 * logits
    logits[:, 1:] += 0.8 * np.exp(-(((mass - 172) / 25) ** 2))[:, None]
    return Training(
        seed=seed,
        folder=f"runs/invented-{seed}",
        log=invented_log(12, 0.4 - 0.05 * separation, seed),
        evaluation=evaluate(logits, label, classes, replicas=50),
        logits=logits.astype("f4"),
        label=label,
        jets={
            "jet_pt": common.uniform(550, 650, jets).astype("f4"),
            "jet_mass": (1.1 * mass + 10).astype("f4"),
            "jet_sdmass": mass.astype("f4"),
            "jet_nparticles": common.poisson(40 + 10 * (label > 0)).astype("i4"),
        },
        model_sha256=f"{seed:x}0ab" * 16,
        seconds=3000.0 + seed,
        score_seconds=4.0,
    )


def invented_tagger(
    name: str, model: str, trainings: Sequence[Training], dataset: str = "top-landscape"
) -> TaggerResult:
    """A tagger of given trainings."""
    return TaggerResult(
        name=name,
        model=model,
        paper=f"The paper of {model}, 2020, arXiv:0000.00000",
        parameters=366_160,
        trainings=tuple(trainings),
        options={"model": model, "epochs": 12, "lr": 1e-3, "fractions": (0.6, 0.2, 0.2)},
        command=f"jetkit train {model} data=data/top epochs=12",
        dataset={
            "name": dataset,
            "sha256": "feed" * 16,
            "jets": {"train": 60_000, "validation": 20_000, "test": 20_000},
            "command": f"jetkit simulate {dataset} jets=100000",
            "citation": ["Where the jets come from, 2021, arXiv:1111.11111"],
        },
    )


def three_taggers(jets: int = 20_000) -> list[TaggerResult]:
    """Two classes; one tagger was trained three times, one has a name that is no HTML, in no order."""
    classes = ("QCD", "top")
    seeds = [invented_training(classes, 2.3 + 0.03 * s, seed=s, jets=jets) for s in range(3)]
    return [
        invented_tagger("<b>bdt</b> & $cuts$", "observables-bdt", [invented_training(classes, 1.7, seed=7, jets=jets)]),
        invented_tagger("ParticleNet", "particle-net", seeds),
        invented_tagger("PFN", "pfn", [invented_training(classes, 2.3, seed=5, jets=jets)]),
    ]


def ten_classes(jets: int = 30_000) -> list[TaggerResult]:
    """Two taggers of JetClass."""
    return [
        invented_tagger(name, model, [invented_training(JETCLASS, s, seed=i, jets=jets)], "jetclass")
        for i, (name, model, s) in enumerate((("PFN", "pfn", 2.2), ("Particle Transformer", "part", 2.6)))
    ]


def invented_scaling(law: PowerLaw, noise: float = 0.005) -> Study:
    """Four widths on three numbers of jets, with losses of a given law."""
    random, runs = np.random.default_rng(5), []
    for width, count in ((16, 4_000), (32, 12_000), (64, 40_000), (128, 140_000)):
        for jets in (1000, 3000, 10_000):
            loss = Number(law.loss(count, jets) * float(np.exp(noise * random.normal())), 0.004, 4000)
            runs.append(Run(str(width), count, jets, 5, 1, loss, 1e-7 * count * jets))
    points = np.array([(run.parameters, run.jets, run.loss.value) for run in runs]).T
    return Study(
        model="part",
        paper="The paper of part, 2022, arXiv:0000.00000",
        hyperparameter="width",
        dataset="top-landscape",
        epochs=5,
        runs=tuple(runs),
        fit=fit_power_law(*points, replicas=60),
        command="jetkit scaling part data=data/top train.epochs=5",
    )


@pytest.fixture(scope="session")
def invent() -> SimpleNamespace:
    """What makes a training and a tagger."""
    return SimpleNamespace(training=invented_training, tagger=invented_tagger)


@pytest.fixture(scope="session")
def three() -> list[TaggerResult]:
    return three_taggers()


@pytest.fixture(scope="session")
def ten() -> list[TaggerResult]:
    return ten_classes()


@pytest.fixture(scope="session")
def three_page(three: list[TaggerResult], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(three, tmp_path_factory.mktemp("three"))


@pytest.fixture(scope="session")
def ten_page(ten: list[TaggerResult], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(ten, tmp_path_factory.mktemp("ten"))


@pytest.fixture(scope="session")
def scaling_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scaling_page(invented_scaling(PowerLaw(0.1, 3.0, 6.0, 0.4, 0.4)), tmp_path_factory.mktemp("scaling"))


@pytest.fixture(scope="session")
def cost_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of an invented model that needs pairs, and too much memory for a training with the largest jets."""
    costs = [
        Cost(n, batch, 1e6 * n, Spent(1e-6 * n**2 + 1e-3 / batch, 1e3 * n**2),
             LeftOut("it may need more than 4 GB") if n * batch > 500 else Spent(1e-5 * n**2, 1e4 * n**2))
        for n in (8, 16, 32) for batch in (1, 32)
    ]  # fmt: skip
    invented = ModelCost(
        "runs/part/model.safetensors", "part", "A paper", 2_000_000, 8_000_000, 24_000_000, tuple(costs), "one thread",
        "jetkit show runs/part/model.safetensors cost=true",
    )  # fmt: skip
    return write_cost_page(invented, tmp_path_factory.mktemp("cost"))
