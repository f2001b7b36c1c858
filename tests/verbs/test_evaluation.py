"""Run folders evaluated: the same bits each time, nothing scored twice, controls that learn nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import uproot
from pyarrow import parquet

from jetkit.errors import JetkitError
from jetkit.evaluation.number import Number
from jetkit.evaluation.result import Result
from jetkit.store.model_file import read_card, read_model, save_model
from jetkit.store.predictions import load_predictions
from jetkit.store.run_folder import run_folders
from jetkit.verbs.evaluation import EvaluateOptions, evaluate_run, rows_of

Jetkit = Callable[..., str]


def test_a_model_evaluated_twice_gives_the_same_bits(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "pfn", tmp_path / "pfn")
    evaluate_run(tmp_path / "pfn")
    logits = load_predictions(tmp_path / "pfn" / "predictions.safetensors").logits
    (tmp_path / "pfn" / "predictions.safetensors").unlink()
    evaluate_run(tmp_path / "pfn", EvaluateOptions(batch=7))
    again = load_predictions(tmp_path / "pfn" / "predictions.safetensors").logits
    np.testing.assert_allclose(again, logits, atol=1e-5)
    (tmp_path / "pfn" / "predictions.safetensors").unlink()
    evaluate_run(tmp_path / "pfn")
    assert np.array_equal(load_predictions(tmp_path / "pfn" / "predictions.safetensors").logits, logits)


def test_stored_scores_are_used_while_model_and_jets_are_the_same(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "pfn", tmp_path / "pfn")
    scores = tmp_path / "pfn" / "predictions.safetensors"
    evaluate_run(tmp_path / "pfn")
    before = scores.stat().st_mtime_ns
    evaluate_run(tmp_path / "pfn", EvaluateOptions(replicas=50))
    assert scores.stat().st_mtime_ns == before
    evaluate_run(tmp_path / "pfn", EvaluateOptions(part="val"))
    assert scores.stat().st_mtime_ns == before, "those of other jets have a file of their own"
    change_weights(tmp_path / "pfn" / "model.safetensors")
    evaluate_run(tmp_path / "pfn")
    assert scores.stat().st_mtime_ns > before


def change_weights(path: Path) -> None:
    """Put other weights into a model file."""
    model, card = read_model(path)
    for weight in model.parameters():
        weight.data.mul_(1.5)
    save_model(path, model, card)


def test_the_numbers_are_in_the_model_file_and_the_folder(runs: Path) -> None:
    result = evaluate_run(runs / "pfn")
    card = read_card(runs / "pfn" / "model.safetensors")
    stored = Result.from_dict(json.loads((runs / "pfn" / "result.json").read_text()))
    assert Number.from_dict(card.metrics["auc"]) == result.evaluation.auc
    assert stored.details == result.evaluation.to_dict()
    assert stored.numbers == result.result.numbers
    assert sum(result.evaluation.jets) == card.data["jets"]["test"]


def test_shuffled_labels_are_not_learnt(jetkit: Jetkit, toy: Path, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    jetkit("train", "pfn", f"data={toy}", f"out={tmp_path}/run", "labels=shuffled", *tiny)
    auc = evaluate_run(tmp_path / "run").evaluation.auc
    assert auc.error is not None
    assert abs(auc.value - 0.5) < 8 * auc.error  # less than once in 10⁶; two jets of an event share a label


def test_true_labels_are_learnt(runs: Path) -> None:
    auc = evaluate_run(runs / "pfn").evaluation.auc
    assert auc.error is not None
    assert auc.value - 0.5 > 5 * auc.error


def test_the_runs_of_several_seeds_are_found_in_order(runs: Path) -> None:
    assert [folder.name for folder in run_folders(runs / "efn")] == ["seed-1", "seed-2"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "nowhere"], "no run folder"),
        (["evaluate"], "Missing argument"),
        (["report"], "needs the run folders"),
        (["train", "pfn"], "option data is missing"),
        (["train", "PFN", "data=x"], "did you mean pfn"),
        (["train", "pfn", "data=nowhere"], "holds no Parquet files"),
        (["train", "pfn", "data=x", "model.width=3"], "unknown option 'width' in the encoder pfn"),
        (["train", "pfn", "data=x", "epochs=ten"], "option epochs should be int"),
        (["reproduce", "nothing"], "unknown card"),
        (["import", "nowhere.pt", "format=weaver"], "cannot read"),
        (["show", "nowhere.safetensors"], "cannot read"),
    ],
)
def test_wrong_input_is_one_sentence_that_names_the_mend(jetkit: Jetkit, words: list[str], message: str) -> None:
    code = 2 if "Missing" in message else 1
    output = jetkit(*words, code=code)
    assert message in output
    assert "Traceback" not in output


def test_all_jets_are_refused_where_some_were_trained_on() -> None:
    with pytest.raises(JetkitError, match="give data= as well"):
        EvaluateOptions(part="all")


def test_a_number_of_jets_beyond_the_training_share_is_refused(jetkit: Jetkit, toy: Path, tmp_path: Path) -> None:
    assert "more than the" in jetkit("train", "pfn", f"data={toy}", f"out={tmp_path}/r", "train_jets=99999", code=1)


def test_other_data_leave_the_results_of_the_run_alone(runs: Path, toy: Path, tmp_path: Path) -> None:
    run = tmp_path / "pfn"
    shutil.copytree(runs / "pfn", run)
    evaluate_run(run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    others = [EvaluateOptions(data=str(toy), part="all"), EvaluateOptions(part="val")]
    found = [evaluate_run(run, other) for other in others]
    assert {path: path.read_bytes() for path in before} == before
    assert len({one.out for one in found}) == 2
    assert all((one.out / "result.json").is_file() and run / "results" in one.out.parents for one in found)


def test_data_that_share_shards_with_the_training_count_by_their_test_part_alone(runs: Path, toy: Path) -> None:
    whole = evaluate_run(runs / "pfn", EvaluateOptions(data=str(toy)))
    assert len(whole.predicted) == read_card(runs / "pfn" / "model.safetensors").data["jets"]["test"]


def test_a_model_file_alone_is_evaluated_and_reported(jetkit: Jetkit, runs: Path, toy: Path, tmp_path: Path) -> None:
    file = tmp_path / "published.safetensors"
    shutil.copy(runs / "pfn" / "model.safetensors", file)
    assert "give data=" in jetkit("evaluate", str(file), code=1)
    found = evaluate_run(file, EvaluateOptions(data=str(toy), part="all"))
    assert len(found.predicted) == 1500
    assert "accuracy" in jetkit("evaluate", str(file), f"data={toy}", "part=all")
    jetkit("report", str(file), f"data={toy}", "part=all", f"out={tmp_path}/page")
    assert "published" in (tmp_path / "page" / "index.html").read_text()


@pytest.mark.parametrize("ending", ["parquet", "root"])
def test_predictions_are_written_with_event_numbers(jetkit: Jetkit, runs: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"scores.{ending}"
    assert f"the predictions are in {out}" in jetkit("predict", str(runs / "pfn"), f"out={out}", "columns=[jet_pt]")
    if ending == "parquet":
        table = {name: np.array(values) for name, values in parquet.read_table(out).to_pydict().items()}
    else:
        table = uproot.open(out)["predictions"].arrays(library="np")
    dataset, _ = rows_of(runs / "pfn", EvaluateOptions())
    for name, values in dataset.read(["event_id", "jet_pt", "jet_label"]).items():
        np.testing.assert_array_equal(table[name], np.asarray(values)[table["row"]])
    shares = np.stack([table[f"p_{name}"] for name in dataset.classes], 1)
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-6)
    np.testing.assert_array_equal(shares.argmax(1), evaluate_run(runs / "pfn").predicted.logits.argmax(1))
    assert "should end in .parquet or .root" in jetkit("predict", str(runs / "pfn"), "out=x.csv", code=1)
    assert "has no column jet_ptt" in jetkit("predict", str(runs / "pfn"), f"out={out}", "columns=[jet_ptt]", code=1)


def test_another_dataset_is_scored_whole(runs: Path, toy: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "pfn", tmp_path / "pfn")
    result = evaluate_run(tmp_path / "pfn", EvaluateOptions(data=str(toy), part="all"))
    assert sum(result.evaluation.jets) == 1500
