"""Options of a training: one set of names for words and keyword arguments, and what a run folder keeps of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jetkit.config import ConfigError
from jetkit.errors import JetkitError
from jetkit.store.model_file import read_card
from jetkit.store.options import (
    GROUPS,
    OWN_NAMES,
    Choice,
    DataOptions,
    FlatOptions,
    RunOptions,
    flat,
    nested,
    rebuilt,
)
from jetkit.training.assembly import data_of
from jetkit.training.recipes import train_options
from jetkit.training.run import train

TABLE = """
part:
  - part_deta
  - {column: part_dphi, scale: 5}
  - {column: part_energy, transform: log, shift: 2, scale: 0.7, clip: [-4, 4]}
row: [jet_pt, jet_sdmass]
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A file with a table of features."""
    (tmp_path / "mine.yaml").write_text(TABLE)
    return tmp_path / "mine.yaml"


def test_a_call_takes_the_defaults_of_the_recipe_as_the_command_does() -> None:
    called = train_options("pfn", data="data/top")
    assert called == train_options("pfn", ["data=data/top"])
    assert (called.optim.epochs, called.optim.batch, called.data.features, called.optim.weight_decay) == (
        40,
        256,
        "full",
        0,
    )
    assert called.folder == Path("runs/pfn")
    assert train_options("part", data="x").optim.optimiser == "ranger"


WAYS: list[tuple[list[str], dict[str, Any]]] = [
    (["epochs=3", "train_jets=50", "length=30", "model.phi=[8, 8]", "smoothing=0.1", "threads=1"], {}),
    (
        [
            *("optim.epochs=3", "data.train_jets=50", "data.length=30"),
            *("model.phi=[8, 8]", "task.smoothing=0.1", "machine.threads=1"),
        ],
        {},
    ),
    (["method.smoothing=0.1", "optim.epochs=3", "model.phi=[8, 8]"], {"train_jets": 50, "length": 30, "threads": 1}),
    (
        [],
        {"epochs": 3, "train_jets": 50, "length": 30, "hyperparameters": {"phi": [8, 8]}, "method": {"smoothing": 0.1}}
        | {"threads": 1},
    ),
    (
        [],
        {"optim.epochs": 3, "data.train_jets": 50, "data.length": 30, "model.phi": [8, 8], "task.smoothing": 0.1}
        | {"machine.threads": 1},
    ),
]


@pytest.mark.parametrize(("words", "values"), WAYS)
@pytest.mark.parametrize("data", [["data=x"], ["data.path=x"]])
def test_flat_and_nested_names_mean_the_same(words: list[str], values: dict[str, Any], data: list[str]) -> None:
    options = train_options("pfn", [*data, *words], **values)
    assert options == train_options("pfn", ["data=x", *WAYS[0][0]])
    assert (options.data.path, options.data.train_jets, options.data.length, options.optim.epochs) == ("x", 50, 30, 3)
    assert options.model == Choice("pfn", {"phi": [8, 8]})
    assert options.task == Choice("classify", {"smoothing": 0.1})


def test_every_option_of_a_group_has_one_flat_name() -> None:
    names = [OWN_NAMES.get((group, one), one) for group, cls in GROUPS.items() for one in cls.__dataclass_fields__]
    assert len(names) == len(set(names))
    assert set(names) <= set(FlatOptions.__dataclass_fields__)


def test_changed_takes_flat_names() -> None:
    options = RunOptions(DataOptions("data/top"), Choice("pfn"))
    other = options.changed(epochs=3, data="data/other", start="runs/x", seed=5, method={"smoothing": 0.2})
    assert (other.optim.epochs, other.data.path, other.start.file, other.seed) == (3, "data/other", "runs/x", 5)
    assert other.task.options == {"smoothing": 0.2}
    assert nested(flat(other), "the test") == other
    assert options.optim.epochs == 20
    with pytest.raises(ConfigError, match="unknown option 'epoch' in a training; did you mean epochs"):
        options.changed(epoch=3)


@pytest.mark.parametrize(
    ("words", "values", "message"),
    [
        ([], {"epoch": 3}, "unknown option 'epoch' in jetkit train pfn; did you mean epochs?"),
        (["epoch=3"], {}, "unknown option 'epoch' in jetkit train pfn; did you mean epochs?"),
        (["optim.epoch=3"], {}, "unknown option 'optim.epoch'; did you mean optim.epochs?"),
        ([], {"optim.epoch": 3}, "unknown option 'optim.epoch'; did you mean optim.epochs?"),
        (["optim.threads=3"], {}, "unknown option 'optim.threads'"),
        (["model.ph=[8]"], {}, "unknown option 'ph' in the encoder pfn; did you mean phi?"),
        (["task.smoothness=0.1"], {}, "unknown option 'smoothness' in the task classify; did you mean smoothing?"),
        ([], {"phi": [8]}, "phi is a hyperparameter of pfn; write model.phi=VALUE"),
        (["epochs=3", "optim.epochs=4"], {}, "option epochs is given twice"),
        (["epochs=0"], {}, "option epochs should be greater than or equal to 1"),
        ([], {"lr": "fast"}, "option lr"),
        (["optimiser=rangr"], {}, "unknown optimiser 'rangr'; did you mean ranger?"),
        (["schedule=cosin"], {}, "unknown schedule 'cosin'; did you mean cosine?"),
        (["task=classif"], {}, "unknown task 'classif'; did you mean classify?"),
    ],
)
def test_what_is_no_option_is_refused_with_the_nearest(words: list[str], values: dict[str, Any], message: str) -> None:
    with pytest.raises(JetkitError) as error:
        train_options("pfn", ["data=x", *words], **values)
    assert str(error.value).startswith(message)


def test_a_training_that_is_called_refuses_the_same() -> None:
    with pytest.raises(ConfigError, match="unknown option 'epoch' in jetkit train pfn; did you mean epochs"):
        train("pfn", data="data/top", epoch=3)
    with pytest.raises(JetkitError, match="unknown model 'pfm'; did you mean"):
        train("pfm", data="data/top")
    with pytest.raises(ConfigError, match="option data is missing"):
        train("pfn")


@pytest.mark.parametrize("words", [["task=p-jepa", "data=x"], ["data=x", "task=p-jepa"]])
def test_a_task_alone_has_the_model_and_settings_of_its_recipe(words: list[str]) -> None:
    options = train_options(words=words)
    assert options == train_options(task="p-jepa", data="x") == train_options(words=["data=x"], pretext="p-jepa")
    assert (options.model.name, options.task.name, options.folder) == ("part", "p-jepa", Path("runs/p-jepa"))
    assert (options.optim.schedule, options.optim.clip) == ("cosine", 1.0)
    other = train_options("pfn", words)
    assert (other.model.name, other.task.name, other.optim.epochs) == ("pfn", "p-jepa", 40)


def test_a_task_without_a_recipe_takes_the_particle_transformer() -> None:
    options = train_options(words=["task=regress", "data=x", "task.targets=[jet_mass]"])
    assert (options.model.name, options.task) == ("part", Choice("regress", {"targets": ["jet_mass"]}))


@pytest.mark.parametrize("words", [[], ["data=x"]])
def test_nothing_to_train_is_one_sentence(words: list[str]) -> None:
    with pytest.raises(ConfigError, match="name a model, as in jetkit train pfn data=DIR; see jetkit list"):
        train_options(words=words)


def test_a_start_alone_has_model_sizes_and_features_of_its_file(trained: Path) -> None:
    options = train_options(words=[f"start={trained}", "data=x", "mode=freeze"])
    assert options == train_options(start=str(trained), data="x", mode="freeze")
    assert (options.start.file, options.start.mode, options.data.features) == (str(trained), "freeze", "kin")
    assert options.model == Choice("pfn", dict(read_card(trained / "model.safetensors").hyperparameters))
    assert options.folder == Path("runs/pfn-adapted")
    assert options.task.name == "classify"
    with pytest.raises(ConfigError, match=r"leave model\.NAME=VALUE out"):
        train_options(start=str(trained), words=["data=x", "model.phi=[9]"])
    with pytest.raises(JetkitError, match="cannot read runs/nothing"):
        train_options(start="runs/nothing", data="x")


@pytest.mark.parametrize(
    ("task", "select", "allowed"),
    [
        ("classify", "auc", "accuracy, loss, last"),
        ("p-jepa", "accuracy", "loss, last"),
        ("regress", "accuracy", "loss, mae, last"),
        ("multi-task", "mae", "loss, accuracy, last"),
    ],
)
def test_the_best_epoch_is_chosen_by_a_number_of_the_task(task: str, select: str, allowed: str) -> None:
    with pytest.raises(JetkitError, match=f"select should be one of {allowed} for the task {task}, got '{select}'"):
        train_options("pfn", data="x", task=task, select=select)
    for one in allowed.split(", "):
        assert train_options("pfn", data="x", task=task, select=one).optim.select == one


def test_a_table_of_features_is_read_at_once_and_recorded(table: Path, toy: Path) -> None:
    options = train_options("pfn", data=str(toy), features=str(table))
    assert options == train_options("pfn", [f"data={toy}", f"data.features={table}"])
    table.unlink()
    features = options.data.features
    assert features["row"] == ["jet_pt", "jet_sdmass"]
    assert features["part"][1] == {"column": "part_dphi", "scale": 5}
    spec = data_of(options).spec
    assert (len(spec.features), spec.row) == (3, ("jet_pt", "jet_sdmass"))
    assert rebuilt(json.loads(json.dumps(options.recorded))).data.features == features
    with pytest.raises(ConfigError, match=r"cannot read .*mine\.yaml: No such file"):
        train_options("pfn", data=str(toy), features=str(table))


def test_a_training_with_a_table_keeps_it_in_its_folder(table: Path, make: Any, tmp_path: Path) -> None:
    folder = train(make(tmp_path / "run", "pfn", f"features={table}", "epochs=1", "train_jets=100"))[0]
    content = json.loads((folder / "run.json").read_text())["options"]
    card = read_card(folder / "model.safetensors")
    assert (
        content["data"]["features"]
        == card.preprocessing["features"]
        == train_options("pfn", data="x", features=str(table)).data.features
    )
    assert rebuilt(content).data.features == content["data"]["features"]
    table.write_text(TABLE.replace("scale: 5", "scale: 6"))
    with pytest.raises(JetkitError, match="holds a training with other options"):
        train(make(folder, "pfn", f"features={table}", "epochs=1", "train_jets=100"))


SETTINGS: list[dict[str, Any]] = [
    {},
    {"features": ["part_deta", "part_dphi", "jet_pt"], "row": ["jet_eta"], "length": 30, "weight": "jet_w"},
    {"features": {"hit": ["hit_x", {"column": "hit_e", "transform": "log"}]}, "links": ["hit_particle"]},
    {"targets": {"jet_kind": ["a", "b"], "jet_mass": "real"}, "arrays": {"voxels": [4, 5]}, "lr": "auto"},
    {
        "task": "multi-task",
        "method": {"targets": ["label", "jet_mass"], "weights": [1.0, 0.5]},
        "targets": ["jet_mass"],
    },
    {"only": ["QCD"], "train_jets": 7, "fractions": [0.5, 0.25, 0.25], "seed": 4, "smoothing": 0.2, "select": "last"},
    {"start": "runs/x", "mode": "freeze", "backbone_rate": 1.0, "lora": 3, "parts": {"tokeniser": "runs/t"}},
]


@pytest.mark.parametrize("values", SETTINGS)
def test_recorded_options_are_rebuilt(values: dict[str, Any]) -> None:
    options = nested({"model": "pfn", "data": "x", "out": "o", "seeds": 2, "checkpoint": 5.0, **values}, "the test")
    found = rebuilt(json.loads(json.dumps(options.recorded)))
    assert found == replace(options, out="", seeds=1, machine=replace(options.machine, checkpoint=60.0))
    assert found.recorded == options.recorded


@pytest.mark.parametrize("values", SETTINGS)
def test_options_of_the_first_format_are_rebuilt(values: dict[str, Any]) -> None:
    given = {"model": "pfn", "data": "x", "out": "o", **values}
    old = {("pretext" if name == "task" else name): value for name, value in given.items()}
    assert rebuilt(old) == nested(given, "the test")


def test_what_changes_no_result_is_not_recorded() -> None:
    first = train_options("pfn", data="x", out="a", seeds=1, checkpoint=5.0)
    second = train_options("pfn", data="x", out="b", seeds=3, checkpoint=50.0)
    assert first.recorded == second.recorded
    assert first.recorded != train_options("pfn", data="x", seed=2).recorded


def test_what_is_no_record_of_options_is_refused() -> None:
    for values in ({"optim": {}}, {"colour": 3}, {"model": "pfn"}):
        with pytest.raises(ConfigError):
            rebuilt(values)
