"""Files of the first format: what they gave then is what they give now, and what cannot be gone on with says so."""

from __future__ import annotations

import json
import runpy
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from jetkit.data.batch import Batch
from jetkit.errors import JetkitError
from jetkit.store import checkpoint
from jetkit.store.model_file import annotate, load_model, read_backbone, read_card, read_model, save_model
from jetkit.store.options import RunOptions, rebuilt
from jetkit.store.tensor_file import read_tensors
from jetkit.tasks.classify import Classify
from jetkit.training.recipes import train_options
from jetkit.training.run import train

FIRST = Path(__file__).with_name("first_format")
"""Files of version 1, and what the code of then gave for them; see `make.py` there."""
EXPECTED = json.loads((FIRST / "expected.json").read_text())


def first(name: str) -> Path:
    return FIRST / "run" / "model.safetensors" if name == "pfn" else FIRST / f"{name}.safetensors"


@pytest.fixture(scope="module")
def same_jets() -> Batch:
    """Those of `make.py`."""
    x, mask, p4 = (
        torch.from_numpy(array) for array in runpy.run_path(str(FIRST / "make.py"))["inputs"](EXPECTED["seed"])
    )
    return Batch.of(x.float(), mask, p4.float())


@pytest.mark.parametrize("name", sorted(EXPECTED["outputs"]))
def test_a_file_of_the_first_format_gives_what_it_gave(name: str, same_jets: Batch) -> None:
    module, card = read_model(first(name))
    with torch.no_grad():
        found = module(same_jets).double()
    torch.testing.assert_close(
        found, torch.tensor(EXPECTED["outputs"][name], dtype=torch.float64), rtol=1e-5, atol=1e-6
    )
    assert (card.version, card.model, card.task) == (1, name, "" if name == "part" else "classify")
    assert card.classes == ["narrow", "wide"]
    assert list(card.spec_of.features)[:2] == ["part_pt_log", "part_e_log"]
    assert isinstance(module, Classify) == (name != "part")


@pytest.mark.parametrize("name", sorted(EXPECTED["outputs"]))
def test_a_file_of_the_first_format_can_be_stored_anew(name: str, same_jets: Batch, tmp_path: Path) -> None:
    module, card = read_model(first(name))
    save_model(tmp_path / "m", module, replace(card, spec=card.spec_of.to_dict(), version=2))
    again, stored = read_model(tmp_path / "m")
    assert stored.version == 2
    assert stored.spec_of == card.spec_of
    with torch.no_grad():
        assert torch.equal(again(same_jets), module(same_jets))


def test_annotating_a_file_of_the_first_format_leaves_it_one(tmp_path: Path, same_jets: Batch) -> None:
    shutil.copy(first("pfn"), tmp_path / "m")
    annotate(tmp_path / "m", metrics={"auc": [0.9, 0.01]})
    assert (read_card(tmp_path / "m").metrics, read_card(tmp_path / "m").version) == ({"auc": [0.9, 0.01]}, 1)
    assert torch.equal(load_model(tmp_path / "m")(same_jets), load_model(first("pfn"))(same_jets))


def options_of(name: str) -> RunOptions:
    return rebuilt(json.loads((FIRST / name).read_text())["options"])


def test_a_run_of_the_first_format_tells_its_options() -> None:
    options = options_of("run/run.json")
    assert (options.data.path, options.data.features, options.data.fractions) == ("toy", "kin", (0.7, 0.2, 0.1))
    assert (options.model.name, options.model.options) == ("pfn", {"phi": [8, 8], "f": [8]})
    assert (options.task.name, options.task.options) == ("classify", {"smoothing": 0.1})
    optim = options.optim
    assert (optim.epochs, optim.batch, optim.lr, optim.optimiser, optim.select) == (2, 50, 3e-3, "adamw", "accuracy")
    assert (options.seed, options.machine.threads, options.out, options.start.file) == (1, 1, "runs/pfn", "")


def test_a_pretraining_and_an_adaptation_of_the_first_format_tell_theirs() -> None:
    options = options_of("part-run.json")
    assert (options.task.name, options.task.options) == ("p-jepa", {"width": 8, "heads": 2, "depth": 1})
    assert (options.model.name, options.model.options["width"], options.optim.select) == ("part", 8, "last")
    options = options_of("adapted-run.json")
    assert (options.start.file, options.start.mode, options.start.backbone_rate) == ("runs/part", "freeze", 0.1)
    assert (options.task.name, options.model.options["heads"], options.optim.epochs) == ("classify", 2, 1)


def test_what_was_pretrained_then_can_be_adapted_now(tmp_path: Path, toy: Path) -> None:
    words = [f"data={toy}", f"out={tmp_path}/run", "epochs=1", "threads=1", "accelerator=cpu", "mode=freeze"]
    folder = train(train_options(start=str(FIRST / "part.safetensors"), words=words))[0]
    before, after = read_backbone(FIRST / "part.safetensors")[0], read_backbone(folder / "model.safetensors")[0]
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_training_of_the_first_format_cannot_be_gone_on_with(tmp_path: Path, toy: Path) -> None:
    shutil.copytree(FIRST / "run", tmp_path / "run")
    options = options_of("run/run.json").changed(data=str(toy), out=str(tmp_path / "run"))
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(
        JetkitError, match="was trained by an earlier jetkit, which this one cannot go on with"
    ) as error:
        train(options)
    assert "\n" not in str(error.value)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
    assert read_tensors(tmp_path / "run" / checkpoint.NAME)[1].get("version") != checkpoint.VERSION
