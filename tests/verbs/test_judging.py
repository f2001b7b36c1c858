"""Any task from the command line to its numbers: regression, several targets, a density; and the errors of numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from jetkit.data.batch import Batch, Index
from jetkit.errors import JetkitError
from jetkit.evaluation.number import Number
from jetkit.evaluation.regression import regression, weighted_quantile
from jetkit.evaluation.result import Predicted, Result
from jetkit.interchange.onnx import tensors
from jetkit.store.model_file import load_model, read_card, read_model
from jetkit.store.run_folder import run_options
from jetkit.store.tensor_file import read_tensors
from jetkit.tasks.task import mean_of
from jetkit.testing import random_batch
from jetkit.training.data_parts import split_data
from jetkit.verbs.judging import FOLDS, joined, judge, watched

Verb = Callable[..., str]
FAST = ("epochs=2", "batch=64", "threads=1", "accelerator=cpu", "lr=5e-3", "fractions=[0.5,0.1,0.4]")


def pairs_of(values: np.ndarray, weight: np.ndarray, size: int, pair: np.ndarray | None = None) -> list[Any]:
    """Batches of rows in a random order, with a prediction of each row and one of the whole batch."""
    order = torch.from_numpy(np.random.default_rng(3).permutation(len(values)))
    pairs = []
    for rows in order.split(size):
        index = Index(row=rows, pair=None if pair is None else torch.from_numpy(pair)[rows])
        batch = Batch(row=torch.zeros(len(rows), 1), weight=torch.from_numpy(weight)[rows], index=index)
        pairs.append((batch, {"value": torch.from_numpy(values)[rows], "sum": torch.from_numpy(values)[rows].sum()}))
    return pairs


def watching(result: str = "watched") -> Any:
    """What stands for a task: it watches the weighted mean of its predictions, and twice that."""

    def watch(pairs: Any) -> dict[str, float]:
        mean = mean_of((batch.weight, found["value"]) for batch, found in pairs)
        return {"mean": mean, "double": 2 * mean}

    return SimpleNamespace(result=result, watch=watch, eval=lambda: None)


def test_the_error_of_a_watched_number_is_that_of_a_jackknife_written_out() -> None:
    random = np.random.default_rng(1)
    values, weight = random.normal(size=237), random.uniform(0.5, 2, 237)
    found = watched(watching(), pairs_of(values, weight, 32))
    left_out = []
    for part in range(FOLDS):
        kept = [row for row in range(237) if row % FOLDS != part]
        left_out.append(sum(weight[row] * values[row] for row in kept) / sum(weight[row] for row in kept))
    mean = sum(left_out) / FOLDS
    error = ((FOLDS - 1) / FOLDS * sum((one - mean) ** 2 for one in left_out)) ** 0.5
    assert found.numbers["mean"].value == pytest.approx(np.average(values, weights=weight), rel=1e-12)
    assert found.numbers["mean"].error == pytest.approx(error, rel=1e-9)
    assert found.numbers["double"].error == pytest.approx(2 * error, rel=1e-9)
    assert found.numbers["mean"].jets == 237


@pytest.mark.parametrize("rows", [10, 7, 2])
def test_the_jackknife_of_a_mean_is_its_standard_error(rows: int) -> None:
    """One row a part: σ² = Σ (x − ⟨x⟩)²/n(n − 1), a known answer."""
    values = np.random.default_rng(2).normal(size=rows)
    found = watched(watching(), pairs_of(values, np.ones(rows), 4))
    assert found.numbers["mean"].error == pytest.approx(values.std(ddof=1) / np.sqrt(rows), rel=1e-9)


def test_twins_stay_together_in_a_jackknife_and_one_part_has_no_error() -> None:
    values = np.random.default_rng(4).normal(size=20).repeat(2)
    pair = np.arange(20).repeat(2)
    found = watched(watching(), pairs_of(values, np.ones(40), 8, pair))
    single = watched(watching(), pairs_of(values[::2], np.ones(20), 8))
    assert found.numbers["mean"].error == pytest.approx(single.numbers["mean"].error, rel=1e-9)
    alone = watched(watching(), pairs_of(values[:1], np.ones(1), 8))
    assert np.isnan(alone.numbers["mean"].error)


def test_predictions_come_in_stored_order_and_one_value_a_row() -> None:
    values = np.random.default_rng(5).normal(size=50)
    found = joined(pairs_of(values, np.arange(50.0), 7))
    assert list(found.values) == ["value"]
    np.testing.assert_array_equal(found.values["value"], values)
    np.testing.assert_array_equal(found.weight, np.arange(50.0))
    np.testing.assert_array_equal(found.row, np.arange(50))
    with pytest.raises(JetkitError, match="no usable rows to evaluate"):
        joined([])


def test_an_evaluation_that_is_not_there_is_named() -> None:
    with pytest.raises(JetkitError, match="unknown evaluation 'regresion'; did you mean regression"):
        judge(watching("regresion"), [], replicas=2, seed=0, report=lambda *_: None)  # type: ignore[arg-type]


def test_the_numbers_of_a_regression_are_known_for_a_normal_residual() -> None:
    """bias μ, resolution σ, root mean square √(μ² + σ²), and errors that repeated samples confirm."""
    random = np.random.default_rng(6)
    truth = random.uniform(50, 150, 10_000)
    numbers = regression(_predicted(truth + 2.0 + random.normal(0, 5.0, 10_000), truth), replicas=60).numbers
    wanted = {"bias": 2.0, "resolution": 5.0, "rmse": 29**0.5, "resolution of a constant": 0.6826 * 50}
    for name, value in wanted.items():
        found = numbers[f"mass {name}"]
        assert found.value == pytest.approx(value, abs=5 * found.error)
        assert found.jets == 10_000
    assert numbers["mass bias"].error == pytest.approx((np.pi / 2) ** 0.5 * 5 / 100, rel=0.5)
    assert numbers["mass rmse"].error < 0.1


def test_weights_of_a_regression_count_rows_and_negative_ones_take_them_away() -> None:
    truth = np.zeros(6)
    value = np.array([1.0, 1.0, 4.0, 9.0, 9.0, 9.0])
    weight = np.array([1.0, 2.0, 3.0, 1.0, 1.0, -2.0])
    numbers = regression(_predicted(value, truth, weight), replicas=20).numbers
    whole = np.repeat([1.0, 4.0], 3)
    assert numbers["mass rmse"].value == pytest.approx(np.sqrt(np.mean(whole**2)))
    assert numbers["mass bias"].value == 1.0
    assert weighted_quantile(np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0]), 0.6) == 2.0
    assert np.isnan(weighted_quantile(np.ones(2), np.array([1.0, -1.0]), 0.5))


def test_of_several_values_a_row_the_central_one_counts() -> None:
    truth = np.linspace(0, 1, 50)
    values = {"mass": np.stack([truth - 1, truth, truth + 2], 1), "mass central": truth + 0.5}
    found = Predicted(values, {"mass": truth}, np.ones(50), np.arange(50))
    assert regression(found, replicas=5).numbers["mass bias"].value == pytest.approx(0.5)
    with pytest.raises(JetkitError, match="predict one of them as mass central"):
        regression(Predicted({"mass": values["mass"]}, found.targets, found.weight, found.row))
    with pytest.raises(JetkitError, match="no predicted quantity is among the targets"):
        regression(Predicted({"loss": truth}, found.targets, found.weight, found.row))


def test_a_result_can_be_stored() -> None:
    found = Result("mine", {"a": Number(1.0, 0.1, 5)}, {"curve": {"x": [0.0], "y": [1.0]}}, provenance={"model": "pfn"})
    again = Result.from_dict(json.loads(json.dumps(found.to_dict())))
    assert (again.kind, again.numbers, again.curves, again.provenance) == (
        found.kind, found.numbers, found.curves, found.provenance,
    )  # fmt: skip


@pytest.fixture(scope="module")
def regressed(toy: Path, tiny: tuple[str, ...], jetkit: Verb, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that regresses the mass, evaluated, and what the command line printed."""
    out = tmp_path_factory.mktemp("regressed") / "mass"
    words = [f"data={toy}", *tiny, "task=regress", "task.targets=[jet_sdmass]", "task.how=quantiles", f"out={out}"]
    said = jetkit("train", "pfn", *words)
    assert f"judge it with: jetkit evaluate {out}" in said
    (out / "said.txt").write_text(jetkit("evaluate", str(out), "replicas=20"))
    return out


