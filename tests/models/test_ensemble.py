from __future__ import annotations

from typing import Any

import pytest
import torch

from jetkit.data.cloud import Cloud, CloudSpec
from jetkit.data.features import FEATURE_SETS
from jetkit.errors import JetkitError
from jetkit.models import EFN, PFN, Ensemble, Stack
from jetkit.models.ensemble import Combination
from jetkit.registry import create
from jetkit.testing import random_cloud

FULL = tuple(feature.name for feature in FEATURE_SETS["full"])
KIN = tuple(feature.name for feature in FEATURE_SETS["kin"])
SPEC = CloudSpec(FULL, classes=("QCD", "W", "top"))
SMALL: dict[str, Any] = {"phi": (8,), "f": (8,)}
MEMBERS: tuple[dict[str, Any], ...] = (
    {"model": "pfn", "features": FULL, "length": 128, "hyperparameters": SMALL},
    {"model": "pfn", "features": KIN, "length": 5, "hyperparameters": SMALL},
    {"model": "efn", "features": ("part_deta", "part_dphi"), "length": 12, "hyperparameters": SMALL},
)


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    return random_cloud(SPEC, jets=6, particles=(2, 20), seed=4)


def first(cloud: Cloud, names: tuple[str, ...], length: int) -> Cloud:
    places = [FULL.index(name) for name in names]
    assert cloud.p4 is not None
    return Cloud(cloud.x[:, :length, places], cloud.mask[:, :length], cloud.p4[:, :length])


@pytest.mark.parametrize("combine", ["mean", "median"])
def test_members_are_combined_as_if_each_had_been_asked_alone(cloud: Cloud, combine: Any) -> None:
    torch.manual_seed(1)
    whole = Ensemble(SPEC, members=MEMBERS, combine=combine).double().eval()
    alone = [PFN(CloudSpec(FULL, classes=SPEC.classes), **SMALL), PFN(CloudSpec(KIN, classes=SPEC.classes), **SMALL)]
    alone += [EFN(CloudSpec(MEMBERS[2]["features"], classes=SPEC.classes), **SMALL)]
    found = []
    for tagger, own, card in zip(alone, whole.members.taggers, MEMBERS, strict=True):
        tagger.load_state_dict(own.state_dict())
        found.append(tagger.double().eval()(first(cloud, card["features"], card["length"])).softmax(1))
    wanted = torch.stack(found).mean(0) if combine == "mean" else torch.stack(found).median(0).values
    torch.testing.assert_close(whole(cloud).softmax(1), wanted / wanted.sum(1, keepdim=True), rtol=0, atol=1e-12)


def test_the_median_of_an_even_number_is_the_mean_of_the_middle_two() -> None:
    p = torch.tensor([0.1, 0.2, 0.4, 0.9], dtype=torch.float64)
    logits = torch.stack([1 - p, p], 1).log()[None]
    torch.testing.assert_close(Combination("median")(logits).softmax(1)[0, 1].item(), 0.3)


def test_a_stack_may_learn_to_trust_one_member(cloud: Cloud) -> None:
    stack = Stack(SPEC, members=MEMBERS, f=()).double().eval()
    with torch.no_grad():
        stack.head.weight.zero_()
        stack.head.bias.zero_()
        stack.head.weight[:, 3:6] = torch.eye(3)
    second = stack.members.taggers[1](first(cloud, KIN, 5))
    torch.testing.assert_close(stack(cloud).softmax(1), second.softmax(1), rtol=0, atol=1e-5)


def test_numbers_of_all_members_are_counted() -> None:
    whole = Ensemble(SPEC, members=MEMBERS)
    assert whole.size == sum(weight.numel() for weight in whole.parameters())
    trees = {"model": "observables-bdt", "features": KIN, "length": 128, "hyperparameters": {"trees": 10, "leaves": 4}}
    assert Ensemble(SPEC, members=(trees,)).size == create("observables-bdt", SPEC, {"trees": 10, "leaves": 4}).size


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ((), "an ensemble is made of trained models"),
        (({"model": "pfn", "features": ("colour",), "length": 3},), "needs the features colour"),
        (({"model": "pfm", "features": KIN, "length": 3},), "unknown tagger 'pfm'; did you mean pfn"),
        (({"model": "pfn", "features": KIN},), "length"),
        (({"model": "pfn", "features": KIN, "length": 3, "hyperparameters": {"colour": 1}},), "colour"),
    ],
)
def test_members_that_cannot_be_had_are_named(members: Any, sentence: str) -> None:
    with pytest.raises(JetkitError, match=sentence):
        create("ensemble", SPEC, {"members": members})
