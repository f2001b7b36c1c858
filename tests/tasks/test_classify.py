from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from jetkit.data.cloud import Cloud, CloudSpec
from jetkit.errors import JetkitError
from jetkit.models.tagger import Tagger
from jetkit.tasks.classify import Classify


class Given(Tagger):
    """A tagger whose logits are the first particle's features."""

    def __init__(self, classes: int) -> None:
        names = tuple(f"c{index}" for index in range(classes))
        super().__init__(CloudSpec(features=names, classes=names))
        self.head = torch.nn.Identity()

    def encode(self, cloud: Cloud) -> Tensor:
        return cloud.x[:, 0]


def jets(logits: list[list[float]], label: list[int], weight: list[float] | None = None) -> Cloud:
    x = torch.tensor(logits).unsqueeze(1)
    weights = torch.ones(len(label)) if weight is None else torch.tensor(weight)
    return Cloud(x, torch.ones(x.shape[:2], dtype=torch.bool), label=torch.tensor(label), weight=weights)


def test_the_loss_of_ignorance_is_the_logarithm_of_the_number_of_classes() -> None:
    loss = Classify(Given(4)).loss(jets([[0.0] * 4] * 3, [0, 1, 3])).total
    assert loss.item() == pytest.approx(math.log(4))


def test_the_loss_is_a_weighted_mean() -> None:
    a, b = math.log(1 + math.exp(-2)), math.log(1 + math.exp(1))
    cloud = jets([[2.0, 0.0], [1.0, 0.0]], [0, 1], [3.0, 1.0])
    assert Classify(Given(2)).loss(cloud).total.item() == pytest.approx((3 * a + b) / 4)


def test_a_further_weight_multiplies_the_jets_own() -> None:
    cloud = jets([[2.0, 0.0], [1.0, 0.0]], [0, 1], [3.0, 1.0])
    task = Classify(Given(2), weight=lambda cloud: torch.tensor([0.0, 5.0]))
    assert task.loss(cloud).total.item() == pytest.approx(math.log(1 + math.exp(1)))


def test_smoothing_mixes_the_target_with_the_even_one() -> None:
    p = torch.tensor([3.0, 0.0, 0.0]).softmax(0)
    expected = -(0.9 + 0.1 / 3) * math.log(p[0]) - 0.1 / 3 * (math.log(p[1]) + math.log(p[2]))
    loss = Classify(Given(3), smoothing=0.1).loss(jets([[3.0, 0.0, 0.0]], [0])).total
    assert loss.item() == pytest.approx(expected)


def test_parts_are_the_losses_to_log() -> None:
    losses = Classify(Given(2)).loss(jets([[1.0, 0.0]], [0]))
    assert {name: part.item() for name, part in losses.parts.items()} == {"cross_entropy": losses.total.item()}
    assert not losses.parts["cross_entropy"].requires_grad


def test_watch_is_the_mean_over_all_jets_whatever_the_batches() -> None:
    task = Classify(Given(2), smoothing=0.3)
    clouds = [jets([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [0, 1, 1], [1.0, 2.0, 1.0]), jets([[0.0, 4.0]], [1])]
    numbers = task.watch([(cloud, task.predict(cloud)) for cloud in clouds])
    each = [math.log(1 + math.exp(x)) for x in (-2, 1, -1, -4)]
    assert numbers["loss"] == pytest.approx((each[0] + 2 * each[1] + each[2] + each[3]) / 5)
    assert numbers["accuracy"] == 0.75


def test_watching_nothing_is_one_sentence() -> None:
    with pytest.raises(JetkitError, match="no usable validation jets"):
        Classify(Given(2)).watch([])


def test_a_task_can_be_asked_through_its_call() -> None:
    task, cloud = Classify(Given(2)), jets([[2.0, 0.0]], [0])
    assert torch.equal(task(lambda task: task.predict(cloud))["logits"], task.predict(cloud)["logits"])
