"""Run folders evaluated: the same bits each time, nothing scored twice, controls that learn nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.evaluate.number import Number
from jetkit.store.model_file import read_card, read_model, save_model
from jetkit.store.run_folder import run_folders
from jetkit.train.scores import load_scores
from jetkit.verbs.evaluation import EvaluateOptions, evaluate_run

Jetkit = Callable[..., str]


def test_a_model_evaluated_twice_gives_the_same_bits(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "pfn", tmp_path / "pfn")
    evaluate_run(tmp_path / "pfn")
    logits = load_scores(tmp_path / "pfn" / "scores.safetensors").logits
    (tmp_path / "pfn" / "scores.safetensors").unlink()
    evaluate_run(tmp_path / "pfn", EvaluateOptions(batch=7))
    again = load_scores(tmp_path / "pfn" / "scores.safetensors").logits
    np.testing.assert_allclose(again, logits, atol=1e-5)
    (tmp_path / "pfn" / "scores.safetensors").unlink()
    evaluate_run(tmp_path / "pfn")
    assert np.array_equal(load_scores(tmp_path / "pfn" / "scores.safetensors").logits, logits)


def test_stored_scores_are_used_while_model_and_jets_are_the_same(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "pfn", tmp_path / "pfn")
    scores = tmp_path / "pfn" / "scores.safetensors"
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
    stored = json.loads((runs / "pfn" / "evaluation.json").read_text())
    assert Number.from_dict(card.metrics["auc"]) == result.evaluation.auc
    assert stored["evaluation"] == result.evaluation.to_dict()
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


def test_another_dataset_is_scored_whole(runs: Path, toy: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "pfn", tmp_path / "pfn")
    result = evaluate_run(tmp_path / "pfn", EvaluateOptions(data=str(toy), part="all"))
    assert sum(result.evaluation.jets) == 1500
