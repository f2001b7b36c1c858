"""ParticleNeXt against weaver-core's, with the same weights on the same jets."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import nn

from jetkit.data.batch import Batch
from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.interchange.layouts.weaver import PARTICLE_NEXT
from jetkit.models.particle_next import ParticleNeXt
from jetkit.tasks.classify import Classify
from jetkit.testing import random_batch

SETS = {len(features): tuple(feature.name for feature in features) for features in FEATURE_SETS.values()}
CLASSES = ("QCD", "W", "top")


def weaver_network(inputs: int) -> nn.Module:
    """weaver-core's network whose weights, scales and running statistics are not the initial ones."""
    pytest.importorskip("weaver", reason="weaver-core is not installed")
    logging.getLogger("weaver").setLevel(logging.ERROR)
    from weaver.nn.model.ParticleNeXt import ParticleNeXt as WeaverParticleNeXt

    network = WeaverParticleNeXt(inputs, num_classes=len(CLASSES), trim=False)
    for key, value in network.state_dict().items():
        if key.endswith("running_var"):
            value.uniform_(0.5, 2.0)
        elif key.endswith("running_mean"):
            value.normal_(0, 0.3)
        elif key.endswith("gamma"):
            value.normal_(0, 0.5)
        elif value.is_floating_point() and value.ndim < 2:
            value.add_(0.2 * torch.randn_like(value))
    return network


def filled(task: Classify, network: nn.Module) -> Classify:
    """The same weights under jetkit's names."""
    wanted, found = task.state_dict(), {}
    for foreign, value in network.state_dict().items():
        name = PARTICLE_NEXT.name(foreign)
        name = name if name.startswith("head.") else f"model.{name}"
        found[name] = value.reshape(wanted[name].shape)
    task.load_state_dict(found)
    return task


def weaver_logits(network: nn.Module, batch: Batch) -> torch.Tensor:
    energy, *momentum = batch.p4.unbind(-1)
    x, vectors = batch.x.mT, torch.stack([*momentum, energy], 1)
    points = x[:, -2:].clone()
    assert network.num_neighbors <= batch.mask.shape[1]
    return network(points, x, vectors, batch.mask[:, None])


@pytest.mark.parametrize(("inputs", "particles"), [(7, (33, 40)), (7, (1, 40)), (17, (1, 12))])
def test_logits_equal_weavers(inputs: int, particles: tuple[int, int]) -> None:
    torch.manual_seed(7)
    spec = Spec.of(SETS[inputs], classes=CLASSES)
    network = weaver_network(inputs).double().eval()
    model = filled(Classify(ParticleNeXt(spec), spec).double(), network).eval()
    batch = random_batch(spec, jets=8, particles=particles, seed=1)
    more = 40 - batch.mask.shape[1]
    padded = batch.with_cloud(
        **{field: nn.functional.pad(getattr(batch, field), (0, 0, 0, more)) for field in ("x", "p4")},
        mask=nn.functional.pad(batch.mask, (0, more)),
    )
    with torch.no_grad():
        expected = weaver_logits(network, padded)
        assert expected.std(0).min() > 1e-3
        torch.testing.assert_close(model(batch), expected, rtol=1e-9, atol=1e-9)


def test_training_equals_weavers_where_nothing_is_padded() -> None:
    torch.manual_seed(7)
    spec = Spec.of(SETS[7], classes=CLASSES)
    network = weaver_network(7).double()
    model = filled(Classify(ParticleNeXt(spec, dropout=0.0), spec).double(), network)
    network.fc[0][2].p = 0.0
    batch = random_batch(spec, jets=4, particles=(34, 34), seed=2)
    expected, logits = weaver_logits(network, batch), model(batch)
    torch.testing.assert_close(logits, expected, rtol=1e-7, atol=1e-7)
    expected.square().sum().backward()
    logits.square().sum().backward()
    gradient = network.layers[1].edge_mlp[2].weight.grad[..., 0, 0]
    torch.testing.assert_close(model.model.layers[1].message[2].weight.grad, gradient, rtol=1e-5, atol=1e-8)


def test_parameters_are_as_many_as_weavers() -> None:
    spec = Spec.of(SETS[7], classes=("QCD", "top"))
    assert Classify(ParticleNeXt(spec), spec).size == 551_496


def test_a_jet_without_particles_has_logits_too() -> None:
    spec = Spec.of(SETS[7], classes=CLASSES)
    batch = random_batch(spec, jets=3, particles=(3, 5))
    mask = batch.mask.clone()
    mask[2] = False
    with torch.no_grad():
        assert Classify(ParticleNeXt(spec), spec).double().eval()(batch.with_cloud(mask=mask)).isfinite().all()


def test_messages_that_heads_cannot_share_are_refused() -> None:
    with pytest.raises(JetkitError, match="message one of heads=7"):
        ParticleNeXt(Spec.of(SETS[7], classes=CLASSES), heads=7)
