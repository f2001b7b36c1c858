"""A user's own code outside the package: named by file, module or installed package, each command a new process."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jetkit import plugins
from jetkit.data.dataset import open_dataset
from jetkit.errors import JetkitError
from jetkit.registry import adopt, entry
from jetkit.store.model_file import read_card

ROOT = Path(__file__).parents[1]
FAST = ("epochs=1", "batch=64", "threads=1", "accelerator=cpu", "lr=5e-3", "fractions=[0.5,0.1,0.4]")
MY_NET = '''
"""A user's encoder, task, evaluation, optimiser, schedule, features and reader."""

import numpy as np
import torch
from torch import nn

from jetkit.data.ragged import Ragged
from jetkit.data.readers.reader import Reader
from jetkit.evaluation.number import Number
from jetkit.evaluation.result import EVALUATION, Result
from jetkit.models.model import Encoder
from jetkit.registry import register
from jetkit.tasks.regress import Regress


@register("my-net", symmetries=("permutation",))
class MyNet(Encoder):
    """The sum of a perceptron over the particles.

    Args:
        width: of the perceptron
    """

    def __init__(self, spec, *, width: int = 8):
        super().__init__(spec)
        self.layers = nn.Sequential(nn.Linear(len(spec.features), width), nn.ReLU())
        self.encoded = width

    def encode(self, batch):
        return (self.layers(batch.x) * batch.mask.unsqueeze(-1)).sum(1) / 10


@register("my-task", kind="task")
class MyTask(Regress):
    """A regression that is judged in its own way."""

    result = "my-judgement"


@register("my-judgement", kind=EVALUATION)
def my_judgement(predicted, *, replicas: int = 3):
    """The share of rows within 1000 GeV."""
    near = np.abs(predicted.values["jet_sdmass"] - predicted.targets["jet_sdmass"]) < 1000
    return Result("my-judgement", {"within 1000 GeV": Number(float(near.mean()), 1 / replicas, len(near))})


@register("my-sgd", kind="optimiser")
def my_sgd(groups, lr):
    """Plain gradient descent."""
    return torch.optim.SGD(groups, lr=lr)


@register("halving", kind="schedule")
def halving(epoch, epochs):
    """Half of the rate after each epoch."""
    return 0.5 ** int(epoch)


@register("my-features", kind="features")
def my_features():
    """Positions, and a momentum."""
    return {"part": ["part_deta", "part_dphi", {"column": "part_px", "transform": "arcsinh", "scale": 0.2}]}


@register("my-reader", kind="reader", paper="nobody, 2026")
class MyReader(Reader):
    """Four momenta a jet, and its class, of .npz files."""

    suffixes = (".npz",)

    def __init__(self, path):
        super().__init__(path)
        self.file = np.load(path)
        self.names, self.classes = tuple(self.file), ("light", "heavy")
        self.need("p4", "label")
        self.entries = len(self.file["label"])

    def read(self, start, stop):
        p4 = self.file["p4"][start:stop]
        offsets = np.arange(len(p4) + 1) * p4.shape[1]
        names = ("energy", "px", "py", "pz")
        lists = {f"part_{name}": Ragged(p4[..., place].ravel(), offsets) for place, name in enumerate(names)}
        return lists | {"jet_label": self.file["label"][start:stop]}

    def close(self):
        self.file.close()
'''
OTHERS = '''
"""What is named by file and class, unregistered."""

from torch import nn

from jetkit.models.model import Encoder


class OtherNet(Encoder):
    """The mean of a linear map.

    Args:
        width: of the map
    """

    def __init__(self, spec, *, width: int = 8):
        super().__init__(spec)
        self.map = nn.Linear(len(spec.features), width)
        self.encoded = width

    def encode(self, batch):
        return (self.map(batch.x) * batch.mask.unsqueeze(-1)).mean(1)


class Plain(nn.Module):
    """A network that knows nothing of jetkit."""

    def __init__(self, features, classes, width: int = 4):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(features, width), nn.ReLU(), nn.Linear(width, classes))

    def forward(self, x, p4, mask):
        return self.layers((x * mask.unsqueeze(-1)).sum(1))


class Forgetful(OtherNet):
    def __init__(self, spec, *, width: int = 8):
        super().__init__(spec, width=width)
        self.depth = {"width": width}["depth"]
