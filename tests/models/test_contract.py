"""What every registered model promises; a new model is tested by being registered."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import jetkit.models  # noqa: F401 - registers the models
from jetkit.config import ConfigError
from jetkit.data.batch import Batch
from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.boosted_trees import BoostedTrees
from jetkit.models.jet_language import JetLanguage
from jetkit.models.model import MODELS, Backbone, Encoder
from jetkit.registry import Entry, create, entries, hyperparameters, schema
from jetkit.store.model_file import ModelCard, load_model, save_model
from jetkit.tasks.classify import Classify
from jetkit.testing import assert_broken, assert_invariant, random_batch

SPEC = Spec.of(
    tuple(feature.name for feature in FEATURE_SETS["full"]),
    row=("row_a", "row_b", "row_c"),
    classes=("QCD", "top"),
)
"""Of jets that have features of their own as well, which the models of plain tables see."""
ALL = entries(MODELS)
ENCODERS = [entry for entry in ALL if issubclass(entry.cls, Encoder)]
"""Models that turn a jet into a vector; what else there is has tests of its own."""
GRADIENT = [entry for entry in ENCODERS if entry.kind in ("encoder", "generator")]
"""Encoders that the training loop can train; trees know no gradient and are tested where they are grown."""
EXACT, ROUNDED = 1e-9, 1e-6
"""Largest rounding error, and that of trees, whose observables are compared, in GeV: ΔR^½ has half of the digits."""
CLAIMS = [(entry, change) for entry in ENCODERS for change in entry.symmetries]
DENIALS = [(entry, change) for entry in ENCODERS for change in entry.broken]
PUBLISHED = [
    ("efn", 3, 2, {}, 82_358),
    ("pfn", 3, 2, {}, 82_458),
    *(
        ("pfn", inputs, classes, {"phi": (128, 128, 128), "f": (128, 128, 128)}, count)
        for inputs, classes, count in [(7, 2, 83_842), (7, 10, 84_874), (13, 10, 85_642), (17, 10, 86_154)]
    ),
    *(
        (name, inputs, classes, {}, count)
        for name, counts in {
            "part": (2_141_134, 2_142_166, 2_142_958, 2_143_486, 2_142_454),
            "particle-net": (366_160, 368_216, 369_380, 370_156, 368_100),
        }.items()
        for (inputs, classes), count in zip([(7, 2), (7, 10), (13, 10), (17, 10), (17, 2)], counts, strict=True)
    ),
    ("lorentz-net", 7, 2, {}, 224_072),
    ("lorentz-net-published", 7, 2, {}, 224_072),
    ("lorentz-net", 10, 2, {"beams": False, "scalars": tuple(f"part_{i}" for i in range(8))}, 227_096),
]
"""Model, features, classes, hyperparameters → parameters with a head, as papers and authors' code have them."""


def name_of(value: Any) -> str:
    return value.name if isinstance(value, Entry) else str(value)


