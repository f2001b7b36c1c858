"""Model files: what is stored is what is loaded, what is damaged or odd is refused, and the first format is read."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from jetkit.data.atomic import write_bytes
from jetkit.data.batch import Batch
from jetkit.data.spec import Spec, TargetSpec
from jetkit.errors import JetkitError
from jetkit.models import PFN
from jetkit.registry import create, entries, entry, hyperparameters
from jetkit.store import tensor_file as files
from jetkit.store.model_file import (
    ModelCard,
    annotate,
    load_model,
    model_in,
    read_backbone,
    read_card,
    read_model,
    save_model,
)
from jetkit.store.tensor_file import read_tensors, sha256_of, write_tensors
from jetkit.tasks.classify import Classify
from jetkit.testing import random_batch

SPEC = Spec.of(features=("part_deta", "part_dphi", "part_logptrel"), classes=("QCD", "top"), units={"part_deta": "1"})
CLASSIFIERS = ("encoder", "estimator")
TAGGERS = [entry.name for entry in entries(CLASSIFIERS)]


def write(path: Path, name: str = "pfn") -> tuple[torch.nn.Module, ModelCard]:
    values = {"phi": [4, 4], "f": [4]} if name == "pfn" else entry(name, CLASSIFIERS).tiny
    model = Classify(create(name, SPEC, values, CLASSIFIERS), SPEC)
    known = hyperparameters(name, values, CLASSIFIERS)
    card = ModelCard(name, SPEC.to_dict(), known, kind=entry(name, CLASSIFIERS).kind, task="classify")
    save_model(path, model, card)
    return model, card


def jets() -> Batch:
    torch.manual_seed(1)
    p3 = torch.randn(3, 9, 3)
    mask = torch.arange(9) < torch.tensor([[9], [5], [2]])
    p4 = torch.cat([p3.norm(dim=-1, keepdim=True), p3], dim=-1) * mask.unsqueeze(-1)
    return Batch.of(x=torch.randn(3, 9, 3) * mask.unsqueeze(-1), mask=mask, p4=p4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


OTHER_JETS = ("observables-bdt", "bip-bdt", "rnn-ip", "jet-gpt", "omnijet", "pet", "mlp")
"""Trees, and models that need tracks, pT or features of the row; the contract tests save and load them, too."""


@pytest.mark.parametrize("name", [name for name in TAGGERS if name not in OTHER_JETS])
def test_a_loaded_model_is_the_saved_one(tmp_path: Path, name: str) -> None:
    model, card = write(tmp_path / "m.safetensors", name)
    loaded = load_model(tmp_path / "m.safetensors")
    assert not any(tensor.is_meta for tensor in [*loaded.parameters(), *loaded.buffers()])
    with torch.no_grad():
        assert torch.equal(loaded(jets()), model.eval()(jets()))
    stored = read_card(tmp_path / "m.safetensors")
    assert stored.classes == ["QCD", "top"]
    assert Spec.from_dict(stored.spec) == SPEC
    assert stored.hyperparameters == json.loads(json.dumps(card.hyperparameters))


def test_the_file_of_a_bare_model_holds_no_head(tmp_path: Path) -> None:
    model = PFN(SPEC, phi=(4, 4), f=(4,)).eval()
    card = ModelCard("pfn", SPEC.to_dict(), {"phi": [4, 4], "f": [4]})
    save_model(tmp_path / "bare", model, card)
    loaded, stored = read_model(tmp_path / "bare")
    assert isinstance(loaded, PFN)
    assert model_in(loaded) is loaded
    assert not stored.task
    assert read_tensors(tmp_path / "bare")[0].keys() == {f"model.{name}" for name in model.state_dict()}
    with torch.no_grad():
        assert torch.equal(loaded(jets()), model(jets()))


def test_the_model_in_a_file_can_be_read_without_its_heads(path: Path) -> None:
    task = load_model(path)
    tensors, card = read_backbone(path)
    assert card.task == "classify"
    assert tensors.keys() == task.model.state_dict().keys()
    assert all(torch.equal(value, model_in(task).state_dict()[name]) for name, value in tensors.items())


@pytest.mark.parametrize("how", ["huber", "quantiles", "gaussian"])
def test_a_regression_keeps_the_units_of_its_targets(tmp_path: Path, how: str) -> None:
    spec = replace(SPEC, targets={"jet_mass": TargetSpec("real"), "jet_pt": TargetSpec("real")})
    options = {"targets": ["jet_mass", "jet_pt"], "how": how}
    task = create("regress", (PFN(spec, phi=(4, 4), f=(4,)), spec), options, "task")
    batch = jets().with_targets(jet_mass=torch.tensor([80.0, 91.0, 173.0]), jet_pt=torch.tensor([5.0, 6.0, 9.0]))
    task.prepare([batch])
    card = ModelCard("pfn", spec.to_dict(), {"phi": [4, 4], "f": [4]}, task="regress", task_options=options)
    save_model(tmp_path / "m", task, card)
    with torch.no_grad():
        found, wanted = load_model(tmp_path / "m").scores(batch), task.eval().scores(batch)
    assert found.keys() == wanted.keys() == {"jet_mass", "jet_pt"}
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def test_several_targets_are_stored_with_all_their_heads(tmp_path: Path) -> None:
    more = {
        "jet_mass": TargetSpec("real"),
        "part_origin": TargetSpec("class", "part", ("a", "b")),
        "part_vertex": TargetSpec("index", "part"),
        "part_real": TargetSpec("flag", "part"),
    }
    spec = replace(SPEC, targets={**SPEC.targets, **more})
    options = {"targets": list(spec.targets)}
    task = create("multi-task", (PFN(spec, phi=(4, 4), f=(4,)), spec), options, "task")
    batch = random_batch(spec, jets=3).to(dtype=torch.float32)
    task.prepare([batch])
    card = ModelCard("pfn", spec.to_dict(), {"phi": [4, 4], "f": [4]}, task="multi-task", task_options=options)
    save_model(tmp_path / "m", task, card)
    with torch.no_grad():
        found, wanted = load_model(tmp_path / "m").scores(batch), task.eval().scores(batch)
    assert found.keys() == wanted.keys() == spec.targets.keys()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())
    assert read_card(tmp_path / "m").spec_of == spec


def test_equal_models_give_equal_files(tmp_path: Path, path: Path) -> None:
    for number in range(5):
        save_model(tmp_path / f"{number}", load_model(path), read_card(path))
    assert {sha256_of(tmp_path / f"{number}") for number in range(5)} == {sha256_of(path)}


def test_annotations_change_the_header_only(path: Path) -> None:
    before = read_tensors(path)[0]
    annotate(path, metrics={"auc": [0.98, 0.001]})
    assert read_card(path).metrics == {"auc": [0.98, 0.001]}
    assert all(torch.equal(value, before[name]) for name, value in read_tensors(path)[0].items())


def test_kinds_and_shapes_of_tensors_are_kept(tmp_path: Path) -> None:
    kinds = (torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.uint8, torch.bool)
    tensors = {str(kind): torch.ones(2, 3, dtype=kind) for kind in kinds}
    tensors |= {"scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3), "turned": torch.arange(6.0).view(2, 3).T}
    write_tensors(tmp_path / "t", tensors, {"odd": "Δη\n\u2028", "none": None})
    found, header = read_tensors(tmp_path / "t")
    assert header == {"odd": "Δη\n\u2028", "none": None}
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_a_failing_write_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(JetkitError, match=r"cannot write .*\(No space left on device\): choose another folder"):
        write_bytes(path, b"new")
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_folder_in_the_way_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    with pytest.raises(JetkitError, match=r"cannot write .*\(Is a directory\)"):
        write_bytes(tmp_path / "m", b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["m"]


def metadata(**texts: Any) -> bytes:
    return save({"a": torch.ones(1)}, {name: str(text) for name, text in texts.items()})


def raw(header: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"8 bytes!",
        (2**63).to_bytes(8, "little") + b"{}",
        (100).to_bytes(8, "little") + b"{}",
        raw(b"{}"),
        raw(b"[]"),
        raw(b"null"),
        raw(b"\xff\xfe\x00"),
        raw(b'{"__metadata__": {"header": "{}"}}'),
        raw(b'{"__metadata__": {"header": 5, "sha256": "0"}}'),
        raw(b'{"__metadata__": {"header": "[]", "sha256": "0"}}'),
        raw(b'{"__metadata__": {"header": "{\\"a\\": NaN}", "sha256": "0"}}'),
        raw(b"[" * 100_000 + b"]" * 100_000),
        raw(json.dumps({"__metadata__": {"header": "[" * 99_999, "sha256": "0"}}).encode()),
        raw(b'{"__metadata__": {"header": "{\\"a\\": ' + b"9" * 5000 + b'}", "sha256": "0"}}'),
        metadata(format="pt"),
        save({"a": torch.ones(1)}),
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(JetkitError, match="is no file of jetkit's, or is cut off"):
        load_model(tmp_path / "m")


@pytest.mark.parametrize(
    "content",
    [
        metadata(header="{}", sha256=0),
        raw(b'{"__metadata__": {"header": "{}", "sha256": "\\ud800"}, "a": {"dtype": "F3"}}'),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(JetkitError, match="is damaged"):
        load_model(tmp_path / "m")


def test_a_folder_or_nothing_cannot_be_read(tmp_path: Path) -> None:
    for name, reason in {
        ".": "Is a directory",
        "absent": "No such file or directory",
        "a\0b": "embedded null byte",
    }.items():
        with pytest.raises(JetkitError, match=f"cannot read .*{reason}"):
            load_model(f"{tmp_path}/{name}")


Change = Callable[[dict[str, Any], dict[str, Any]], None]


def set_in(where: str, value: Any) -> Change:
    def change(header: dict[str, Any], tensors: dict[str, Any]) -> None:
        *outer, last = where.split(".")
        for name in outer:
            header = header[name]
        header[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_in("format", "jetkit scores"), "is not a model file: it says 'jetkit scores'"),
        (set_in("version", 3), "was written by a later jetkit"),
        (set_in("version", True), "its version is 'True'"),
        (set_in("version", -1), "its version is '-1'"),
        (set_in("model", "pfnn"), "unknown model 'pfnn'; did you mean pfn"),
        (set_in("kind", "os.system"), "pfn is of the kind encoder, not 'os.system'"),
        (set_in("colour", 1), "unknown option 'colour' in the header"),
        (set_in("spec", {}), "a spec has the fields"),
        (set_in("spec.targets.label.classes", ["one"]), "needs two classes or more"),
        (set_in("spec.sets.part.features", ["a", "a", "b"]), "should differ from each other"),
        (set_in("hyperparameters", []), "hyperparameters should be a mapping"),
        (set_in("hyperparameters.width", 4), "unknown option 'width'"),
        (set_in("hyperparameters.phi", "wide"), "option phi should be a list"),
        (set_in("hyperparameters.phi", [4, 10**9]), "hyperparameter 'phi' is out of range"),
        (set_in("hyperparameters.phi", [4] * 1001), "hyperparameter 'phi' is out of range"),
        (set_in("hyperparameters.phi", [4] * 900), "far more weights than the file"),
        (set_in("hyperparameters.phi", []), "no such model can be made"),
        (set_in("hyperparameters.phi", [-1]), "no such model can be made"),
        (set_in("hyperparameters.f", [65536]), r"tensor 'heads.label.weight' should be real \(2, 65536\)"),
        (
            lambda header, tensors: tensors.pop("heads.label.bias"),
            "tensor 'heads.label.bias' should be real .*, the file has none",
        ),
        (lambda header, tensors: tensors.update({"x\ny": torch.ones(1)}), r"tensor 'x.+ny' should be absent"),
        (lambda header, tensors: tensors.update({"heads.label.bias": torch.ones(3)}), r"the file has real \(3,\)"),
        (
            lambda header, tensors: tensors.update({"heads.label.bias": torch.ones(2, dtype=torch.long)}),
            r"has int64 \(2,\)",
        ),
        (set_in("version", 1), "tensor 'heads.label.bias' should be real .*, the file has none"),
        (set_in("task", "classifyy"), "unknown task 'classifyy'; did you mean classify"),
        (set_in("task", ""), "tensor 'heads.label.bias' should be absent"),
        (set_in("task_options", []), "task_options should be a mapping"),
        (set_in("task_options.smoothing", "much"), "option smoothing should be"),
        (set_in("task_options.smoothing", 10**9), "hyperparameter 'smoothing' is out of range"),
        (set_in("task_options.target", "colour"), "needs two classes or more"),
        (set_in("task_options.colour", 1), "unknown option 'colour'"),
        (set_in("plugins", "a.py"), "plugins should be a list"),
    ],
)
def test_a_whole_file_that_asks_for_what_is_not_there_is_refused(path: Path, change: Change, message: str) -> None:
    tensors, header = read_tensors(path)
    change(header, tensors)
    write_tensors(path, tensors, header)
    with pytest.raises(JetkitError, match=message) as error:
        load_model(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_ten_thousand_layers_are_refused_at_once(tmp_path: Path) -> None:
    write(tmp_path / "m", "part")
    tensors, header = read_tensors(tmp_path / "m")
    header["hyperparameters"]["depth"] = 60_000
    write_tensors(tmp_path / "m", tensors, header)
    start = time.process_time()
    with pytest.raises(JetkitError, match="far more weights than the file"):
        load_model(tmp_path / "m")
    assert time.process_time() - start < 1.5


def mutated(content: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(content)) if chance.random() < 0.5 else chance.randrange(min(len(content), 900))
    match chance.randrange(4):
        case 0:
            return content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]
        case 1:
            return content[:place]
        case 2:
            return content[:place] + chance.randbytes(chance.randrange(1, 9)) + content[place:]
    return content[:place] + content[place + chance.randrange(1, 9) :]


def refusal(path: Path) -> str:
    """What is said when a file is read; nothing if it is accepted."""
    try:
        assert torch.isfinite(load_model(path)(jets())).all()
    except JetkitError as error:
        return str(error)
    return ""


def test_no_mutated_file_is_mistaken_for_the_model(path: Path) -> None:
    content, chance, accepted = path.read_bytes(), random.Random(1), 0
    expected, header = read_tensors(path)
    for _ in range(400):
        path.write_bytes(mutated(content, chance))
        said = refusal(path)
        assert "\n" not in said
        if not said:
            accepted += 1
            assert read_tensors(path)[1] == header
            assert all(torch.equal(value, expected[name]) for name, value in read_tensors(path)[0].items())
    assert accepted < 40


VALUES = (None, True, -1, 0, 3, 2**40, 1e308, 0.5, "", "top", [], {}, [[]], ["a"], [1] * 2000, {"a": {"b": []}})


def edited(value: Any, chance: random.Random) -> Any:
    """A copy of plain values with something in it changed, left out or added."""
    if isinstance(value, dict | list) and value and chance.random() < 0.85:
        copy = dict(value) if isinstance(value, dict) else list(value)
        key = chance.choice(list(copy)) if isinstance(copy, dict) else chance.randrange(len(copy))
        if chance.random() < 0.1:
            copy.pop(key)
        else:
            copy[key] = edited(copy[key], chance)
        return copy
    return chance.choice(VALUES)


def test_edited_headers_with_a_right_checksum_are_refused_or_loaded(path: Path) -> None:
    tensors, header = read_tensors(path)
    chance, refused = random.Random(2), 0
    for _ in range(100):
        write_tensors(path, tensors, edited(header, chance))
        start = time.process_time()
        said = refusal(path)
        assert time.process_time() - start < 1.5
        assert "\n" not in said
        refused += bool(said)
    assert 40 < refused < 100
