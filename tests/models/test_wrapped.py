"""A plain network of a user's as a model."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from jetkit.data.spec import Spec
from jetkit.models import PFN
from jetkit.models.wrapped import Wrapped, wrapped
from jetkit.registry import schema
from jetkit.tasks.classify import Classify
from jetkit.testing import assert_broken, assert_invariant, random_batch

SPEC = Spec.of(("part_deta", "part_dphi"), classes=("QCD", "W", "top"))


class Sum(nn.Module):
    """A layer on the sum over the particles.

    Args:
        width: of the hidden layer
    """

    def __init__(self, features: int, classes: int, width: int = 8, *, momenta: bool = True) -> None:
        super().__init__()
        self.momenta = momenta
        self.layers = nn.Sequential(nn.Linear(features + 4, width), nn.ReLU(), nn.Linear(width, classes))

    def forward(self, x: Tensor, p4: Tensor, mask: Tensor) -> Tensor:
        """Logits."""
        seen = torch.cat([x, self.momenta * p4 / 100], 2)
        return self.layers((seen * mask[..., None]).sum(1))


class Backwards(nn.Module):
    def __init__(self, classes: int, features: int) -> None:
        super().__init__()


def test_its_logits_are_those_of_the_network_and_need_no_head() -> None:
    batch = random_batch(SPEC, jets=4)
    model = wrapped(Sum)(SPEC, width=5).double()
    task = Classify(model, SPEC)
    assert (model.encoded, model.decides, model.size) == (3, True, 6 * 5 + 5 + 5 * 3 + 3)
    assert torch.equal(model(batch), model.net(batch.x, batch.p4, batch.mask))
    assert torch.equal(task(batch), model(batch))
    assert task.size == model.size


def test_it_learns() -> None:
    task = Classify(wrapped(Sum)(SPEC).double(), SPEC)
    task.loss(random_batch(SPEC, jets=9)).total.backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in task.parameters())


def test_its_symmetries_can_be_checked() -> None:
    model, batch = wrapped(Sum)(SPEC), random_batch(SPEC, jets=4)
    for change in ("permutation", "padding"):
        assert_invariant(model, batch, change)
    assert_broken(model, batch, "collinear")


def test_its_own_arguments_are_hyperparameters_with_help() -> None:
    fields = schema(wrapped(Sum)).__dataclass_fields__
    assert list(fields) == ["width", "momenta"]
    assert (fields["width"].default.default, fields["width"].default.description) == (8, "of the hidden layer")


def test_it_is_named_as_the_network() -> None:
    made = wrapped(Sum)
    assert issubclass(made, Wrapped)
    assert (made.__name__, made.__module__, made.__doc__) == (Sum.__name__, Sum.__module__, Sum.__doc__)


@pytest.mark.parametrize("other", [PFN, int, torch.relu, "Sum"])
def test_what_is_a_model_already_or_no_network_stays_as_it_is(other) -> None:
    assert wrapped(other) is None


def test_a_network_that_takes_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Backwards should take \(features, classes, …\) and have forward"):
        wrapped(Backwards)
