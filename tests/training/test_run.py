from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jetkit.config import ConfigError
from jetkit.data.card import Card, write_card
from jetkit.data.dataset import open_dataset
from jetkit.data.shards import write_shard
from jetkit.errors import JetkitError
from jetkit.store.model_file import load_model, read_card
from jetkit.store.options import rebuilt
from jetkit.store.tensor_file import read_tensors
from jetkit.training.data_parts import split_data
from jetkit.training.recipes import train_options
from jetkit.training.run import train


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_a_run_folder_tells_what_was_done(trained: Path, make: Any) -> None:
    content = json.loads((trained / "run.json").read_text())
    assert rebuilt(content["options"]) == make(trained)
    assert len(content["hash"]) == 64
    assert [line["epoch"] for line in log_of(trained)] == [1, 2]
    assert set(log_of(trained)[0]) == {"epoch", "step", "lr", "seconds", "train", "validation"}
    assert set(log_of(trained)[0]["validation"]) == {"loss", "accuracy"}


def test_the_model_file_is_of_the_best_epoch(trained: Path) -> None:
    accuracies = [line["validation"]["accuracy"] for line in log_of(trained)]
    assert read_card(trained / "model.safetensors").training["epoch"] == 1 + int(np.argmax(accuracies))


def test_the_stored_model_gives_the_logged_accuracy(trained: Path, make: Any) -> None:
    card = read_card(trained / "model.safetensors")
    validation = split_data(make(trained)).validation.batches(batch=64, **card.preprocessing)
    model = load_model(trained / "model.safetensors")
    with torch.no_grad():
        right = torch.cat([model(batch).argmax(1) == batch.label for batch in validation])
    assert right.double().mean().item() == max(line["validation"]["accuracy"] for line in log_of(trained))


def test_toy_jets_are_learned(make: Any, tmp_path: Path) -> None:
    folder = train(make(tmp_path / "run", "pfn", "epochs=8", "lr=0.01", "ema=0.9"))[0]
    assert max(line["validation"]["accuracy"] for line in log_of(folder)) > 0.7


def test_each_seed_has_a_folder(make: Any, tmp_path: Path) -> None:
    folders = train(make(tmp_path / "run", "pfn", "seeds=2", "epochs=1", "train_jets=100"))
    assert folders == [tmp_path / "run" / "seed-1", tmp_path / "run" / "seed-2"]
    first, second = (read_tensors(folder / "model.safetensors")[0] for folder in folders)
    assert not torch.equal(first["heads.label.weight"], second["heads.label.weight"])


def test_patience_ends_a_training(make: Any, tmp_path: Path) -> None:
    words = ("epochs=20", "patience=2", "select=loss", "lr=1e-30", "schedule=constant", "optimiser=adamw")
    log = log_of(train(make(tmp_path / "run", "pfn", *words, "train_jets=100"))[0])
    assert len(log) == 3


@pytest.mark.parametrize("model", ["pfn", "part"])
def test_precision_reaches_the_model(make: Any, tmp_path: Path, model: str) -> None:
    few = ("epochs=1", "train_jets=100", "optimiser=adamw", "schedule=constant", "lr=1e-5")
    full, half, double = (
        train(make(tmp_path / name, model, f"precision={name}", *few))[0]
        for name in ("32-true", "bf16-mixed", "64-true")
    )
    losses = [log_of(folder)[0]["validation"]["loss"] for folder in (full, half, double)]
    assert losses[1] != losses[0]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert losses[2] != losses[0]
    assert losses[2] == pytest.approx(losses[0], rel=1e-3)
    kinds = [
        read_tensors(folder / "model.safetensors")[0]["heads.label.weight"].dtype for folder in (full, half, double)
    ]
    assert kinds == [torch.float32, torch.float32, torch.float64]


def test_a_loss_that_is_not_finite_stops_with_its_batch(make: Any, tmp_path: Path) -> None:
    options = make(tmp_path / "run", "pfn", "lr=1e30", "schedule=constant", "optimiser=adamw")
    with pytest.raises(
        JetkitError, match=r"the loss is not finite at step \d+ of epoch 1, its batch is in .*: lower lr"
    ):
        train(options)
    tensors, header = read_tensors(tmp_path / "run" / "not-finite-rank0.safetensors")
    assert header["format"] == "jetkit batch"
    columns = split_data(options).train.read(["jet_label", "jet_pt"], tensors["index.row"].numpy())
    np.testing.assert_array_equal(tensors["label"], columns["jet_label"])  # type: ignore[arg-type]
    np.testing.assert_array_equal(tensors["row"][:, 0], np.float32(columns["jet_pt"]))  # type: ignore[arg-type]
    assert tensors["part.mask"].dtype == torch.bool


def test_validation_that_is_not_finite_stops_with_one_sentence(make: Any, tmp_path: Path) -> None:
    words = ("lr=1e30", "schedule=constant", "optimiser=adamw", "train_jets=60")
    with pytest.raises(JetkitError, match="loss of the validation jets after epoch 1 is not finite: lower lr"):
        train(make(tmp_path / "run", "pfn", *words))


def test_unlabelled_jets_are_refused(toy: Path, make: Any, tmp_path: Path) -> None:
    columns = open_dataset(toy).read(list(open_dataset(toy).columns), slice(0, 100))
    columns["jet_label"] = np.where(np.arange(100) % 50 == 0, -1, columns["jet_label"])  # type: ignore[arg-type]
    shard = write_shard(tmp_path / "data" / "0.parquet", columns) if (tmp_path / "data").mkdir() is None else None
    assert shard is not None
    write_card(tmp_path / "data", Card("odd", classes=["a", "b"]).with_shards([shard], complete=True))
    with pytest.raises(JetkitError, match=r"\d+ of \d+ jets of odd have a label that is none of its 2 classes"):
        train(make(tmp_path / "run", "pfn", f"data={tmp_path / 'data'}"))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("accelerator=abacus", "accelerator=abacus, devices=1, precision=32-true cannot be had here: "),
        ("train_jets=10000", "train_jets=10000 is more than the"),
        ("features=full", "features='kin' would work"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(make: Any, tmp_path: Path, word: str, message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        train(make(tmp_path / "run", "pfn", word))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.phi"], "cannot read 'model.phi': hyperparameters of pfn are written model.NAME=VALUE"),
        (["model.f=[8]", "model.f=[9]"], "option model.f is given twice"),
        (["model.width=3"], "unknown option 'width' in the encoder pfn"),
        (["phi=[8]"], "phi is a hyperparameter of pfn; write model.phi=VALUE"),
        (["fractions=[0.9, 0.2, 0.1]"], "fractions should be three shares"),
        (["epochs=ten"], "option epochs should be int, got 'ten'"),
    ],
)
def test_a_wrong_option_is_one_sentence(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        train_options("pfn", ["data=x", *words])


def test_words_have_the_last_say() -> None:
    options = train_options("part", ["data=x", "epochs=3", "model.width=64"])
    assert (options.optim.epochs, options.optim.optimiser, options.model.options) == (3, "ranger", {"width": 64})
    assert options.folder == Path("runs/part")


def test_the_best_epoch_is_not_chosen_by_what_nobody_tells(make: Any, tmp_path: Path) -> None:
    words = ("task=multi-task", "task.targets=[part_deta]", "select=accuracy", "epochs=1", "train_jets=100")
    with pytest.raises(JetkitError, match="tells no accuracy of the validation jets: choose select= of loss or last"):
        train(make(tmp_path / "run", "pfn", *words))
