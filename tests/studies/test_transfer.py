"""Pretrained models against the number of labels, by the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jetkit.config import ConfigError
from jetkit.data.dataset import open_dataset
from jetkit.errors import JetkitError
from jetkit.store.run_folder import run_options
from jetkit.studies.transfer import TransferOptions, _epochs, transfer_options
from jetkit.training.data_parts import split_data
from jetkit.verbs.results import result_of

Verb = Callable[..., str]
SMALL = ("labels=[20,100]", "seeds=2", "steps=[30]", "batch=16", "threads=1", "train.accelerator=cpu")
RATES = ("rates=[1e-3,1e-2]", "head_rates=[1e-2]")


@pytest.fixture(scope="module")
def words(toy: Path, runs: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A comparison whose pretrained model knows the classes already."""
    out = tmp_path_factory.mktemp("transfer")
    return [f"{runs}/pfn", "toy", f"data={toy}", f"out={out}", "fractions=[0.5,0.1,0.4]", *SMALL, *RATES]


@pytest.fixture(scope="module")
def done(words: list[str], jetkit: Verb) -> Path:
    jetkit("transfer", *words)
    return Path(words[3].removeprefix("out="))


def points(done: Path, mode: str, labels: int) -> list[Path]:
    return sorted((done / "runs" / "pfn" / mode / f"{labels}-labels").iterdir())


def test_every_mode_and_number_of_labels_is_on_the_page(done: Path) -> None:
    page = (done / "index.html").read_text()
    for name in ("pfn finetune", "pfn freeze", "scratch", "random-freeze", "20", "100", "What it is worth in labels"):
        assert name in page
    assert {path.name for path in done.glob("*.png")} == {"accuracy.png", "auc.png", "rejection.png"}
    assert "Learning rates of 0.001, 0.01" in page


def test_a_rate_is_chosen_with_the_first_seed_and_kept_for_the_second(done: Path) -> None:
    for mode, tried in (("finetune", 2), ("scratch", 2), ("freeze", 1), ("random-freeze", 1)):
        names = [path.name for path in points(done, mode, 20)]
        assert len(names) == tried + 1
        assert sum(name.endswith("seed2") for name in names) == 1


def test_the_modes_see_the_same_labels_and_are_judged_on_the_same_jets(done: Path) -> None:
    chosen = [run_options(points(done, mode, 20)[0]) for mode in ("finetune", "scratch", "freeze")]
    rows = [set(split_data(options).train.read(["event_id"])["event_id"]) for options in chosen]
    tests = [list(split_data(options).test.read(["event_id"])["event_id"]) for options in chosen]
    assert len(rows[0]) == 20
    assert rows[0] == rows[1] == rows[2]
    assert tests[0] == tests[1] == tests[2]


def test_smaller_sets_of_labels_are_part_of_larger_ones_and_each_seed_has_its_own(done: Path) -> None:
    def events(labels: int, seed: int) -> set[int]:
        folder = next(path for path in points(done, "finetune", labels) if path.name.endswith(f"seed{seed}"))
        return set(split_data(run_options(folder)).train.read(["event_id"])["event_id"])

    assert events(20, 1) < events(100, 1)
    assert events(20, 1) != events(20, 2)


def test_what_knows_the_classes_beats_random_weights_at_20_labels(done: Path) -> None:
    known, random = (result_of(mode, points(done, mode, 20)[-1:]) for mode in ("freeze", "random-freeze"))
    assert known.auc > random.auc


def test_a_second_call_trains_nothing_and_writes_the_same_page(done: Path, words: list[str], jetkit: Verb) -> None:
    page = (done / "index.html").read_bytes()
    weights = {path: path.stat().st_mtime_ns for path in done.glob("runs/**/checkpoint.safetensors")}
    jetkit("transfer", *words)
    assert {path: path.stat().st_mtime_ns for path in done.glob("runs/**/checkpoint.safetensors")} == weights
    assert (done / "index.html").read_bytes() == page


def test_jets_of_the_pretraining_may_not_be_in_the_test(words: list[str], tmp_path: Path, jetkit: Verb) -> None:
    given = [word for word in words if not word.startswith(("fractions=", "out="))]
    said = jetkit("transfer", *given, "fractions=[0.3,0.1,0.6]", f"out={tmp_path}/other", code=1)
    assert "the first of fractions should be 0.5" in " ".join(said.split())
    assert not (tmp_path / "other").exists()


def test_too_few_jets_are_named_before_anything_is_trained(words: list[str], tmp_path: Path, jetkit: Verb) -> None:
    given = [word for word in words if not word.startswith(("labels=", "out="))]
    jets = len(open_dataset(words[2].removeprefix("data=")).split("train", (0.5, 0.1, 0.4)))
    said = jetkit("transfer", *given, "labels=[20,5000]", f"out={tmp_path}/other", code=1)
    assert f"more than the {jets} jets" in " ".join(said.split())
    assert not (tmp_path / "other").exists()


def test_a_model_and_a_recipe_are_needed(jetkit: Verb) -> None:
    assert "a pretrained model and a recipe" in " ".join(jetkit("transfer", "jetclass", code=1).split())


def test_two_models_of_one_name_are_refused(words: list[str], runs: Path, jetkit: Verb) -> None:
    assert "two models have the name pfn" in jetkit("transfer", f"{runs}/pfn", *words, code=1)


@pytest.mark.parametrize("word", ["labels=[300,100]", "labels=[]", "modes=[fine]", "seeds=0", "steps=[]"])
def test_options_that_mean_nothing_are_refused(word: str) -> None:
    with pytest.raises((ConfigError, JetkitError)):
        transfer_options([word])


@pytest.mark.parametrize("labels", [10, 100, 3000, 50_000])
@pytest.mark.parametrize("steps", [100, 1000])
def test_trainings_have_about_the_steps_that_were_asked_for(labels: int, steps: int) -> None:
    epochs, passes = _epochs(labels, steps, batch=64)
    done = epochs * -(-labels * passes // 64)
    assert steps / 2 <= done <= 1.5 * steps or (epochs, passes) == (1, 1)
    assert epochs <= 20
    assert TransferOptions().batch == 64