def test_a_regression_is_evaluated_on_rows_that_it_has_not_seen(regressed: Path) -> None:
    test = split_data(run_options(regressed)).test
    result = Result.from_dict(json.loads((regressed / "result.json").read_text()))
    arrays, header = read_tensors(regressed / "predictions.safetensors")
    assert header["card"] == result.provenance
    found = {name: tensor.numpy() for name, tensor in arrays.items()}
    truth = np.asarray(test.read(["jet_sdmass"])["jet_sdmass"])[found["row"]]
    np.testing.assert_allclose(found["targets.jet_sdmass"], truth)
    assert found["values.jet_sdmass"].shape == (len(test), 3)
    np.testing.assert_array_equal(found["values.jet_sdmass central"], found["values.jet_sdmass"][:, 1])
    residual = found["values.jet_sdmass central"].astype(float) - truth
    rmse = result.numbers["jet_sdmass rmse"]
    assert rmse.value == pytest.approx(np.sqrt(np.mean(residual**2)), rel=1e-6)
    assert 0 < rmse.error < rmse.value
    assert rmse.jets == len(test)
    said = (regressed / "said.txt").read_text()
    assert f"{len(test):,} rows" in " ".join(said.split())
    assert all(f"jet_sdmass {name}" in said for name in ("bias", "resolution", "rmse"))
    assert str(rmse) in said


