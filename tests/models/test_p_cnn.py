"""P-CNN: one jet at a time with PyTorch's convolutions, and the authors' layout where no place is padded."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.p_cnn import PCNN
from jetkit.registry import create
from jetkit.tasks.classify import Classify
from jetkit.testing import assert_broken, assert_invariant, random_batch

SPEC = Spec.of(tuple(feature.name for feature in FEATURE_SETS["kin"]), classes=("QCD", "top"))


def randomised(model: nn.Module) -> nn.Module:
    """No scale or running statistic at its initial value."""
    for key, value in model.state_dict().items():
        if key.endswith("running_var"):
            value.uniform_(0.5, 2.0)
        elif value.is_floating_point() and value.ndim < 2:
            value.add_(0.2 * torch.randn_like(value))
    return model.double().eval()


@pytest.fixture(scope="module")
def task() -> Classify:
    torch.manual_seed(3)
    return randomised(Classify(PCNN(SPEC), SPEC))


def alone(task: Classify, x: torch.Tensor) -> torch.Tensor:
    """Logits of one jet, whose particles (N, F) are ordered."""
    model = task.model

    def convolve(layer, norm, x, stride=1):
        kernel = layer.layer.weight.unflatten(1, (3, -1)).mT
        return F.relu(norm(F.conv1d(x, kernel, layer.layer.bias, stride, padding=1)))

    x = convolve(model.stem, model.stem_norm, model.norm(x.T[None]))
    for unit in model.units:
        kept = unit.shortcut(x[..., :: unit.stride].mT).mT
        hidden = convolve(unit.convolutions[0], unit.norms[0], x, unit.stride)
        x = kept + convolve(unit.convolutions[1], unit.norms[1], hidden)
    return task.head(model.f(x.sum(-1) / 32))[0]


@pytest.mark.parametrize(("inputs", "count"), [(7, 349_456), (13, 350_044), (17, 350_436)])
def test_parameters_are_as_many_as_published(inputs: int, count: int) -> None:
    spec = Spec.of(tuple(f"part_{i}" for i in range(inputs)), classes=("QCD", "top"))
    with torch.device("meta"):
        assert Classify(create("p-cnn", spec), spec).size == count


def test_each_jet_of_a_batch_is_convolved_alone(task: Classify) -> None:
    batch = random_batch(SPEC, jets=12, particles=(1, 30), seed=1)
    with torch.no_grad():
        expected = [alone(task, x[mask]) for x, mask in zip(batch.x, batch.mask, strict=True)]
        assert torch.stack(expected).std(0).min() > 1e-3
        torch.testing.assert_close(task(batch), torch.stack(expected), rtol=1e-10, atol=1e-10)


def test_only_the_hardest_particles_are_seen(task: Classify) -> None:
    batch = random_batch(SPEC, jets=3, particles=(140, 150), seed=2)
    cut = batch.with_cloud(x=batch.x[:, :128], p4=batch.p4[:, :128], mask=batch.mask[:, :128])
    with torch.no_grad():
        assert torch.equal(task(batch), task(cut))
        expected = torch.stack([alone(task, x) for x in cut.x])  # the mean over all 32 places
        torch.testing.assert_close(task(cut), expected, rtol=1e-10, atol=1e-10)


def test_order_of_pt_matters_and_that_of_storage_does_not(task: Classify) -> None:
    batch = random_batch(SPEC, jets=6, particles=(10, 20), seed=5)
    assert_invariant(task, batch, "permutation", 1e-10)
    reverse = torch.arange(batch.mask.shape[1]).expand_as(batch.mask)
    reverse = torch.where(batch.mask, batch.mask.sum(1, keepdim=True) - 1 - reverse, reverse)
    softest_first = batch.with_cloud(p4=batch.p4.take_along_dim(reverse.unsqueeze(-1), 1))
    with torch.no_grad():
        assert ((task(softest_first) - task(batch)).abs().amax(1) > 1e-6).all()


def test_full_size_ignores_padding_and_is_not_safe(task: Classify) -> None:
    batch = random_batch(SPEC, jets=6, particles=(10, 20), seed=5)
    assert_invariant(task, batch, "padding", 1e-10)
    for change in ("soft", "collinear"):
        assert_broken(task, batch, change)


def test_batch_normalisation_in_training_sees_no_padding(task: Classify) -> None:
    batch = random_batch(SPEC, jets=6, particles=(10, 20), seed=5)
    fresh = randomised(PCNN(SPEC)).train()
    fresh.norm.momentum = None  # the running mean is that of this batch
    fresh.norm.reset_running_stats()
    fresh(batch)
    torch.testing.assert_close(fresh.norm.running_mean, batch.x[batch.mask].mean(0))


def test_no_length_is_refused() -> None:
    with pytest.raises(JetkitError, match="p-cnn needs length >= 1, got 0"):
        PCNN(SPEC, length=0)
