"""Scaling laws of a tagger, by the command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from jetkit.config import ConfigError
from jetkit.data.dataset import open_dataset
from jetkit.store.predictions import load_predictions
from jetkit.store.run_folder import run_options
from jetkit.studies.scaling import ScalingOptions, scaling_options, trainings
from jetkit.verbs.results import words_of

Verb = Callable[..., str]
COMMON = (
    "train.features=kin", "train.batch=64", "train.epochs=1", "train.lr=5e-3", "train.threads=1",
    "train.accelerator=cpu", "train.fractions=[0.5,0.1,0.4]", "replicas=20",
)  # fmt: skip
GRID = ("hyperparameter=phi,f", "widths=4,8,16", "sizes=100,200,400", "model.phi=[8,8]", "model.f=[8]")


@pytest.fixture(scope="module")
def study(toy: Path, jetkit: Verb, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PFN in three widths on three numbers of jets."""
    out = tmp_path_factory.mktemp("scaling")
    jetkit("scaling", "pfn", f"data={toy}", f"out={out}", *GRID, *COMMON)
    return out


def test_page_has_law_pictures_and_all_trainings(study: Path) -> None:
    page = (study / "index.html").read_text()
    assert "9 trainings: 3 values of phi, f, 3 numbers of jets; 1 epoch." in page
    assert len(re.findall(r"phi, f (4|8|16)<small>seed 1", page)) == 9
    assert {path.name for path in study.glob("*.png")} == {"parameters.png", "jets.png", "compute.png"}
    assert ("Best use of a compute" in page) != ("No compute-optimal line" in page)


def test_each_training_has_its_width_and_jets_and_the_same_test_jets(study: Path) -> None:
    folders = sorted((study / "runs").iterdir())
    options = [run_options(folder) for folder in folders]
    assert {(tuple(one.model.options["phi"]), one.data.train_jets) for one in options} == {
        ((width, width), jets) for width in (4, 8, 16) for jets in (100, 200, 400)
    }
    rows = [load_predictions(folder / "predictions.safetensors").row.tolist() for folder in folders]
    assert all(row == rows[0] for row in rows)


def test_a_smaller_training_set_is_part_of_a_larger_one(toy: Path) -> None:
    train = open_dataset(toy).split("train", (0.5, 0.1, 0.4))
    small, large = (set(train.take(count).read(["event_id"])["event_id"].tolist()) for count in (100, 400))
    assert small < large


def test_a_second_call_trains_nothing_and_writes_the_same_page(study: Path, toy: Path, jetkit: Verb) -> None:
    page = (study / "index.html").read_bytes()
    weights = {path: path.stat().st_mtime_ns for path in study.glob("runs/*/checkpoint.safetensors")}
    jetkit("scaling", "pfn", f"data={toy}", f"out={study}", *GRID, *COMMON)
    assert {path: path.stat().st_mtime_ns for path in study.glob("runs/*/checkpoint.safetensors")} == weights
    assert (study / "index.html").read_bytes() == page


def test_a_folder_with_other_options_is_refused(study: Path, toy: Path, jetkit: Verb) -> None:
    words = [f"data={toy}", f"out={study}", *GRID, *COMMON, "train.weight_decay=0.5"]
    assert "training with other options" in jetkit("scaling", "pfn", *words, code=1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["widths=8,16"], "3 different widths or more, got 2: add to widths="),
        (["sizes=[100,200,200]"], "3 different sizes or more, got 2: add to sizes="),
        (["train.train_jets=5"], "train.train_jets is set by sizes= here"),
        (["sizes=100,200,90000"], "is more than the"),
        (["model.heads=3", "train.features=kin"], "give other widths=, or what has to fit them as model.NAME=VALUE"),
        (["hyperparameter=breadth"], "part has no hyperparameter breadth for widths="),
        (["train.fractions=[0.8,0.2,0.0]", "sizes=10,20,30"], "the test share of"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_trained(
    toy: Path, tmp_path: Path, jetkit: Verb, words: list[str], message: str
) -> None:
    told = jetkit("scaling", "part", f"data={toy}", f"out={tmp_path}/new", *_fast(words), code=1)
    assert message in told
    assert not (tmp_path / "new").exists()


def _fast(words: list[str]) -> list[str]:
    """The words, with few jets and observables that toy jets have unless they say otherwise."""
    given = {word.partition("=")[0] for word in words}
    defaults = {"sizes": "100,200,300", "train.features": "kin"}
    return [*words, *(f"{name}={value}" for name, value in defaults.items() if name not in given)]


def test_boosted_trees_are_refused(toy: Path, jetkit: Verb) -> None:
    words = [f"data={toy}", "hyperparameter=trees", "widths=10,20,30"]
    assert "does not learn by gradients" in jetkit("scaling", "observables-bdt", *words, code=1)


def test_lists_go_with_and_without_brackets() -> None:
    bare = scaling_options(["data=x", "widths=4,8,16", "hyperparameter=phi"], "here")
    assert bare == scaling_options(["data=x", "widths=[4,8,16]", "hyperparameter=[phi]"], "here")
    lists = scaling_options(["data=x", "widths=[[4,8],[8,16],[16,32]]"], "here")
    assert lists.widths == ((4, 8), (8, 16), (16, 32))
    assert scaling_options(words_of(lists, ScalingOptions(data=""), "model", "train"), "here") == lists
    with pytest.raises(ConfigError, match="data is missing"):
        scaling_options([], "here")


def test_seeds_have_folders_of_their_own(toy: Path) -> None:
    options = ScalingOptions(data=str(toy), sizes=(100, 200, 300), seeds=2, train={"features": "kin"})
    found = trainings("part", options, Path("out"))
    assert len(found) == len({one.out for _, one in found}) == 4 * 3 * 2
    assert {one.seed for _, one in found} == {1, 2}