def test_a_regression_is_shown_and_exported(regressed: Path, jetkit: Verb, tmp_path: Path) -> None:
    said = jetkit("show", str(regressed / "model.safetensors"))
    assert "task: regress" in said
    assert "target jet_sdmass: real" in said
    assert "jet_sdmass rmse: " in said
    _exported(regressed, jetkit, tmp_path, ["jet_sdmass"])


def test_a_regression_is_reported(regressed: Path, runs: Path, jetkit: Verb, tmp_path: Path) -> None:
    assert f"open {tmp_path}" in jetkit("report", str(regressed), f"out={tmp_path}")
    page = (tmp_path / "index.html").read_text()
    result = Result.from_dict(json.loads((regressed / "result.json").read_text()))
    assert all(name in page and number.text() in page for name, number in result.numbers.items())
    assert "jetkit train pfn task=regress" in page
    assert (tmp_path / "training.png").is_file()
    refused = " ".join(jetkit("report", str(regressed), str(runs / "pfn"), code=1).split())
    assert "results of several kinds (classification, regression): report them apart" in refused


def test_several_targets_of_jets_and_particles(toy: Path, tiny: tuple[str, ...], jetkit: Verb, tmp_path: Path) -> None:
    out = tmp_path / "several"
    words = ["task=multi-task", "task.targets=[label,jet_sdmass,part_deta]", "task.weights=[1,0.5,0.1]"]
    jetkit("train", "pfn", f"data={toy}", *tiny, *words, f"out={out}")
    said = jetkit("evaluate", str(out))
    numbers = Result.from_dict(json.loads((out / "result.json").read_text())).numbers
    assert {"loss", "accuracy", "loss label", "loss jet_sdmass", "loss part_deta"} <= set(numbers)
    parts = {"label": 1.0, "jet_sdmass": 0.5, "part_deta": 0.1}
    total = sum(weight * numbers[f"loss {name}"].value for name, weight in parts.items())
    assert numbers["loss"].value == pytest.approx(total)
    assert all(number.error > 0 for number in numbers.values())
    assert numbers["accuracy"].value > 0.5
    assert "accuracy label" in said
    shown = jetkit("show", str(out / "model.safetensors"))
    assert "target part_deta: real of part" in shown
    _exported(out, jetkit, tmp_path, ["label", "jet_sdmass", "part_deta"])
    examined = jetkit("examine", str(out), "test=permutation,padding")
    assert examined.count("pass") == 2