'''
Program = Callable[..., str]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with two files of code and a dataset."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "my_net.py").write_text(MY_NET)
    (folder / "others.py").write_text(OTHERS)
    runpy.run_path(str(ROOT / "benchmarks" / "toy_jets.py"))["write_toy_jets"](folder / "data", 900)
    return folder


@pytest.fixture(scope="module")
def jetkit(place: Path, forking: Path) -> Program:
    """The command line in the user's folder, each time a process that has loaded nothing of the user's."""

    def run(*words: str, code: int = 0, folder: Path = place) -> str:
        environment = os.environ | {"COLUMNS": "200", "TERM": "dumb", "JETKIT_DEBUG": ""}
        command = [str(forking / "jetkit"), *words]
        ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert ran.returncode == code, ran.stdout + ran.stderr
        return ran.stderr if code else ran.stdout

    return run


@pytest.fixture(scope="module")
def trained(place: Path, jetkit: Program) -> Path:
    """A run with the user's model, features, optimiser and schedule."""
    own = ("features=my-features", "optimiser=my-sgd", "schedule=halving", "model.width=6")
    said = jetkit("train", "my-net", "plugins=my_net.py", "data=data", *own, *FAST, "out=runs/mine")
    assert "judge it with: jetkit report runs/mine" in said
    return place / "runs" / "mine"


VERBS = {
    "evaluate": ("evaluate", "runs/mine"),
    "report": ("report", "runs/mine"),
    "show": ("show", "runs/mine/model.safetensors"),
    "cost": ("show", "runs/mine/model.safetensors", "cost=true", "particles=[4]", "batches=[4]"),
    "examine": ("examine", "runs/mine", "test=permutation,padding"),
    "export": ("export", "runs/mine"),
    "embed": ("embed", "runs/mine", "data=data"),
    "start": ("train", "start=runs/mine", "data=data", *FAST, "out=runs/again"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_takes_the_plugin_and_names_it_where_it_is_not_given(
    trained: Path, jetkit: Program, verb: str
) -> None:
    refused = jetkit(*VERBS[verb], code=1)
    assert refused.startswith("jetkit: ")
    assert refused.count("\n") == 1
    assert "needs the plug-in of my-net, which was in my_net.py:MyNet: add plugins=[my_net.py:MyNet]" in refused
    jetkit(*VERBS[verb], "plugins=[my_net.py:MyNet]" if verb == "evaluate" else "plugins=my_net.py")


def test_a_run_records_what_it_was_made_with(trained: Path, jetkit: Program) -> None:
    card = read_card(trained / "model.safetensors")
    assert (card.model, card.hyperparameters, card.kind) == ("my-net", {"width": 6}, "encoder")
    [plugin] = card.plugins
    assert plugin["source"] == "my_net.py:MyNet"
    assert len(plugin["sha256"]) == 64
    assert card.spec_of.features == ("part_deta", "part_dphi", "part_px")
    assert "arcsinh(part_px/GeV)" in card.spec_of.units["part_px"]
    assert card.preprocessing["features"]["part"][2]["transform"] == "arcsinh"
    options = json.loads((trained / "run.json").read_text())["options"]
    assert options["optim"]["optimiser"] == "my-sgd"
    assert "my_net.py" in options["plugins"]
    jetkit("report", "runs/mine", "plugins=my_net.py")
    page = (trained / "report" / "index.html").read_text()
    assert "jetkit train my-net" in page
    assert "plugins=[my_net.py" in page
    assert "optimiser=my-sgd" in page
    shown = jetkit("show", "runs/mine/model.safetensors", "plugins=my_net.py")
    assert "plug-ins:" in shown
    assert plugin["sha256"] in shown


def test_the_same_command_goes_on_and_gives_the_same_file(trained: Path, jetkit: Program) -> None:
    before = (trained / "model.safetensors").stat().st_mtime_ns
    own = ("features=my-features", "optimiser=my-sgd", "schedule=halving", "model.width=6")
    jetkit("train", "my-net", "plugins=my_net.py", "data=data", *own, *FAST, "out=runs/mine")
    assert (trained / "model.safetensors").stat().st_mtime_ns == before
    jetkit("train", "my_net.py:MyNet", "plugins=my_net.py", "data=data", *own, *FAST, "out=runs/second")
    tables = [read_card(trained.parent / name / "model.safetensors").spec for name in ("mine", "second")]
    assert tables[0] == tables[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("my-net",), "unknown model 'my-net'"),
        (("pfn", "optimiser=my-sgd"), "unknown optimiser 'my-sgd'"),
        (("pfn", "schedule=halving"), "unknown schedule 'halving'"),
        (("pfn", "features=my-features"), "unknown feature set 'my-features'"),
        (("pfn", "task=my-task"), "unknown task 'my-task'"),
        (("pfn", "plugins=my_nets.py"), "there is no file my_nets.py: name the plug-in by its path"),
        (("pfn", "plugins=no.such.module"), "there is no module no.such.module"),
        (("my_net.py:YourNet",), "my_net.py has no class or function YourNet: it has MyNet"),
        (("my_net.py",), "my_net.py has 3 classes: name one, as my_net.py:Class"),
        (("my_net.py:MyReader",), "my_net.py:MyReader is of the kind reader"),
        (("my_net.py:MyNet", "model.widht=3"), "unknown option 'widht' in the encoder my-net; did you mean width?"),
    ],
)
def test_what_is_not_there_is_one_sentence(jetkit: Program, words: tuple[str, ...], message: str) -> None:
    said = jetkit("train", *words, "data=data", *FAST, "out=runs/none", code=1)
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "model", "verbs"), [("OtherNet", "other-net", ("show", "report")), ("Plain", "plain", ("export",))]
)
def test_a_class_that_is_not_registered_is_named_by_its_file(
    place: Path, jetkit: Program, name: str, model: str, verbs: tuple[str, ...]
) -> None:
    jetkit("train", f"others.py:{name}", "data=data", "features=kin", "model.width=5", *FAST)
    run = f"runs/{model}"
    card = read_card(place / run / "model.safetensors")
    assert (card.model, card.hyperparameters, card.plugins[0]["source"]) == (model, {"width": 5}, f"others.py:{name}")
    asked = f"add plugins=[others.py:{name}] to the command"
    for verb in verbs:
        place_of = f"{run}/model.safetensors" if verb == "show" else run
        assert asked in jetkit(verb, place_of, code=1)
        jetkit(verb, place_of, f"plugins=[others.py:{name}]")
    assert "needs the plug-in" in jetkit("evaluate", run, "plugins=others.py", code=1)


def test_an_error_in_the_users_code_keeps_its_traceback(jetkit: Program) -> None:
    said = jetkit("train", "others.py:Forgetful", "data=data", "features=kin", *FAST, "out=runs/none", code=1)
    assert "Traceback (most recent call last)" in said
    assert 'others.py", line' in said
    assert said.strip().endswith("KeyError: 'depth'")


def test_a_task_and_its_evaluation(place: Path, jetkit: Program) -> None:
    words = ("task=my-task", "task.targets=[jet_sdmass]", "features=kin", "model.phi=[8]", "model.f=[8]")
    jetkit("train", "pfn", "data=data", *words, *FAST, "plugins=my_net.py", "out=runs/own-task")
    said = jetkit("evaluate", "runs/own-task", "plugins=my_net.py", "replicas=4")
    assert "within 1000 GeV" in said
    assert "1.00 ± 0.25" in said
    jetkit("export", "runs/own-task", "plugins=my_net.py")
    assert "task: my-task" in jetkit("show", "runs/own-task/model.safetensors", "plugins=my_net.py")
    for verb in ("evaluate", "report", "export"):
        assert "needs the plug-in of my-task, which was in my_net.py:MyTask" in jetkit(verb, "runs/own-task", code=1)


def test_a_source_that_has_changed_is_told(trained: Path, jetkit: Program) -> None:
    source = trained.parents[1] / "my_net.py"
    try:
        source.write_text(MY_NET + "\n# another version\n")
        said = jetkit("evaluate", "runs/mine", "plugins=my_net.py", code=1)
    finally:
        source.write_text(MY_NET)
    assert said.count("\n") == 1
    assert "was made with another version of my_net.py:MyNet: give plugins= of that version" in said


def test_the_list_shows_what_a_plugin_brings(jetkit: Program) -> None:
    said = jetkit("list", "plugins=my_net.py")
    for name in ("my-net", "my-task", "my-reader"):
        assert f" {name} " in said
    assert " my-net " not in jetkit("list")
    assert "jetkit list takes no colour=red" in jetkit("list", "colour=red", code=1)


def test_features_are_named_in_python_too(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    jets = open_dataset("data")
    by_reference = jets.spec("my_net.py:my_features")
    assert by_reference == jets.spec("my-features") == jets.spec({"part": _table()})
    batch = next(iter(jets.batches(features="my-features", shuffle=False, batch=4)))
    px = batch.p4[..., 1]
    np.testing.assert_allclose(batch.x[..., 2], px.arcsinh() * 0.2 * batch.mask, rtol=1e-6)
    (place / "wrong.py").write_text("def number():\n    return 3\n")
    with pytest.raises(JetkitError, match="should be a list of columns or a table, got '3'"):
        jets.spec("wrong.py:number")


def test_files_are_converted_by_a_reader_of_the_users(place: Path, jetkit: Program) -> None:
    random = np.random.default_rng(1)
    momentum = random.normal(size=(60, 4, 3)) * 100 + [300, 0, 0]
    p4 = np.concatenate([np.linalg.norm(momentum, axis=-1, keepdims=True) * 1.01, momentum], -1)
    np.savez(place / "mine.npz", p4=p4, label=np.arange(60) % 2)
    jetkit("convert", "my-reader", "mine.npz", "plugins=my_net.py", "out=converted/name")
    jetkit("convert", "my_net.py:MyReader", "mine.npz", "out=converted/file", "shard=20", "workers=2")
    found = [open_dataset(place / "converted" / name) for name in ("name", "file")]
    for jets in found:
        assert (len(jets), jets.classes) == (60, ("light", "heavy"))
        assert jets.card.recipe["plugin"]["source"] == "my_net.py:MyReader"
        np.testing.assert_allclose(jets.read(["part_px"])["part_px"].values, p4[..., 1].ravel(), rtol=1e-6)
    assert "unknown reader 'my-reader'" in jetkit("convert", "my-reader", "mine.npz", "out=converted/none", code=1)


def test_a_file_that_has_changed_is_imported_anew_and_replaces_what_it_registered(tmp_path: Path) -> None:
    """In one process, as in a notebook."""
    source = tmp_path / "again.py"
    text = 'from jetkit.registry import register\n\n\n@register("again", kind="schedule")\ndef again(epoch, epochs):\n'
    found = []
    for factor in (1.0, 0.5):
        source.write_text(f"{text}    return {factor}\n")
        adopt(str(source))
        found.append(entry("again", "schedule"))
    assert [one.cls(0, 1) for one in found] == [1.0, 0.5]
    assert plugins.load(str(source)) is plugins.load(str(source))
    assert found[0].plugin == found[1].plugin
    other = tmp_path / "elsewhere.py"
    other.write_text(f"{text}    return 0\n")
    with pytest.raises(JetkitError, match="the schedule again is there already"):
        adopt(str(other))


def test_an_installed_package_announces_its_plugins(place: Path, tmp_path: Path) -> None:
    """By an entry point of the group jetkit; nobody names it."""
    site = tmp_path / "site"
    info = site / "announced_net-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "announced_net.py").write_text(MY_NET.replace("my-", "announced-").replace("halving", "thirds"))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: announced-net\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[jetkit]\nnets = announced_net\n")

    def run(*words: str, code: int = 0, path: str = str(site)) -> str:
        environment = os.environ | {"PYTHONPATH": path, "COLUMNS": "200", "TERM": "dumb"}
        command = [sys.executable, "-m", "jetkit", *words]
        ran = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
        assert ran.returncode == code, ran.stdout + ran.stderr
        return ran.stderr if code else ran.stdout

    out = f"out={tmp_path}/run"
    run("train", "announced-net", "data=data", "features=kin", "optimiser=announced-sgd", *FAST, out)
    assert read_card(tmp_path / "run" / "model.safetensors").plugins[0]["source"] == "announced_net"
    assert "accuracy" in run("evaluate", f"{tmp_path}/run")
    assert " announced-net " in run("list")
    said = run("evaluate", f"{tmp_path}/run", code=1, path="")
    assert "needs the plug-in of announced-net, which was in announced_net: add plugins=[announced_net]" in said


def _table() -> list[object]:
    return ["part_deta", "part_dphi", {"column": "part_px", "transform": "arcsinh", "scale": 0.2}]
