"""`jetkit.testing.check`: what a right model passes, and which wrong ones it finds."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import jetkit.models  # noqa: F401 - registers the models
from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.models.model import Encoder
from jetkit.registry import MODELS, Entry, entries
from jetkit.tasks.classify import Classify
from jetkit.tasks.task import Losses
from jetkit.testing import check

SMALL = [one for one in entries(MODELS) if one.kind != "ensemble"]


@pytest.mark.parametrize("entry", SMALL, ids=lambda entry: entry.name)
def test_every_model_of_jetkit_keeps_the_contract(entry: Entry) -> None:
    passed = check(entry.name, **entry.tiny)
    assert set(entry.symmetries if entry.kind in ("encoder", "generator") else ()) <= set(passed)
    assert len(passed) >= 4


class Sums(Encoder):
    """The sums of the features of a row."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.encoded = 4
        self.layer = nn.Linear(len(spec.features), 4)

    def encode(self, batch: Batch) -> Tensor:
        return (self.layer(batch.x) * batch.mask.unsqueeze(2)).sum(1)


class Plain(nn.Module):
    """A plain network."""

    def __init__(self, features: int, classes: int, width: int = 4) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(features, width), nn.Linear(width, classes)

    def forward(self, x: Tensor, p4: Tensor, mask: Tensor) -> Tensor:
        return self.last((self.first(x) * mask.unsqueeze(2)).sum(1))


def test_a_users_encoder_and_a_plain_network_pass() -> None:
    assert {"vectors", "padding", "other rows", "equal bits", "weights", "gradients"} <= set(check(Sums))
    assert {"vectors", "padding", "gradients"} <= set(check(Plain, width=3))


class SeesPadding(Sums):
    def encode(self, batch: Batch) -> Tensor:
        return self.layer(batch.x).sum(1)


class SeesOtherRows(Sums):
    def encode(self, batch: Batch) -> Tensor:
        found = super().encode(batch)
        return found - found.mean(0)


class Draws(Sums):
    def encode(self, batch: Batch) -> Tensor:
        return super().encode(batch) + torch.rand(())


class WrongLength(Sums):
    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.encoded = 5


class Unused(Sums):
    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.idle_layer = nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (SeesPadding, "should not notice padding"),
        (SeesOtherRows, "the other rows of a batch change a vector"),
        (Draws, "two evaluations of one batch differ"),
        (WrongLength, r"encode gives \(8, 4\)"),
        (Unused, "idle_layer.weight gets no gradient"),
    ],
)
def test_a_wrong_encoder_is_found(wrong: Any, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check(wrong)


class NoNumbers(Classify):
    def watch(self, predictions: Any) -> dict[str, float]:
        return {"loss": super().watch(predictions)["loss"]}


class Constant(Classify):
    def loss(self, batch: Batch) -> Losses:
        return Losses(super().loss(batch).total * 0, {})


@pytest.mark.parametrize(("wrong", "sentence"), [(NoNumbers, "gives no accuracy"), (Constant, "nothing learns")])
def test_a_wrong_task_is_found(wrong: Any, sentence: str) -> None:
    assert check("classify")
    with pytest.raises(AssertionError, match=sentence):
        check(wrong)


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(AssertionError, match="should be an Encoder"):
        check(dict)