def test_a_density_of_the_features_of_the_row(toy: Path, jetkit: Verb, tmp_path: Path) -> None:
    out = tmp_path / "density"
    sizes = ("model.transforms=2", "model.width=8", "model.bins=4")
    words = [f"data={toy}", "task=density", "features=[jet_pt,jet_sdmass]", *sizes, *FAST, f"out={out}"]
    jetkit("train", "nsf", *words)
    said = jetkit("evaluate", str(out))
    number = Result.from_dict(json.loads((out / "result.json").read_text())).numbers["loss"]
    assert str(number) in said
    task, card = read_model(out / "model.safetensors")
    test = split_data(run_options(out)).test
    batches = test.batches(batch=77, shuffle=False, **card.preprocessing)
    density = torch.cat([task.scores(batch)["log_prob"] for batch in batches])
    assert number.value == pytest.approx(-density.mean().item(), rel=1e-5)
    assert number.error == pytest.approx(density.std().item() / len(test) ** 0.5, rel=0.7)
    shown = jetkit("show", str(out / "model.safetensors"))
    assert "task: density" in shown
    assert "features of the row" in shown
    _exported(out, jetkit, tmp_path, ["log_prob"])
    assert "plain tables" in jetkit("examine", str(out), code=1)


def test_a_pretrained_backbone_predicts_nothing(toy: Path, jetkit: Verb, tmp_path: Path) -> None:
    words = ["model=pfn", "method.width=16", "method.target=regression", "features=kin", "length=12", *FAST]
    jetkit("pretrain", "mpm", f"data={toy}", *words, f"out={tmp_path}/mpm")
    said = " ".join(jetkit("evaluate", f"{tmp_path}/mpm", code=1).split())
    assert f"a pretrained backbone, which predicts nothing: jetkit report {tmp_path}/mpm" in said


def _exported(run: Path, jetkit: Verb, folder: Path, outputs: list[str]) -> None:
    """The graph of a run gives what its task gives."""
    runtime = pytest.importorskip("onnxruntime")
    graph = folder / f"{run.name}.onnx"
    assert "gives the answers of the model" in jetkit("export", str(run), f"out={graph}")
    session = runtime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_outputs()] == outputs
    task = load_model(run / "model.safetensors")
    batch = random_batch(task.spec, jets=5, particles=(2, 9), seed=8).to(dtype=torch.float32)
    given = tensors(batch, task.spec)
    found = session.run(None, {one.name: given[one.name].numpy() for one in session.get_inputs()})
    with torch.no_grad():
        wanted = task.scores(batch)
    for name, mine in zip(outputs, found, strict=True):
        scale = max(1.0, wanted[name].abs().max().item())
        np.testing.assert_allclose(mine / scale, wanted[name].numpy() / scale, atol=1e-4)
    assert read_card(run / "model.safetensors").task in ("regress", "multi-task", "density")


def _predicted(value: np.ndarray, truth: np.ndarray, weight: np.ndarray | None = None) -> Predicted:
    weight = np.ones(len(value)) if weight is None else weight
    return Predicted({"mass": value}, {"mass": truth}, weight, np.arange(len(value)))
