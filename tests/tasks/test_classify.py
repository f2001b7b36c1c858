"""Naming classes: a loss whose value is known, signed weights, and what the log tells."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec, TargetSpec
from jetkit.errors import JetkitError
from jetkit.models.model import Encoder
from jetkit.tasks.classify import Classify
from jetkit.training.machine import Door


class Given(Encoder):
    """A model whose logits are the first particle's features."""

    decides: ClassVar[bool] = True

    def __init__(self, classes: int) -> None:
        names = tuple(f"c{index}" for index in range(classes))
        super().__init__(Spec.of(features=names, classes=names))
        self.encoded = classes

    def encode(self, batch: Batch) -> Tensor:
        return batch.x[:, 0]


class Plain(Given):
    """The same, whose vector a head follows."""

    decides: ClassVar[bool] = False


def named(classes: int, **options: Any) -> Classify:
    model = Given(classes)
    return Classify(model, model.spec, **options)


def jets(logits: list[list[float]], label: list[int], weight: list[float] | None = None) -> Batch:
    x = torch.tensor(logits).unsqueeze(1)
    weights = torch.ones(len(label)) if weight is None else torch.tensor(weight)
    return Batch.of(x, torch.ones(x.shape[:2], dtype=torch.bool), label=torch.tensor(label), weight=weights)


def test_the_loss_of_ignorance_is_the_logarithm_of_the_number_of_classes() -> None:
    loss = named(4).loss(jets([[0.0] * 4] * 3, [0, 1, 3])).total
    assert loss.item() == pytest.approx(math.log(4))


def test_the_loss_is_a_weighted_mean() -> None:
    a, b = math.log(1 + math.exp(-2)), math.log(1 + math.exp(1))
    batch = jets([[2.0, 0.0], [1.0, 0.0]], [0, 1], [3.0, 1.0])
    assert named(2).loss(batch).total.item() == pytest.approx((3 * a + b) / 4)


def test_a_jet_of_weight_0_does_not_count() -> None:
    batch = jets([[2.0, 0.0], [1.0, 0.0]], [0, 1], [0.0, 5.0])
    assert named(2).loss(batch).total.item() == pytest.approx(math.log(1 + math.exp(1)))


LOGITS = [[2.0, 0.0, 1.0], [1.0, -1.0, 0.5], [0.3, 0.2, -2.0], [0.0, 4.0, 1.0]]


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_signed_weights_give_the_loss_of_a_slow_twin(smoothing: float) -> None:
    label, weight = [0, 2, 1, 1], [1.5, -0.5, 2.0, -1.0]
    total = 0.0
    for row, true, w in zip(LOGITS, label, weight, strict=True):
        for c, z in enumerate(row):
            wanted = (1 - smoothing) * (c == true) + smoothing / 3
            total -= w * wanted * (z - math.log(sum(math.exp(other) for other in row)))
    found = named(3, smoothing=smoothing).loss(jets(LOGITS, label, weight)).total
    assert found.item() == pytest.approx(total / sum(abs(w) for w in weight), rel=1e-5)


def test_two_equal_jets_of_opposite_weights_change_the_norm_alone() -> None:
    """The numerator stays, as an event and its counter-event ask; the sum of |w| grows by theirs."""
    label, weight = [0, 2, 1, 1], [1.5, -0.5, 2.0, -1.0]
    alone = named(3).loss(jets(LOGITS, label, weight)).total.item() * 5
    pair = named(3).loss(jets([*LOGITS, *[[7.0, -3.0, 0.1]] * 2], [*label, 1, 1], [*weight, 3.0, -3.0]))
    assert pair.total.item() * 11 == pytest.approx(alone, rel=1e-5)


def test_a_jet_of_negative_weight_pushes_the_other_way() -> None:
    head = Classify(Plain(2), Plain(2).spec)
    batch = jets([[2.0, 0.0], [1.0, 3.0]], [0, 1])
    grads = []
    for sign in (1.0, -1.0):
        head.zero_grad()
        head.loss(batch.replace(weight=sign * batch.weight)).total.backward()
        assert head.head.weight.grad is not None
        grads.append(head.head.weight.grad.clone())
    torch.testing.assert_close(grads[0], -grads[1])
    assert grads[0].any()


def test_smoothing_mixes_the_target_with_the_even_one() -> None:
    p = torch.tensor([3.0, 0.0, 0.0]).softmax(0)
    expected = -(0.9 + 0.1 / 3) * math.log(p[0]) - 0.1 / 3 * (math.log(p[1]) + math.log(p[2]))
    loss = named(3, smoothing=0.1).loss(jets([[3.0, 0.0, 0.0]], [0])).total
    assert loss.item() == pytest.approx(expected)


def test_parts_are_the_losses_to_log() -> None:
    losses = named(2).loss(jets([[1.0, 0.0]], [0]))
    assert {name: part.item() for name, part in losses.parts.items()} == {"cross_entropy": losses.total.item()}
    assert not losses.parts["cross_entropy"].requires_grad


def test_watch_is_the_mean_over_all_jets_whatever_the_batches() -> None:
    task = named(2, smoothing=0.3)
    batches = [jets([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [0, 1, 1], [1.0, 2.0, 1.0]), jets([[0.0, 4.0]], [1])]
    numbers = task.watch([(batch, task.predict(batch)) for batch in batches])
    each = [math.log(1 + math.exp(x)) for x in (-2, 1, -1, -4)]
    assert numbers["loss"] == pytest.approx((each[0] + 2 * each[1] + each[2] + each[3]) / 5)
    assert numbers["accuracy"] == 0.75


def test_the_target_may_be_another_column_than_the_label() -> None:
    spec = Spec(Spec.of(("c0", "c1")).sets, targets={"jet_kind": TargetSpec("class", classes=("a", "b"))})
    task = Classify(Given(2), spec, target="jet_kind")
    batch = jets([[2.0, 0.0]], [1]).with_targets(jet_kind=torch.tensor([0]))
    assert task.loss(batch).total.item() == pytest.approx(math.log(1 + math.exp(-2)))
    assert list(task.heads) == ["jet_kind"]
    assert Classify.needs_of({"target": "jet_kind"}).targets == ("jet_kind",)


@pytest.mark.parametrize(
    ("options", "message"), [({"target": "jet_kind"}, "two classes"), ({"smoothing": 1.0}, "below 1")]
)
def test_what_cannot_be_learned_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        named(2, **options)


def test_watching_nothing_is_one_sentence() -> None:
    with pytest.raises(JetkitError, match="no usable validation jets"):
        named(2).watch([])


def test_a_task_can_be_asked_through_the_door() -> None:
    task, batch = named(2), jets([[2.0, 0.0]], [0])
    assert torch.equal(Door(task)(lambda task: task.predict(batch))["logits"], task.predict(batch)["logits"])
