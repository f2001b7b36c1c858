"""ParticleNeXt against weaver-core's, with the same weights on the same jets."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import nn

from jetkit.data.cloud import Cloud, CloudSpec
from jetkit.data.features import FEATURE_SETS
from jetkit.errors import JetkitError
from jetkit.models.particle_next import ParticleNeXt
from jetkit.testing import random_cloud
from jetkit.train.layouts.weaver import PARTICLE_NEXT

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


def filled(model: ParticleNeXt, network: nn.Module) -> ParticleNeXt:
    """The same weights under jetkit's names."""
    wanted, found = model.state_dict(), {}
    for foreign, value in network.state_dict().items():
        name = PARTICLE_NEXT.name(foreign)
        found[name] = value.reshape(wanted[name].shape)
    model.load_state_dict(found)
    return model


def weaver_logits(network: nn.Module, cloud: Cloud) -> torch.Tensor:
    energy, *momentum = cloud.p4.unbind(-1)
    x, vectors = cloud.x.mT, torch.stack([*momentum, energy], 1)
    points = x[:, -2:].clone()
    assert network.num_neighbors <= cloud.mask.shape[1]
    return network(points, x, vectors, cloud.mask[:, None])


@pytest.mark.parametrize(("inputs", "particles"), [(7, (33, 40)), (7, (1, 40)), (17, (1, 12))])
def test_logits_equal_weavers(inputs: int, particles: tuple[int, int]) -> None:
    torch.manual_seed(7)
    spec = CloudSpec(SETS[inputs], classes=CLASSES)
    network = weaver_network(inputs).double().eval()
    model = filled(ParticleNeXt(spec).double(), network).eval()
    cloud = random_cloud(spec, jets=8, particles=particles, seed=1)
    more = 40 - cloud.mask.shape[1]
    padded = cloud.replace(
        **{field: nn.functional.pad(getattr(cloud, field), (0, 0, 0, more)) for field in ("x", "p4")},
        mask=nn.functional.pad(cloud.mask, (0, more)),
    )
    with torch.no_grad():
        expected = weaver_logits(network, padded)
        assert expected.std(0).min() > 1e-3
        torch.testing.assert_close(model(cloud), expected, rtol=1e-9, atol=1e-9)


def test_training_equals_weavers_where_nothing_is_padded() -> None:
    torch.manual_seed(7)
    spec = CloudSpec(SETS[7], classes=CLASSES)
    network = weaver_network(7).double()
    model = filled(ParticleNeXt(spec, dropout=0.0).double(), network)
    network.fc[0][2].p = 0.0
    cloud = random_cloud(spec, jets=4, particles=(34, 34), seed=2)
    expected, logits = weaver_logits(network, cloud), model(cloud)
    torch.testing.assert_close(logits, expected, rtol=1e-7, atol=1e-7)
    expected.square().sum().backward()
    logits.square().sum().backward()
    gradient = network.layers[1].edge_mlp[2].weight.grad[..., 0, 0]
    torch.testing.assert_close(model.layers[1].message[2].weight.grad, gradient, rtol=1e-5, atol=1e-8)


def test_parameters_are_as_many_as_weavers() -> None:
    model = ParticleNeXt(CloudSpec(SETS[7], classes=("QCD", "top")))
    assert sum(parameter.numel() for parameter in model.parameters()) == 551_496


def test_a_jet_without_particles_has_logits_too() -> None:
    cloud = random_cloud(CloudSpec(SETS[7], classes=CLASSES), jets=3, particles=(3, 5))
    mask = cloud.mask.clone()
    mask[2] = False
    with torch.no_grad():
        assert (
            ParticleNeXt(CloudSpec(SETS[7], classes=CLASSES)).double().eval()(cloud.replace(mask=mask)).isfinite().all()
        )


def test_messages_that_heads_cannot_share_are_refused() -> None:
    with pytest.raises(JetkitError, match="message one of heads=7"):
        ParticleNeXt(CloudSpec(SETS[7], classes=CLASSES), heads=7)
