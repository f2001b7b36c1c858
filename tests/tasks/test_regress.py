"""Regression: losses against scipy and slow twins, answers that are known, and the units of the user."""

from __future__ import annotations

import json
import math
import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
import torch
from torch import Tensor

from jetkit.data.batch import Batch
from jetkit.data.dataset import open_dataset
from jetkit.data.shards import write_shard
from jetkit.data.spec import Spec, TargetSpec
from jetkit.errors import JetkitError
from jetkit.models.mlp import MLP
from jetkit.models.model import Encoder
from jetkit.store.model_file import read_model
from jetkit.tasks.regress import Regress
from jetkit.training.run import train

HOWS = ("mse", "huber", "quantiles", "gaussian")
LEVELS = (0.1, 0.5, 0.9)
SPEC = Spec(row=("a", "b", "c"), targets={"mass": TargetSpec("real"), "pt": TargetSpec("real")})
OTHER = replace(SPEC, targets={**SPEC.targets, "kind": TargetSpec("class", classes=("x", "y"))})
OTHER = replace(OTHER, targets={**OTHER.targets, "part_e": TargetSpec("real", "part")})


class Given(Encoder):
    """The features of the row as they are."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.encoded = len(spec.row)

    def encode(self, batch: Batch) -> Tensor:
        return batch.row


def rows(count: int = 50, seed: int = 1) -> Batch:
    """Rows with targets of very different units, and weights of both signs."""
    random = torch.Generator().manual_seed(seed)
    row = torch.randn(count, 3, generator=random)
    weight = torch.rand(count, generator=random) - 0.2
    targets = {"mass": 80 + 30 * row[:, 0] + 5 * torch.randn(count, generator=random), "pt": 0.01 * row.sum(1) ** 2}
    return Batch(row=row, targets=targets, weight=weight)


def made(how: str, *targets: str, model: Encoder | None = None, **options: Any) -> Regress:
    torch.manual_seed(3)
    return Regress(model or Given(SPEC), SPEC, targets=targets or ("mass", "pt"), how=how, quantiles=LEVELS, **options)  # type: ignore[arg-type]


def slow_loss(how: str, y: float, said: list[float], delta: float) -> float:
    """The loss of one target of one row, in standard deviations."""
    if how == "mse":
        return (said[0] - y) ** 2
    if how == "huber":
        return float(scipy.special.huber(delta, said[0] - y))
    if how == "gaussian":
        return float(-scipy.stats.norm.logpdf(y, said[0], math.exp(said[1])))
    return sum((q if y > at else q - 1) * (y - at) for q, at in zip(LEVELS, said, strict=True)) / len(LEVELS)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("delta", [0.5, 2.0])
def test_the_loss_is_that_of_a_slow_twin(how: str, delta: float) -> None:
    task, batch = made(how, delta=delta), rows()
    task.prepare([batch])
    found, total = task.outcome(batch).detach().double().numpy(), 0.0
    for name, place in (("mass", 0), ("pt", 1)):
        true = batch.targets[name].double().numpy()
        for row, y in enumerate((true - true.mean()) / true.std()):
            total += float(batch.weight[row]) * slow_loss(how, y, found[row, place].tolist(), delta) / 2
    expected = total / batch.weight.abs().sum().item()
    assert task.loss(batch).total.item() == pytest.approx(expected, rel=1e-4)
    assert task.loss(batch).parts[how].item() == task.loss(batch).total.item()


@pytest.mark.parametrize("how", HOWS)
def test_of_rows_that_look_alike_the_best_answer_is_known(how: str) -> None:
    """The mean, Huber's location, the quantiles, or mean and standard deviation."""
    y = np.random.default_rng(2).exponential(20, 2001) + 60
    batch = Batch(row=torch.zeros(len(y), 3), targets={"mass": torch.from_numpy(y).float()})
    task = made(how, "mass")
    task.prepare([batch])
    optimiser = torch.optim.Adam(task.parameters(), lr=0.02)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 1500)
    for _ in range(1500):
        optimiser.zero_grad()
        task.loss(batch).total.backward()
        optimiser.step()
        decay.step()
    found = task.scores(batch)["mass"][0].detach().numpy()
    huber = scipy.optimize.minimize_scalar(
        lambda at: scipy.special.huber(y.std(), y - at).sum(), bounds=(60, 100), method="bounded"
    )
    expected = {
        "mse": y.mean(),
        "huber": huber.x,
        "quantiles": np.quantile(y, LEVELS),
        "gaussian": np.array([y.mean(), y.std()]),
    }[how]
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.15)
    if how == "gaussian":
        assert task.loss(batch).total.item() == pytest.approx(0.5 * math.log(2 * math.pi * math.e), abs=1e-3)


