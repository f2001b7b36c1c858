"""Weights of events, some of them negative, from the data through training to numbers, pictures and verdicts."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jetkit.data.card import Card, write_card
from jetkit.data.dataset import open_dataset
from jetkit.data.shards import write_shard
from jetkit.evaluation.summary import evaluate
from jetkit.reporting.paired_verdicts import judge
from jetkit.store.model_file import read_card
from jetkit.training.data_parts import split_data
from jetkit.verbs.evaluation import evaluate_run, predict_run
from jetkit.verbs.results import tagger_result

Jetkit = Callable[..., str]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def weighted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Toy jets; one event in five has a negative weight, and heavy jets weigh more."""
    columns = runpy.run_path(str(ROOT / "benchmarks" / "toy_jets.py"))["toy_columns"](2000, 3)
    sign = np.where(columns["event_id"] % 5 == 0, -1.0, 1.0)
    columns["event_weight"] = sign * np.where(columns["jet_sdmass"] > 100, 2.0, 0.5)
    folder = tmp_path_factory.mktemp("weighted")
    card = Card("toy", classes=["narrow", "wide"]).with_shards([write_shard(folder / "0.parquet", columns)], True)
    write_card(folder, card)
    return folder


@pytest.fixture(scope="module")
def runs(weighted: Path, jetkit: Jetkit, tiny: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs pfn and efn, trained with the weights, and plain, trained without."""
    folder = tmp_path_factory.mktemp("runs")
    for name, model, word in (("pfn", "pfn", "event_weight"), ("efn", "efn", "event_weight"), ("plain", "pfn", "null")):
        jetkit("train", model, f"data={weighted}", f"out={folder}/{name}", f"weight={word}", *tiny)
    return folder


def test_the_numbers_of_an_evaluation_are_weighted(runs: Path, jetkit: Jetkit) -> None:
    assert read_card(runs / "pfn" / "model.safetensors").preprocessing["weight"] == "event_weight"
    printed = jetkit("evaluate", f"{runs}/pfn")
    assert "n_eff" in printed
    found = evaluate_run(runs / "pfn")
    test = split_data(found.options).test
    wanted = np.asarray(test.read(["event_weight"])["event_weight"])[found.predicted.row]
    np.testing.assert_array_equal(found.predicted.weight, wanted)
    assert (wanted < 0).any()
    judged = (found.predicted.logits.astype(float), found.predicted.label, found.predicted.classes["label"])
    assert found.evaluation == evaluate(*judged, weight=wanted)
    plain = evaluate(*judged)
    assert found.evaluation.weighted
    assert found.evaluation.accuracy.value != plain.accuracy.value
    assert found.evaluation.auc.value != plain.auc.value
    assert found.evaluation.rejections[0].value != plain.rejections[0].value
    stored = predict_run(runs / "pfn")
    np.testing.assert_array_equal(stored.weight, wanted)


def test_a_training_without_the_option_is_not_weighted(runs: Path) -> None:
    found = evaluate_run(runs / "plain")
    assert found.predicted.weight_or_none is None
    assert not found.evaluation.weighted
    assert tagger_result(runs / "plain").typical.weight is None


def test_a_training_with_weights_is_another_one(runs: Path) -> None:
    one, other = (evaluate_run(runs / name).predicted.logits for name in ("pfn", "plain"))
    assert not np.allclose(one, other)


def test_a_report_says_that_jets_are_weighted(runs: Path, jetkit: Jetkit, tmp_path: Path) -> None:
    jetkit("report", f"{runs}/pfn", f"{runs}/efn", f"out={tmp_path}/weighted")
    page = (tmp_path / "weighted" / "index.html").read_text()
    assert "Jets count with the weights of their events" in page
    assert "bins below zero are left out" in page
    assert "no difference seen" in page or "better" in page or "worse" in page
    jetkit("report", f"{runs}/plain", f"out={tmp_path}/plain")
    assert "weights" not in (tmp_path / "plain" / "index.html").read_text()


def test_taggers_that_weigh_jets_differently_are_not_compared(runs: Path) -> None:
    pair = judge(tagger_result(runs / "pfn"), tagger_result(runs / "plain"))
    assert "same weights" in pair.reason
    assert not pair.verdicts
    assert judge(tagger_result(runs / "pfn"), tagger_result(runs / "efn")).verdicts


@pytest.mark.parametrize("method", ["mean", "stack"])
def test_an_ensemble_weighs_jets_as_its_members_do(runs: Path, jetkit: Jetkit, tmp_path: Path, method: str) -> None:
    out = tmp_path / "together"
    jetkit("ensemble", f"{runs}/pfn", f"{runs}/efn", f"method={method}", f"out={out}")
    found = evaluate_run(out)
    assert found.evaluation.weighted
    np.testing.assert_array_equal(found.predicted.weight, evaluate_run(runs / "pfn").predicted.weight)
    (out / "predictions.safetensors").unlink()
    assert evaluate_run(out).evaluation.auc.n_eff == found.evaluation.auc.n_eff
    refused = jetkit("ensemble", f"{runs}/pfn", f"{runs}/plain", f"out={tmp_path}/refused", code=1)
    assert "weight=event_weight and weight=none" in refused


def test_a_dataset_without_the_column_is_told(toy: Path, jetkit: Jetkit, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    assert "event_weight" not in open_dataset(toy).columns
    printed = jetkit("train", "pfn", f"data={toy}", f"out={tmp_path}/run", "weight=event_weight", *tiny, code=1)
    assert "event_weight" in printed
