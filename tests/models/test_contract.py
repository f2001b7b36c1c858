"""What every registered tagger promises; a new model is tested by being registered."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import jetkit.models  # noqa: F401 - registers the models
from jetkit.config import ConfigError
from jetkit.data.cloud import Cloud, CloudSpec
from jetkit.data.features import FEATURE_SETS
from jetkit.models.jet_language import JetLanguage
from jetkit.registry import Entry, create, entries, hyperparameters, schema
from jetkit.testing import assert_broken, assert_invariant, random_cloud
from jetkit.train.model_file import ModelCard, load_model, save_model

SPEC = CloudSpec(tuple(feature.name for feature in FEATURE_SETS["full"]), classes=("QCD", "top"))
TAGGERS = entries("tagger")
GRADIENT = [entry for entry in TAGGERS if getattr(entry.cls, "learns_by", "gradient") == "gradient"]
"""Taggers that the training loop can train; trees know no gradient and are tested where they are grown."""
EXACT = {"gradient": 1e-9, "members": 1e-9, "counting": 1e-9, "boosting": 1e-6}
"""Largest rounding error; of trees the observables are compared, in GeV, and ΔR^½ has half of the digits."""
CLAIMS = [(entry, change) for entry in TAGGERS for change in entry.symmetries]
DENIALS = [(entry, change) for entry in TAGGERS for change in entry.broken]
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
"""Model, features, classes, hyperparameters → parameters, as papers and authors' code have them."""


def name_of(value: Any) -> str:
    return value.name if isinstance(value, Entry) else str(value)


def tagger(entry: Entry, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return create(entry.name, SPEC, entry.tiny)


class Compared(nn.Module):
    """What the checks of symmetry compare: the logits, or the observables of trees that have not been grown."""

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self.model = tagger(entry)
        self.spec = self.model.spec
        self.learns_by = getattr(entry.cls, "learns_by", "gradient")

    def forward(self, cloud: Cloud) -> torch.Tensor:
        return self.model.encode(cloud) if self.learns_by == "boosting" else self.model(cloud)

    @property
    def tolerance(self) -> float:
        return EXACT[self.learns_by]


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    return random_cloud(SPEC, jets=8, particles=(2, 25), seed=11)


@pytest.mark.parametrize(("entry", "change"), CLAIMS, ids=name_of)
def test_a_claimed_symmetry_is_exact(cloud: Cloud, entry: Entry, change: str) -> None:
    model = Compared(entry)
    assert_invariant(model, cloud, change, model.tolerance)


@pytest.mark.parametrize(("entry", "change"), DENIALS, ids=name_of)
def test_a_symmetry_that_is_denied_is_broken(cloud: Cloud, entry: Entry, change: str) -> None:
    assert_broken(Compared(entry), cloud, change)


@pytest.mark.parametrize("entry", [entry for entry in TAGGERS if "padding" not in entry.broken], ids=name_of)
def test_padding_is_not_noticed(cloud: Cloud, entry: Entry) -> None:
    model = Compared(entry)
    assert_invariant(model, cloud, "padding", model.tolerance)


@pytest.mark.parametrize("entry", TAGGERS, ids=name_of)
def test_other_jets_of_a_batch_are_not_noticed(cloud: Cloud, entry: Entry) -> None:
    model = Compared(entry).double().eval()
    with torch.no_grad():
        alone = torch.cat([model(cloud.select(slice(row, row + 1))) for row in range(len(cloud))])
        torch.testing.assert_close(model(cloud), alone, rtol=0, atol=model.tolerance)


@pytest.mark.parametrize("entry", TAGGERS, ids=name_of)
def test_an_evaluation_gives_the_same_bits_again(cloud: Cloud, entry: Entry) -> None:
    model, single = Compared(entry).eval(), cloud.to(dtype=torch.float32)
    with torch.no_grad():
        assert torch.equal(model(single), model(single))


@pytest.mark.parametrize("entry", TAGGERS, ids=name_of)
@pytest.mark.parametrize("particles", [1, 2, 3])
def test_jets_of_few_particles_have_finite_logits(entry: Entry, particles: int) -> None:
    few = random_cloud(SPEC, jets=3, particles=(particles, particles)).to(dtype=torch.float32)
    logits = tagger(entry).eval()(few)
    assert logits.shape == (3, 2)
    assert logits.isfinite().all()


@pytest.mark.parametrize("entry", GRADIENT, ids=name_of)
def test_every_parameter_gets_a_gradient(cloud: Cloud, entry: Entry) -> None:
    model = tagger(entry).double().train()
    nn.functional.cross_entropy(model(cloud), cloud.label).backward()
    for name, parameter in model.named_parameters():
        if name.startswith(model.pretrained_only):
            continue
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("entry", GRADIENT, ids=name_of)
def test_64_jets_can_be_learned_by_heart(entry: Entry) -> None:
    jets = random_cloud(SPEC, jets=64, particles=(12, 14), seed=2).to(dtype=torch.float32)
    model = tagger(entry)
    if isinstance(model, JetLanguage):
        model.learn_words([jets])
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(40):
        for _ in range(15):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model.train()(jets), jets.label).backward()
            optimiser.step()
        with torch.no_grad():
            right = model.eval()(jets).argmax(1) == jets.label
        if right.all():
            return
    pytest.fail(f"{int(right.sum())} of 64 after 600 steps")


@pytest.mark.parametrize("entry", TAGGERS, ids=name_of)
def test_a_model_file_gives_the_same_logits(tmp_path, cloud: Cloud, entry: Entry) -> None:
    model, single = tagger(entry).eval(), cloud.to(dtype=torch.float32)
    card = ModelCard(entry.name, SPEC.to_dict(), hyperparameters(entry.name, entry.tiny))
    save_model(tmp_path / "model.safetensors", model, card)
    with torch.no_grad():
        assert torch.equal(load_model(tmp_path / "model.safetensors")(single), model(single))


@pytest.mark.parametrize("entry", TAGGERS, ids=name_of)
def test_an_unknown_hyperparameter_is_refused(entry: Entry) -> None:
    with pytest.raises(ConfigError, match="unknown option 'colour'"):
        create(entry.name, SPEC, {"colour": 3})


@pytest.mark.parametrize(
    ("entry", "field"),
    [(entry, field) for entry in TAGGERS for field in schema(entry.cls).__annotations__],
    ids=name_of,
)
def test_a_hyperparameter_of_the_wrong_type_is_refused(entry: Entry, field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        create(entry.name, SPEC, {field: {"a": "mapping"}})


@pytest.mark.parametrize(("name", "inputs", "classes", "values", "count"), PUBLISHED, ids=name_of)
def test_parameters_are_as_many_as_published(
    name: str, inputs: int, classes: int, values: dict[str, Any], count: int
) -> None:
    names = ("part_deta", "part_dphi", *(f"part_{i}" for i in range(inputs - 2)))
    spec = CloudSpec(names, classes=tuple(f"class {i}" for i in range(classes)))
    with torch.device("meta"):
        model = create(name, spec, values)
    assert sum(parameter.numel() for parameter in model.parameters()) == count