def curve(count: int, seed: int) -> Batch:
    """y = 50 + 20 sin(2 x) in GeV, with noise that grows with x."""
    random = np.random.default_rng(seed)
    x = random.uniform(-1.5, 1.5, count)
    y = 50 + 20 * np.sin(2 * x) + (1 + np.abs(x)) * random.normal(size=count)
    row = np.stack([x, x**2, np.ones(count)], 1)
    return Batch(row=torch.from_numpy(row).float(), targets={"mass": torch.from_numpy(y).float()})


def learned(how: str, batch: Batch, steps: int = 600) -> Regress:
    torch.manual_seed(1)
    task = made(how, "mass", model=MLP(SPEC, widths=(32, 32)))
    task.prepare([batch])
    optimiser = torch.optim.Adam(task.parameters(), lr=1e-2)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        task.train().loss(batch).total.backward()
        optimiser.step()
        decay.step()
    return task.eval()


@pytest.mark.parametrize("how", HOWS)
def test_a_function_is_learned_and_told_in_its_units(how: str) -> None:
    task, fresh = learned(how, curve(4000, 0)), curve(4000, 1)
    with torch.no_grad():
        found = task.scores(fresh)["mass"]
    central = {"quantiles": lambda: found[:, 1], "gaussian": lambda: found[:, 0]}.get(how, lambda: found)()
    truth = 50 + 20 * (2 * fresh.row[:, 0]).sin()
    assert (central - truth).abs().mean() < 0.5
    assert (truth - truth.mean()).abs().mean() > 10


def test_quantiles_are_calibrated() -> None:
    task, fresh = learned("quantiles", curve(8000, 2)), curve(20_000, 3)
    with torch.no_grad():
        found = task.scores(fresh)["mass"]
    assert found.shape == (20_000, 3)
    for column, level in zip(found.T, LEVELS, strict=True):
        for here in (fresh.row[:, 0].abs() < 0.7, fresh.row[:, 0].abs() > 0.7):
            below = (fresh.targets["mass"] < column)[here].double().mean().item()
            assert below == pytest.approx(level, abs=5 * math.sqrt(level * (1 - level) / int(here.sum())) + 0.03)


def test_a_gaussian_knows_where_it_knows_less() -> None:
    task, fresh = learned("gaussian", curve(8000, 4)), curve(4000, 5)
    with torch.no_grad():
        sigma = task.scores(fresh)["mass"][:, 1]
    assert ((sigma / (1 + fresh.row[:, 0].abs())).log().abs() < 0.4).double().mean() > 0.95
    assert (sigma / (1 + fresh.row[:, 0].abs())).mean().item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("how", HOWS)
def test_other_units_give_the_same_answer_in_them(how: str) -> None:
    batch = curve(300, 6)
    in_mev = batch.with_targets(mass=1000 * batch.targets["mass"] - 7000)
    first, second = (learned(how, one, steps=40) for one in (batch, in_mev))
    with torch.no_grad():
        found, moved = first.scores(batch)["mass"], second.scores(batch)["mass"]
    shift = torch.tensor([7000.0, 0.0]) if how == "gaussian" else torch.tensor(7000.0)
    torch.testing.assert_close(moved, 1000 * found - shift, rtol=1e-3, atol=20)


