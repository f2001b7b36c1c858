"""What a jet costs a model: counted, and by the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from jetkit.data.features import feature_names
from jetkit.data.spec import Spec
from jetkit.models.model import MODELS, Encoder
from jetkit.registry import create, entries, entry
from jetkit.reporting.model_cost import QUANTITIES, Cost, LeftOut, Spent, growth
from jetkit.tasks.classify import Classify
from jetkit.tasks.density import Density
from jetkit.tasks.task import Task
from jetkit.testing import random_batch
from jetkit.verbs import cost as room
from jetkit.verbs.cost import model_cost, operations
from jetkit.verbs.cost_options import CostOptions

Verb = Callable[..., str]
SPEC = Spec.of(feature_names("full"), classes=("QCD", "top"))
NETWORKS = [one.name for one in entries(("encoder", "generator")) if issubclass(one.cls, Encoder)]
FLOAT = 4


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "WATCHED", 0.0)


def spec_of(name: str) -> Spec:
    """What the network sees: rows with features of their own where it needs them."""
    return replace(SPEC, row=("jet_pt", "jet_mass")) if entry(name, MODELS).cls.needs.row else SPEC


def network(name: str, **values: Any) -> Classify:
    torch.manual_seed(1)
    spec = spec_of(name)
    return Classify(create(name, spec, dict(entry(name, MODELS).tiny) | values, MODELS), spec).train()


def costs_of(model: Task, *particles: int, **options: Any) -> list[Cost]:
    return model_cost(model, particles, CostOptions(**{"batches": (2,)} | options))


@pytest.mark.parametrize("name", NETWORKS)
def test_operations_of_every_network_can_be_counted(name: str) -> None:
    """Also where a learned tensor, without a history, goes into a layer."""
    assert operations(network(name).eval(), random_batch(spec_of(name), jets=2).to(dtype=torch.float32)) > 0


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_can_be_measured_and_stays_as_it_is(name: str) -> None:
    model = network(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    learned = [weight.requires_grad for weight in model.parameters()]
    [found] = costs_of(model, 6)
    for one in (found.inference, found.training):
        assert isinstance(one, Spent)
        assert one.seconds > 0
        assert one.bytes > 0
    assert model.training
    assert [weight.requires_grad for weight in model.parameters()] == learned
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_operations_and_memory_of_deep_sets_are_those_of_their_layers() -> None:
    """The widest place is where one hidden layer of all particles becomes the next."""
    width, features, classes = 50, len(SPEC.features), len(SPEC.classes)
    model = network("pfn", phi=(width, width), f=(width,))
    few, many = costs_of(model, 10, 20, batches=(4,))
    of_particle = 2 * (features * width + width * width)
    of_jet = 2 * (width * width + width * classes)
    assert [one.flops for one in (few, many)] == [10 * of_particle + of_jet, 20 * of_particle + of_jet]
    assert isinstance(many.inference, Spent)
    assert 2 * 20 * width * FLOAT <= many.inference.bytes <= (2 * width + features + 1) * 20 * FLOAT


def test_memory_of_pairs_grows_with_their_number_and_that_of_deep_sets_with_that_of_particles() -> None:
    memory = QUANTITIES["memory of inference"], QUANTITIES["memory of a training step"]
    pairs = costs_of(network("part", width=8, heads=8, depth=2), 64, 128)
    singles = costs_of(network("pfn", phi=(8, 8)), 64, 128, batches=(8,))
    for quantity in memory:
        of_pairs, of_singles = growth(pairs, quantity), growth(singles, quantity)
        assert of_pairs is not None
        assert of_singles is not None
        assert of_pairs.exponent == pytest.approx(2, abs=0.2)
        assert of_singles.exponent == pytest.approx(1, abs=0.1)


def test_counted_numbers_are_the_same_each_time() -> None:
    first, second = (costs_of(network("particle-net"), 8, 16, batches=(3,)) for _ in range(2))
    for quantity in (name for name in QUANTITIES if not name.startswith("time")):
        assert [QUANTITIES[quantity](one) for one in first] == [QUANTITIES[quantity](one) for one in second]


def test_what_may_need_too_much_memory_is_left_out() -> None:
    found = costs_of(network("part"), 8, 32, batches=(2, 64), memory=2e-3)
    assert isinstance(found[0].training, Spent)
    assert isinstance(found[-1].training, LeftOut)
    assert "more than 0.002 GB" in found[-1].training.reason


def test_models_that_do_not_learn_by_gradient_have_no_training_step() -> None:
    [found] = costs_of(network("lda"), 8)
    assert isinstance(found.inference, Spent)
    assert found.training == LeftOut("it is fitted in one go")


@pytest.mark.parametrize(("name", "task"), [("mlp", Classify), ("nsf", Density)])
def test_a_row_of_a_plain_table_has_a_cost_too(name: str, task: type[Task]) -> None:
    spec = Spec(row=("event_mj1", "event_mj2"), targets=SPEC.targets)
    made = task(create(name, spec, entry(name, MODELS).tiny, MODELS), spec)
    [found] = costs_of(made, 1, batches=(8,))
    assert isinstance(found.inference, Spent)
    assert isinstance(found.training, Spent)


def test_one_jet_is_too_few_for_a_training_with_batch_normalisation() -> None:
    one, two = costs_of(network("nsub-dnn"), 8, batches=(1, 2))
    assert one.training == LeftOut("batch normalisation needs two jets")
    assert isinstance(two.training, Spent)


def test_observables_are_computed_in_the_inference_only() -> None:
    [found] = costs_of(network("nsub-dnn"), 40, batches=(64,))
    assert isinstance(found.inference, Spent)
    assert isinstance(found.training, Spent)
    assert found.training.bytes < 64 * 1000


def test_the_page_of_a_model(runs: Path, jetkit: Verb, tmp_path: Path) -> None:
    model, out = runs / "pfn" / "model.safetensors", tmp_path / "cost"
    said = jetkit("show", str(model), "cost=true", "particles=[4,8,500]", "batches=[1,4]", f"out={out}")
    assert said.splitlines()[-1] == str(out / "index.html")
    assert "gradient and moments of AdamW" in said
    assert {line.split()[0] for line in said.splitlines() if line[:3].strip().isdigit()} == {"4", "8", "128"}
    assert {path.name for path in out.iterdir()} == {
        "index.html", "time.png", "memory.png", "operations.png", "batch.png",
    }  # fmt: skip
    page = (out / "index.html").read_text()
    assert "particles=[4,8,500]" in page
    assert "batches=[1,4]" in page
    assert "Growth with the number of particles" in page


def test_a_cost_stands_beside_the_file_unless_told_otherwise(runs: Path, jetkit: Verb) -> None:
    model = runs / "bdt" / "model.safetensors"
    jetkit("show", str(model))
    assert not (runs / "bdt" / "model-cost").exists()
    said = jetkit("show", str(model), "cost=true", "particles=[8]", "batches=[4]")
    assert said.splitlines()[-1] == str(runs / "bdt" / "model-cost" / "index.html")
    assert "Training is left out: it is fitted in one go." in said


def test_data_have_no_cost(toy: Path, jetkit: Verb) -> None:
    said = jetkit("show", str(toy), "cost=true", code=1)
    assert said == f"jetkit: cost=true measures models, {toy} is none: give the .safetensors file of a model\n"
    assert not (toy / "show").exists()
