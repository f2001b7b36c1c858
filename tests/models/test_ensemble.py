from __future__ import annotations

from typing import Any

import pytest
import torch

from jetkit.data.batch import Batch
from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models import EFN, PFN, Ensemble, Stack
from jetkit.models.ensemble import Combination
from jetkit.models.model import MODELS
from jetkit.registry import create
from jetkit.tasks.classify import Classify
from jetkit.testing import random_batch

FULL = tuple(feature.name for feature in FEATURE_SETS["full"])
KIN = tuple(feature.name for feature in FEATURE_SETS["kin"])
SPEC = Spec.of(FULL, classes=("QCD", "W", "top"))
SMALL: dict[str, Any] = {"phi": (8,), "f": (8,)}
MEMBERS: tuple[dict[str, Any], ...] = (
    {"model": "pfn", "features": FULL, "length": 128, "hyperparameters": SMALL},
    {"model": "pfn", "features": KIN, "length": 5, "hyperparameters": SMALL},
    {"model": "efn", "features": ("part_deta", "part_dphi"), "length": 12, "hyperparameters": SMALL},
)


@pytest.fixture(scope="module")
def batch() -> Batch:
    return random_batch(SPEC, jets=6, particles=(2, 20), seed=4)


def first(batch: Batch, names: tuple[str, ...], length: int) -> Batch:
    places = [FULL.index(name) for name in names]
    assert batch.p4 is not None
    return Batch.of(batch.x[:, :length, places], batch.mask[:, :length], batch.p4[:, :length])


@pytest.mark.parametrize("combine", ["mean", "median"])
def test_members_are_combined_as_if_each_had_been_asked_alone(batch: Batch, combine: Any) -> None:
    torch.manual_seed(1)
    whole = Ensemble(SPEC, members=MEMBERS, combine=combine).double().eval()
    specs = [Spec.of(card["features"], classes=SPEC.classes) for card in MEMBERS]
    alone = [Classify(cls(spec, **SMALL), spec) for cls, spec in zip((PFN, PFN, EFN), specs, strict=True)]
    found = []
    for tagger, own, card in zip(alone, whole.members.taggers, MEMBERS, strict=True):
        tagger.load_state_dict(own.state_dict())
        found.append(tagger.double().eval()(first(batch, card["features"], card["length"])).softmax(1))
    wanted = torch.stack(found).mean(0) if combine == "mean" else torch.stack(found).median(0).values
    torch.testing.assert_close(whole(batch).softmax(1), wanted / wanted.sum(1, keepdim=True), rtol=0, atol=1e-12)


def test_what_is_to_be_learned_of_particles_does_not_disturb_members(batch: Batch) -> None:
    whole = Ensemble(SPEC, members=MEMBERS).double().eval()
    places = torch.zeros_like(batch.mask, dtype=torch.long)
    told = batch.with_cloud(targets={"part_origin": places})
    told = told.replace(sets={**told.sets, "vertex": told.cloud}, links={("part", "vertex"): places})
    assert torch.equal(whole(told), whole(batch))


def test_the_median_of_an_even_number_is_the_mean_of_the_middle_two() -> None:
    p = torch.tensor([0.1, 0.2, 0.4, 0.9], dtype=torch.float64)
    logits = torch.stack([1 - p, p], 1).log()[None]
    torch.testing.assert_close(Combination("median")(logits).softmax(1)[0, 1].item(), 0.3)


def test_a_stack_may_learn_to_trust_one_member(batch: Batch) -> None:
    stack = Stack(SPEC, members=MEMBERS, f=()).double().eval()
    with torch.no_grad():
        stack.last.weight.zero_()
        stack.last.bias.zero_()
        stack.last.weight[:, 3:6] = torch.eye(3)
    second = stack.members.taggers[1](first(batch, KIN, 5))
    torch.testing.assert_close(stack(batch).softmax(1), second.softmax(1), rtol=0, atol=1e-5)


def test_numbers_of_all_members_are_counted() -> None:
    whole = Ensemble(SPEC, members=MEMBERS)
    assert whole.size == sum(weight.numel() for weight in whole.parameters())
    sizes = {"trees": 10, "leaves": 4}
    trees = {"model": "observables-bdt", "features": KIN, "length": 128, "hyperparameters": sizes}
    assert Ensemble(SPEC, members=(trees,)).size == create("observables-bdt", SPEC, sizes, MODELS).size


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ((), "an ensemble is made of trained models"),
        (({"model": "pfn", "features": ("colour",), "length": 3},), "needs the features colour"),
        (({"model": "pfm", "features": KIN, "length": 3},), "unknown model 'pfm'; did you mean pfn"),
        (({"model": "pfn", "features": KIN},), "length"),
        (({"model": "pfn", "features": KIN, "length": 3, "hyperparameters": {"colour": 1}},), "colour"),
    ],
)
def test_members_that_cannot_be_had_are_named(members: Any, sentence: str) -> None:
    with pytest.raises(JetkitError, match=sentence):
        create("ensemble", SPEC, {"members": members}, MODELS)
