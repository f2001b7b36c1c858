"""The network on jet images: what it is given, its sizes, and what the aligned image does not know."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from jetkit.data.cloud import CloudSpec
from jetkit.models.cloud_images import cloud_images
from jetkit.models.jet_image_cnn import JetImageCNN
from jetkit.physics import four_vectors as fv
from jetkit.physics.jet_images import jet_images
from jetkit.registry import create
from jetkit.testing import assert_broken, assert_invariant, random_cloud

SPEC = CloudSpec(("part_deta",), classes=("QCD", "top"))
WINDOW = {"pixels": 20, "half_width": 0.7}


@pytest.fixture(scope="module")
def cloud():
    return random_cloud(SPEC, jets=6, particles=(1, 30), seed=4)


@pytest.fixture(scope="module")
def model() -> JetImageCNN:
    torch.manual_seed(2)
    return JetImageCNN(SPEC, pixels=22, widths=(6, 5, 4, 3), f=(8, 7)).double().eval()


@pytest.mark.parametrize("align", [True, False])
def test_images_of_a_batch_are_those_of_its_jets(cloud, align: bool) -> None:
    cloud = cloud.replace(p4=torch.where(cloud.mask[..., None], cloud.p4, 99.0))
    jets = [p4[mask].numpy() for p4, mask in zip(cloud.p4, cloud.mask, strict=True)]
    alone = [torch.from_numpy(jet_images(jet, [0, len(jet)], align=align, **WINDOW)) for jet in jets]
    assert torch.equal(cloud_images(cloud, align=align, **WINDOW)[:, 0], torch.cat(alone))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_images_have_the_type_of_the_momenta_and_no_gradient(cloud, dtype) -> None:
    cloud = cloud.to(dtype=dtype)
    images = cloud_images(cloud.replace(p4=cloud.p4.requires_grad_()), align=True, **WINDOW)
    assert images.shape == (6, 1, 20, 20)
    assert images.dtype == dtype
    assert not images.requires_grad


def test_image_of_a_jet_without_particles_is_empty(cloud) -> None:
    none = cloud.replace(mask=torch.zeros_like(cloud.mask))
    assert not cloud_images(none, align=True, **WINDOW).any()


@pytest.mark.parametrize(("pixels", "side"), [(40, 10), (37, 9), (32, 8)])
def test_parameters_are_those_of_the_layers(pixels: int, side: int) -> None:
    convolutions = sum(16 * a * b + b for a, b in [(1, 128), (128, 64), (64, 64), (64, 64)])
    perceptron = sum(a * b + b for a, b in [(64 * side**2, 64), (64, 256), (256, 256), (256, 2)])
    with torch.device("meta"):
        model = create("jet-image-cnn", SPEC, {"pixels": pixels})
    assert sum(weight.numel() for weight in model.parameters()) == convolutions + perceptron


def test_logits_are_convolutions_with_pooling_and_a_perceptron(cloud, model) -> None:
    x = cloud_images(cloud, pixels=22, half_width=0.8, align=True)
    layers = [layer for layer in model.convolutions if isinstance(layer, torch.nn.Conv2d)]
    for number, layer in enumerate(layers):
        x = F.relu(F.conv2d(x, layer.weight, layer.bias, padding=2)[..., 1:, 1:])  # one row and column too many
        x = F.max_pool2d(x, 2) if number in (1, 3) else x
    with torch.no_grad():
        torch.testing.assert_close(model(cloud), model.head(model.f(x.flatten(1))), rtol=0, atol=1e-12)


def test_a_mirrored_or_shifted_jet_is_the_same(cloud, model) -> None:
    pt, eta, phi = fv.pt(cloud.p4), fv.eta(cloud.p4), fv.phi(cloud.p4)
    with torch.no_grad():
        for changed in [(pt, -eta, phi), (pt, eta, -phi), (pt, eta + 0.4, phi), (pt, eta, phi + 3.0)]:
            p4 = fv.from_ptetaphim(*changed, torch.zeros_like(pt)) * cloud.mask[..., None]
            torch.testing.assert_close(model(cloud.replace(p4=p4)), model(cloud), rtol=0, atol=1e-9)


def test_full_size_has_its_symmetries_but_boosts_of_massive_particles_are_seen() -> None:
    jets = random_cloud(SPEC, jets=3, particles=(10, 20), seed=5)
    model = JetImageCNN(SPEC)
    for change in ("permutation", "rotation-about-beam", "soft", "collinear"):
        assert_invariant(model, jets, change)
    assert_broken(model, jets, "lorentz", 1e-9)
