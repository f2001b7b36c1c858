"""Graphs that are exported: the same function for any jets, with all that is needed to feed them."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import sys

import numpy as np
import pytest
import torch

import jetkit.models  # registers the models
import jetkit.nn
from jetkit.data.features import feature_names
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.interchange.onnx import HEADER, export, tensors
from jetkit.registry import create, entry
from jetkit.store.model_file import ModelCard, load_model, save_model
from jetkit.tasks.classify import Classify
from jetkit.testing import random_batch

onnxruntime = pytest.importorskip("onnxruntime")
SPEC = Spec.of(feature_names("full"), classes=("QCD", "W", "top"))


def model_file(name: str, folder, spec: Spec = SPEC) -> str:
    """A model whose weights and running means are no longer those of the start."""
    torch.manual_seed(5)
    tiny = entry(name).tiny
    task = Classify(create(name, spec, tiny), spec).train()
    for seed in range(3):
        task(random_batch(spec, jets=6, particles=(2, 30), seed=seed).to(dtype=torch.float32))
    for weight in task.parameters():
        weight.data += 0.1 * torch.randn_like(weight)
    path = folder / f"{name}.safetensors"
    save_model(path, task, ModelCard(model=name, spec=spec.to_dict(), hyperparameters=tiny, task="classify"))
    return str(path)


def run(path, given: dict[str, torch.Tensor]) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {one.name: given[one.name].numpy() for one in session.get_inputs()})[0]


@pytest.fixture
def fast_ways_refuse_graphs(monkeypatch) -> list[str]:
    """Names of the fast ways that are taken, none of which may be while a graph is written down."""
    taken: list[str] = []

    def refusing(fast):
        def outside(*given):
            assert not torch.compiler.is_exporting()
            taken.append(fast.__name__)
            return fast(*given)

        return outside

    for found in pkgutil.walk_packages(jetkit.nn.__path__, "jetkit.nn."):
        module = importlib.import_module(found.name)
        for name, one in list(vars(module).items()):
            if inspect.isfunction(one) and one.__module__.startswith("jetkit.nn.fast."):
                monkeypatch.setattr(module, name, refusing(one))
    return taken


@pytest.mark.parametrize("name", ["part", "particle-net", "pfn", "jet-clr"])
def test_the_graph_is_the_tagger_for_any_jets_and_any_padding(name, tmp_path, fast_ways_refuse_graphs) -> None:
    path = model_file(name, tmp_path)
    out, model = export(path, tmp_path / "graph.onnx"), load_model(path)
    for jets, particles in ((1, (1, 1)), (1, (70, 70)), (9, (1, 33))):
        batch = random_batch(SPEC, jets=jets, particles=particles, seed=11).to(dtype=torch.float32)
        with torch.no_grad():
            wanted = model(batch).softmax(1).numpy()
        assert wanted.std() > 1e-3
        given = tensors(batch, SPEC)
        assert list(given)[:3] == ["features", "momenta", "mask"]
        np.testing.assert_allclose(run(out, given), wanted, atol=2e-5)
        tables = {name: given[name] for name in ("features", "momenta")}
        longer = {name: torch.cat([one, 7 * torch.ones(jets, 5, one.shape[2])], 1) for name, one in tables.items()}
        found = run(out, longer | {"mask": torch.nn.functional.pad(given["mask"], (0, 5))})
        np.testing.assert_allclose(found, wanted, atol=2e-5)
    assert bool(fast_ways_refuse_graphs) == (name != "pfn")


def test_the_metadata_tell_how_to_feed_it(tmp_path) -> None:
    out = export(model_file("pfn", tmp_path), tmp_path / "graph.onnx")
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    header = json.loads(session.get_modelmeta().custom_metadata_map[HEADER])
    assert header["model"] == "pfn"
    assert Spec.from_dict(header["spec"]) == SPEC
    assert header["spec"]["targets"]["label"]["classes"] == ["QCD", "W", "top"]
    assert tuple(header["spec"]["sets"]["part"]["features"]) == SPEC.features


def test_what_cannot_be_exported_is_told_and_nothing_is_written(tmp_path, monkeypatch) -> None:
    path, out = model_file("lorentz-net", tmp_path), tmp_path / "graph.onnx"
    with pytest.raises(JetkitError, match="lorentz-net cannot be exported: its graph depends on the jets"):
        export(path, out)
    with pytest.raises(JetkitError, match="cannot read"):
        export(tmp_path / "nowhere", out)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(JetkitError, match=r"pip install 'jetkit\[export\]'"):
        export(path, out)
    assert not out.exists()


def test_a_graph_that_computes_something_else_is_refused(tmp_path, monkeypatch) -> None:
    path, out = model_file("pfn", tmp_path), tmp_path / "graph.onnx"
    monkeypatch.setattr("jetkit.interchange.onnx.TOLERANCE", 0.0)
    with pytest.raises(JetkitError, match="the graph gives answers that differ by"):
        export(path, out)
    assert not out.exists()


def test_by_the_command_line(jetkit, tmp_path) -> None:
    path = model_file("pfn", tmp_path)
    assert "gives the probabilities of the classes" in jetkit("export", path)
    assert run(tmp_path / "pfn.onnx", tensors(random_batch(SPEC, jets=2, seed=3), SPEC)).shape == (2, 3)
    said = jetkit("export", path, "out=/proc/graph.onnx", code=1)
    assert "cannot write /proc/graph.onnx" in said