def test_watch_is_the_mean_over_all_rows_whatever_the_batches() -> None:
    task, batch = made("huber"), rows(40).replace(weight=torch.rand(40) + 0.1)
    task.prepare([batch])
    with torch.no_grad():
        whole = task.watch([(batch, task.predict(batch))])
        parts = [batch.select(slice(0, 7)), batch.select(slice(7, 40))]
        cut = task.watch((part, task.predict(part)) for part in parts)
        loss = task.loss(batch).total.item()
    assert whole == pytest.approx(cut)
    assert whole["loss"] == pytest.approx(loss, rel=1e-5)
    error = (task.outcome(batch)[..., 0] - task.standard(task.wanted(batch))).abs().mean(1)
    assert whole["mae"] == pytest.approx(np.average(error.detach().numpy(), weights=batch.weight.numpy()), rel=1e-5)
    with pytest.raises(JetkitError, match="no usable validation jets"):
        task.watch([])


def test_a_call_gives_a_tensor_or_one_for_each_name() -> None:
    batch = rows()
    assert made("mse", "mass")(batch).shape == (50,)
    assert made("gaussian", "mass")(batch).shape == (50, 2)
    both = made("quantiles")(batch)
    assert {name: value.shape for name, value in both.items()} == {"mass": (50, 3), "pt": (50, 3)}


def test_numbers_may_be_whole_ones() -> None:
    batch = rows().with_targets(mass=torch.arange(50), pt=torch.arange(50) > 20)
    task = made("mse")
    task.prepare([batch])
    assert task.standard.mean.tolist() == pytest.approx([24.5, 29 / 50])
    assert task.loss(batch).total.isfinite()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "regress needs columns to predict: write task.targets="),
        ({"targets": ("colour",)}, "the data have no target colour: they have mass, pt"),
        ({"targets": ("part_e",)}, "part_e is a quantity of each object of part: use task=multi-task"),
        ({"targets": ("kind",)}, "kind is a class and no number: use task=classify"),
        ({"targets": ("mass",), "quantiles": (0.9, 0.1)}, "quantiles should rise within 0 and 1"),
        ({"targets": ("mass",), "quantiles": (0.5, 0.5)}, "quantiles should rise within 0 and 1"),
        ({"targets": ("mass",), "quantiles": (0.0, 0.5)}, "quantiles should rise within 0 and 1"),
        ({"targets": ("mass",), "quantiles": ()}, "quantiles should rise within 0 and 1"),
        ({"targets": ("mass",), "delta": 0.0}, "delta should be positive, got 0"),
    ],
)
def test_what_cannot_be_regressed_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        Regress(Given(OTHER), OTHER, **options)


def test_a_training_regresses_a_column_in_its_unit(tmp_path: Path) -> None:
    toy = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "toy_jets.py"))
    columns = toy["toy_columns"](600, 1)
    count = np.diff(columns["part_px"][1])
    data = tmp_path / "toy.parquet"
    write_shard(data, columns | {"jet_length": 100 + 7.0 * count})
    shared: dict[str, Any] = {"data": data, "features": "kin", "epochs": 25, "batch": 32, "threads": 1, "lr": 0.01}
    sizes = {"phi": [16, 16], "f": [16]}
    folder = train(
        "pfn", task="regress", method={"targets": ["jet_length"], "how": "gaussian"}, hyperparameters=sizes,
        accelerator="cpu", out=tmp_path / "run", **shared,
    )[0]  # fmt: skip
    log = [json.loads(line)["validation"] for line in (folder / "log.jsonl").read_text().splitlines()]
    assert set(log[0]) == {"loss", "mae"}
    assert min(line["mae"] for line in log) < 0.3
    task, card = read_model(folder / "model.safetensors")
    assert isinstance(task, Regress)
    assert card.training["epoch"] == 1 + int(np.argmin([line["loss"] for line in log]))
    loader = open_dataset(data).batches(batch=600, **card.preprocessing, targets=["jet_length"], shuffle=False)
    batch = next(iter(loader))
    with torch.no_grad():
        found = task(batch)
    assert found.shape == (600, 2)
    away = (found[:, 0] - batch.targets["jet_length"]).abs().mean().item()
    assert away < 0.3 * batch.targets["jet_length"].std().item()
