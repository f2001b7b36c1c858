"""The network on jet images: what it is given, its sizes, and what the aligned image does not know."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from jetkit.data.spec import Spec
from jetkit.models.jet_image_cnn import JetImageCNN
from jetkit.observables.cloud_images import cloud_images
from jetkit.physics import four_vectors as fv
from jetkit.physics.jet_images import jet_images
from jetkit.registry import create
from jetkit.tasks.classify import Classify
from jetkit.testing import assert_broken, assert_invariant, random_batch

SPEC = Spec.of(("part_deta",), classes=("QCD", "top"))
WINDOW = {"pixels": 20, "half_width": 0.7}


@pytest.fixture(scope="module")
def batch():
    return random_batch(SPEC, jets=6, particles=(1, 30), seed=4)


@pytest.fixture(scope="module")
def model() -> JetImageCNN:
    torch.manual_seed(2)
    return JetImageCNN(SPEC, pixels=22, widths=(6, 5, 4, 3), f=(8, 7)).double().eval()


@pytest.mark.parametrize("align", [True, False])
def test_images_of_a_batch_are_those_of_its_jets(batch, align: bool) -> None:
    batch = batch.with_cloud(p4=torch.where(batch.mask[..., None], batch.p4, 99.0))
    jets = [p4[mask].numpy() for p4, mask in zip(batch.p4, batch.mask, strict=True)]
    alone = [torch.from_numpy(jet_images(jet, [0, len(jet)], align=align, **WINDOW)) for jet in jets]
    assert torch.equal(cloud_images(batch, align=align, **WINDOW)[:, 0], torch.cat(alone))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_images_have_the_type_of_the_momenta_and_no_gradient(batch, dtype) -> None:
    batch = batch.to(dtype=dtype)
    images = cloud_images(batch.with_cloud(p4=batch.p4.requires_grad_()), align=True, **WINDOW)
    assert images.shape == (6, 1, 20, 20)
    assert images.dtype == dtype
    assert not images.requires_grad


def test_image_of_a_jet_without_particles_is_empty(batch) -> None:
    none = batch.with_cloud(mask=torch.zeros_like(batch.mask))
    assert not cloud_images(none, align=True, **WINDOW).any()


@pytest.mark.parametrize(("pixels", "side"), [(40, 10), (37, 9), (32, 8)])
def test_parameters_are_those_of_the_layers(pixels: int, side: int) -> None:
    convolutions = sum(16 * a * b + b for a, b in [(1, 128), (128, 64), (64, 64), (64, 64)])
    perceptron = sum(a * b + b for a, b in [(64 * side**2, 64), (64, 256), (256, 256), (256, 2)])
    with torch.device("meta"):
        task = Classify(create("jet-image-cnn", SPEC, {"pixels": pixels}), SPEC)
    assert task.size == convolutions + perceptron


def test_encodings_are_convolutions_with_pooling_and_a_perceptron(batch, model) -> None:
    x = cloud_images(batch, pixels=22, half_width=0.8, align=True)
    layers = [layer for layer in model.convolutions if isinstance(layer, torch.nn.Conv2d)]
    for number, layer in enumerate(layers):
        x = F.relu(F.conv2d(x, layer.weight, layer.bias, padding=2)[..., 1:, 1:])  # one row and column too many
        x = F.max_pool2d(x, 2) if number in (1, 3) else x
    with torch.no_grad():
        torch.testing.assert_close(model(batch), model.f(x.flatten(1)), rtol=0, atol=1e-12)


def test_a_mirrored_or_shifted_jet_is_the_same(batch, model) -> None:
    pt, eta, phi = fv.pt(batch.p4), fv.eta(batch.p4), fv.phi(batch.p4)
    with torch.no_grad():
        for changed in [(pt, -eta, phi), (pt, eta, -phi), (pt, eta + 0.4, phi), (pt, eta, phi + 3.0)]:
            p4 = fv.from_ptetaphim(*changed, torch.zeros_like(pt)) * batch.mask[..., None]
            torch.testing.assert_close(model(batch.with_cloud(p4=p4)), model(batch), rtol=0, atol=1e-9)


def test_full_size_has_its_symmetries_but_boosts_of_massive_particles_are_seen() -> None:
    jets = random_batch(SPEC, jets=3, particles=(10, 20), seed=5)
    model = JetImageCNN(SPEC)
    for change in ("permutation", "rotation-about-beam", "soft", "collinear"):
        assert_invariant(model, jets, change)
    assert_broken(model, jets, "lorentz", 1e-9)
