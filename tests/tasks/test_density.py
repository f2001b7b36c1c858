"""Densities: losses whose value is known, and which models have one."""

from __future__ import annotations

import json
import math
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec
from jetkit.errors import JetkitError
from jetkit.models import PFN
from jetkit.models.model import Generator
from jetkit.models.nsf import NSF
from jetkit.store.model_file import read_model
from jetkit.tasks.density import Density
from jetkit.training.run import train

SPEC = Spec(row=("a", "b", "c"))
COVARIANCE = np.array([[4.0, 1.5, 0.0], [1.5, 1.0, 0.2], [0.0, 0.2, 0.25]])
MEAN = np.array([10.0, -3.0, 0.5])


class Normal(Generator):
    """Three independent normal numbers."""

    needs: ClassVar[Needs] = Needs(row=True)
    seen: int = 0

    def begin(self, batches: Any) -> None:
        self.seen = sum(len(batch) for batch in batches)

    def log_prob(self, batch: Batch) -> Tensor:
        return -0.5 * (batch.row.square() + math.log(2 * math.pi)).sum(1)

    def sample(self, context: Batch | None, rows: int, **options: Any) -> Batch:
        return Batch(row=torch.randn(rows, 3))


class Blind(Generator):
    """One that draws rows of which it does not know how likely they are."""

    def sample(self, context: Batch | None, rows: int, **options: Any) -> Batch:
        return Batch(row=torch.randn(rows, 3))


def rows(count: int, seed: int = 1, shape: Callable[[np.random.Generator, int], np.ndarray] | None = None) -> Batch:
    random = np.random.default_rng(seed)
    drawn = random.normal(size=(count, 3)) if shape is None else shape(random, count)
    return Batch(row=torch.from_numpy(drawn).float())


def correlated(random: np.random.Generator, count: int) -> np.ndarray:
    return random.multivariate_normal(MEAN, COVARIANCE, count)


def test_the_loss_of_a_known_density_is_the_cross_entropy() -> None:
    batch = rows(20_000)
    found = Density(Normal(SPEC), SPEC).loss(batch)
    exact = -scipy.stats.multivariate_normal(np.zeros(3)).logpdf(batch.row.double().numpy())
    assert found.total.item() == pytest.approx(exact.mean(), rel=1e-5)
    entropy = 1.5 * math.log(2 * math.pi * math.e)
    assert found.total.item() == pytest.approx(entropy, abs=5 * math.sqrt(1.5 / 20_000))
    assert found.parts["nll"].item() == found.total.item()


def test_weights_of_both_signs_are_those_of_a_slow_twin() -> None:
    weight = [1.5, -0.5, 2.0, 0.0, -1.0]
    batch = rows(5).replace(weight=torch.tensor(weight))
    exact = -scipy.stats.multivariate_normal(np.zeros(3)).logpdf(batch.row.double().numpy())
    expected = sum(w * each for w, each in zip(weight, exact, strict=True)) / 5.0
    assert Density(Normal(SPEC), SPEC).loss(batch).total.item() == pytest.approx(expected, rel=1e-5)


def test_watch_and_scores_are_those_of_the_rows() -> None:
    task = Density(Normal(SPEC), SPEC)
    batches = [rows(7, 1), rows(30, 2)]
    numbers = task.watch((batch, task.predict(batch)) for batch in batches)
    each = torch.cat([task.scores(batch)["log_prob"] for batch in batches])
    assert numbers == {"loss": pytest.approx(-each.double().mean().item())}
    assert torch.equal(task(batches[0]), task.scores(batches[0])["log_prob"])


def test_the_model_sees_the_first_rows() -> None:
    task = Density(Normal(SPEC), SPEC)
    task.prepare(iter([rows(7), rows(4)]))
    assert task.model.seen == 11


def test_a_flow_learns_a_gaussian_to_its_entropy() -> None:
    torch.manual_seed(2)
    task = Density(NSF(SPEC, transforms=4, width=32), SPEC)
    learn, fresh = rows(20_000, 3, correlated), rows(20_000, 4, correlated)
    task.prepare([learn])
    optimiser = torch.optim.Adam(task.parameters(), lr=5e-3)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 300)
    for step in range(300):
        optimiser.zero_grad()
        task.loss(learn.select(slice(500 * (step % 40), 500 * (step % 40) + 500))).total.backward()
        optimiser.step()
        decay.step()
    entropy = float(scipy.stats.multivariate_normal(MEAN, COVARIANCE).entropy())
    with torch.no_grad():
        found = task.loss(fresh).total.item()
    assert entropy - 5 * math.sqrt(1.5 / 20_000) < found < entropy + 0.06
    independent = sum(0.5 * math.log(2 * math.pi * math.e * COVARIANCE[i, i]) for i in range(3))
    assert found < independent - 0.2


def test_a_flow_has_the_units_of_its_features_and_an_integral_of_1() -> None:
    torch.manual_seed(4)
    spec = Spec(row=("a", "b"))
    task = Density(NSF(spec, transforms=2, width=8), spec)
    with torch.no_grad():
        for weight in task.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    task.prepare([Batch(row=torch.randn(500, 2) * torch.tensor([3.0, 0.1]) + torch.tensor([50.0, 1.0]))])
    a, b = torch.linspace(20, 80, 600), torch.linspace(0, 2, 600)
    grid = torch.stack(torch.meshgrid(a, b, indexing="ij"), -1).reshape(-1, 2)
    density = task.scores(Batch(row=grid))["log_prob"].double().exp()
    assert density.sum().item() * float((a[1] - a[0]) * (b[1] - b[0])) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("model", [PFN(Spec.of(("z",), classes=("a", "b"))), Blind(SPEC)])
def test_a_model_without_a_density_is_refused(model: Any) -> None:
    with pytest.raises(JetkitError, match="density needs a model with a density, such as nsf: write model=nsf"):
        Density(model, SPEC)


def test_a_training_on_features_of_the_row(tmp_path: Path) -> None:
    toy = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "toy_jets.py"))
    data = toy["write_toy_jets"](tmp_path / "toy", 600)
    folder = train(
        "nsf", task="density", data=data, features=["jet_pt", "jet_sdmass"], out=tmp_path / "run", epochs=8, batch=64,
        threads=1, accelerator="cpu", lr=0.01, hyperparameters={"transforms": 2, "width": 8, "bins": 4},
    )[0]  # fmt: skip
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert set(log[0]["validation"]) == {"loss"}
    assert log[-1]["train"]["nll"] < log[0]["train"]["nll"]
    task, card = read_model(folder / "model.safetensors")
    assert isinstance(task, Density)
    assert (card.kind, card.task, card.spec_of.row) == ("generator", "density", ("jet_pt", "jet_sdmass"))
    torch.manual_seed(1)
    drawn = task.model.sample(None, 2000).row
    assert drawn[:, 0].mean().item() == pytest.approx(560, abs=10)
    best = min(line["validation"]["loss"] for line in log)
    wide = math.log(120) + 0.5 * math.log(2 * math.pi * math.e * 60**2)  # uniform in pT, a broad Gaussian in mass
    assert best < wide