def built(entry: Entry, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return create(entry.name, SPEC, entry.tiny, MODELS)


def tagger(entry: Entry, seed: int = 0) -> Classify:
    """The model with a head."""
    return Classify(built(entry, seed), SPEC)


class Compared(nn.Module):
    """What the checks of symmetry compare: encoding and logits, or the observables of trees that were not grown."""

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self.task = tagger(entry)
        self.spec = SPEC
        self.tolerance = ROUNDED if isinstance(self.task.model, BoostedTrees) else EXACT

    def forward(self, batch: Batch) -> torch.Tensor:
        model = self.task.model
        if isinstance(model, BoostedTrees):
            return model.observables(batch)
        encoded = model(batch)
        return torch.cat([encoded, self.task.head(encoded)], 1)


@pytest.fixture(scope="module")
def batch() -> Batch:
    return random_batch(SPEC, jets=8, particles=(2, 25), seed=11)


@pytest.mark.parametrize(("entry", "change"), CLAIMS, ids=name_of)
def test_a_claimed_symmetry_is_exact(batch: Batch, entry: Entry, change: str) -> None:
    model = Compared(entry)
    assert_invariant(model, batch, change, model.tolerance)


@pytest.mark.parametrize(("entry", "change"), DENIALS, ids=name_of)
def test_a_symmetry_that_is_denied_is_broken(batch: Batch, entry: Entry, change: str) -> None:
    assert_broken(tagger(entry) if entry.kind != "estimator" else Compared(entry), batch, change)


@pytest.mark.parametrize("entry", [entry for entry in ENCODERS if "padding" not in entry.broken], ids=name_of)
def test_padding_is_not_noticed(batch: Batch, entry: Entry) -> None:
    model = Compared(entry)
    assert_invariant(model, batch, "padding", model.tolerance)


@pytest.mark.parametrize("entry", ENCODERS, ids=name_of)
def test_other_jets_of_a_batch_are_not_noticed(batch: Batch, entry: Entry) -> None:
    model = Compared(entry).double().eval()
    with torch.no_grad():
        alone = torch.cat([model(batch.select(slice(row, row + 1))) for row in range(len(batch))])
        torch.testing.assert_close(model(batch), alone, rtol=0, atol=model.tolerance)


@pytest.mark.parametrize("entry", ENCODERS, ids=name_of)
def test_an_evaluation_gives_the_same_bits_again(batch: Batch, entry: Entry) -> None:
    model, single = Compared(entry).eval(), batch.to(dtype=torch.float32)
    with torch.no_grad():
        assert torch.equal(model(single), model(single))


@pytest.mark.parametrize("entry", ENCODERS, ids=name_of)
@pytest.mark.parametrize("particles", [1, 2, 3])
def test_jets_of_few_particles_have_finite_logits(entry: Entry, particles: int) -> None:
    few = random_batch(SPEC, jets=3, particles=(particles, particles)).to(dtype=torch.float32)
    task = tagger(entry).eval()
    encoded, logits = task.model(few), task(few)
    assert (encoded.shape, logits.shape) == ((3, task.model.encoded), (3, 2))
    assert encoded.isfinite().all()
    assert logits.isfinite().all()


@pytest.mark.parametrize("entry", GRADIENT, ids=name_of)
def test_it_encodes_jets_without_classes(entry: Entry, batch: Batch) -> None:
    """Only tasks know classes."""
    spec = Spec.of(SPEC.features, SPEC.row)
    model = create(entry.name, spec, entry.tiny, MODELS).double().eval()
    encoded = model(batch.replace(targets={}))
    assert encoded.shape == (len(batch), model.encoded)
    assert encoded.isfinite().all()


@pytest.mark.parametrize("entry", ENCODERS, ids=name_of)
def test_it_uses_momenta_and_row_only_where_it_says_that_it_needs_them(batch: Batch, entry: Entry) -> None:
    model, needs = Compared(entry).double().eval(), entry.cls.needs
    without_p4 = batch.with_cloud(p4=None)
    if needs.p4:
        with pytest.raises(JetkitError, match="needs four-momenta"):
            model(without_p4)
    else:
        assert torch.equal(model(without_p4), model(batch))
    assert torch.equal(model(batch.replace(row=batch.row + 1)), model(batch)) != needs.row


@pytest.mark.parametrize("entry", [entry for entry in ENCODERS if issubclass(entry.cls, Backbone)], ids=name_of)
def test_a_backbone_encodes_what_it_aggregates_of_its_tokens(batch: Batch, entry: Entry) -> None:
    model = built(entry).double().eval()
    with torch.no_grad():
        tokens = model.tokens(batch)
        assert tokens.shape == (*batch.mask.shape, model.width)
        assert torch.equal(model.aggregate(tokens, batch), model(batch))
        other = tokens.masked_fill(~batch.mask.unsqueeze(2), 99.0)
        torch.testing.assert_close(model.aggregate(other, batch), model(batch), rtol=0, atol=EXACT)
    named = [name for name, _ in model.named_parameters()]
    for start in (*model.aggregator, *(start for stage in model.stages for start in stage)):
        assert any(f"{name}.".startswith(f"{start}.") for name in (*named, *dict(model.named_modules()))), start


@pytest.mark.parametrize("entry", [entry for entry in ENCODERS if entry.cls.precomputes], ids=name_of)
def test_a_table_of_what_is_computed_before_serves_as_well(batch: Batch, entry: Entry) -> None:
    model = built(entry).double().eval()
    with torch.no_grad():
        table = Batch(row=model.precomputed(batch))
        assert torch.equal(model(table), model(batch))


@pytest.mark.parametrize("entry", GRADIENT, ids=name_of)
def test_every_parameter_gets_a_gradient(batch: Batch, entry: Entry) -> None:
    task = tagger(entry).double().train()
    task.loss(batch).total.backward()
    idle = {id(parameter) for part in task.model.decoders for parameter in part.parameters()}
    assert bool(idle) == task.model.idle
    for name, parameter in task.named_parameters():
        if id(parameter) in idle:
            assert parameter.grad is None, name
            continue
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("entry", ENCODERS, ids=name_of)
def test_fast_ways_give_the_logits_of_the_plain_one(batch: Batch, entry: Entry, monkeypatch) -> None:
    """Also with a gradient, for which other ways are taken."""
    task, single = tagger(entry).eval(), batch.to(dtype=torch.float32)
    for training in (False, True):
        with torch.set_grad_enabled(training):
            monkeypatch.setenv("JETKIT_BACKEND", "fast")
            fast = task(single)
            monkeypatch.setenv("JETKIT_BACKEND", "plain")
            torch.testing.assert_close(fast, task(single), rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("entry", GRADIENT, ids=name_of)
def test_a_hook_on_a_linear_layer_is_called(batch: Batch, entry: Entry) -> None:
    task, called = tagger(entry).train(), set()
    idle = {layer for part in task.model.decoders for layer in part.modules()}
    layers = {layer: name for name, layer in task.named_modules() if isinstance(layer, nn.Linear)}
    for layer in layers:
        layer.register_forward_hook(lambda layer, *_: called.add(layer))
    task(batch.to(dtype=torch.float32))
    assert not {name for layer, name in layers.items() if layer not in called | idle}


@pytest.mark.parametrize("entry", GRADIENT, ids=name_of)
def test_64_jets_can_be_learned_by_heart(entry: Entry) -> None:
    jets = random_batch(SPEC, jets=64, particles=(12, 14), seed=2).to(dtype=torch.float32)
    task = tagger(entry)
    if isinstance(task.model, JetLanguage):
        task.model.learn_words([jets])
    optimiser = torch.optim.Adam(task.parameters(), lr=1e-2)
    for _ in range(40):
        for _ in range(15):
            optimiser.zero_grad()
            task.train().loss(jets).total.backward()
            optimiser.step()
        with torch.no_grad():
            right = task.eval()(jets).argmax(1) == jets.label
        if right.all():
            return
    pytest.fail(f"{int(right.sum())} of 64 after 600 steps")


@pytest.mark.parametrize("task", ["classify", ""])
@pytest.mark.parametrize("entry", ENCODERS, ids=name_of)
def test_a_model_file_gives_the_same_numbers(tmp_path, batch: Batch, entry: Entry, task: str) -> None:
    """Of a tagger, and of a model without a head."""
    module, single = tagger(entry).eval() if task else built(entry).eval(), batch.to(dtype=torch.float32)
    chosen = hyperparameters(entry.name, entry.tiny, MODELS)
    save_model(tmp_path / "model.safetensors", module, ModelCard(entry.name, SPEC.to_dict(), chosen, task=task))
    with torch.no_grad():
        assert torch.equal(load_model(tmp_path / "model.safetensors")(single), module(single))


@pytest.mark.parametrize("entry", ALL, ids=name_of)
def test_an_unknown_hyperparameter_is_refused(entry: Entry) -> None:
    with pytest.raises(ConfigError, match="unknown option 'colour'"):
        create(entry.name, SPEC, {"colour": 3}, MODELS)


@pytest.mark.parametrize(
    ("entry", "field"),
    [(entry, field) for entry in ALL for field in schema(entry.cls).__annotations__],
    ids=name_of,
)
def test_a_hyperparameter_of_the_wrong_type_is_refused(entry: Entry, field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        create(entry.name, SPEC, {field: {"a": "mapping"}}, MODELS)


@pytest.mark.parametrize(("name", "inputs", "classes", "values", "count"), PUBLISHED, ids=name_of)
def test_parameters_are_as_many_as_published(
    name: str, inputs: int, classes: int, values: dict[str, Any], count: int
) -> None:
    names = ("part_deta", "part_dphi", *(f"part_{i}" for i in range(inputs - 2)))
    spec = Spec.of(names, classes=tuple(f"class {i}" for i in range(classes)))
    with torch.device("meta"):
        task = Classify(create(name, spec, values, MODELS), spec)
    assert task.size == count
