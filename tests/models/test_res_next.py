"""ResNeXt: the block group by group, the sizes of the stages, and the image that it is given."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.res_next import Bottleneck, ResNeXt
from jetkit.observables.cloud_images import cloud_images
from jetkit.physics import four_vectors as fv
from jetkit.registry import create
from jetkit.tasks.classify import Classify
from jetkit.testing import assert_broken, assert_invariant, random_batch

SPEC = Spec.of(("part_deta",), classes=("QCD", "top"))
TINY = {"stem": 8, "widths": (16, 32), "depths": (2, 1), "groups": 4}


@pytest.fixture(scope="module")
def batch():
    return random_batch(SPEC, jets=4, particles=(1, 30), seed=4)


def randomised(model: nn.Module) -> nn.Module:
    for key, value in model.state_dict().items():
        if key.endswith("running_var"):
            value.uniform_(0.5, 2.0)
        elif value.is_floating_point() and value.ndim < 2:
            value.add_(0.2 * torch.randn_like(value))
    return model.double().eval()


@pytest.mark.parametrize(("features", "stride", "first"), [(16, 1, False), (8, 2, True), (16, 1, True)])
def test_a_block_keeps_groups_of_channels_apart(features: int, stride: int, first: bool) -> None:
    torch.manual_seed(1)
    block = randomised(Bottleneck(features, 16, groups=4, stride=stride, first=first))
    x = torch.randn(3, features, 7, 7).double()
    layer, norm = block.grouped
    y = F.relu(block.reduce(x)).split(2, dim=1)
    kernels = layer.weight.split(2, dim=0)
    y = [F.conv2d(part, kernel, stride=stride, padding=1) for part, kernel in zip(y, kernels, strict=True)]
    shortcut = block.shortcut(x)[..., : y[0].shape[2], : y[0].shape[3]] if first else x
    expected = F.relu(shortcut + block.expand(F.relu(norm(torch.cat(y, 1)))))
    torch.testing.assert_close(block(x), expected, rtol=0, atol=1e-12)


def test_full_size_has_50_layers_and_a_quarter_of_the_channels() -> None:
    with torch.device("meta"):
        model = Classify(create("res-next", SPEC), SPEC)
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(layers) - 4 == 50  # four are shortcuts
    assert model.size == 1_457_314
    grouped = {(layer.in_channels, layer.groups) for layer in layers[:-1] if layer.groups > 1}
    assert grouped == {(128 // 4, 32), (256 // 4, 32), (512 // 4, 32), (1024 // 4, 32)}


def test_sizes_of_the_image_after_each_stage(batch) -> None:
    model, x = ResNeXt(SPEC).double().eval(), torch.zeros(1, 1, 64, 64).double()
    sizes = [tuple((x := layer(x)).shape[1:]) for layer in [model.stem, *model.blocks]]
    assert list(dict.fromkeys(sizes)) == [(64, 16, 16), (128, 8, 8), (256, 4, 4), (512, 2, 2)]


def test_pixels_are_pt_in_gev_of_the_jet_as_it_lies(batch) -> None:
    model = randomised(ResNeXt(SPEC, pixels=32, **TINY))
    seen = []
    model.stem.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    model(batch)
    share = cloud_images(batch, pixels=32, half_width=0.8, align=False)
    pt = torch.stack([fv.pt(p4[mask]).sum() for p4, mask in zip(batch.p4, batch.mask, strict=True)])
    torch.testing.assert_close(seen[0], share * pt.view(-1, 1, 1, 1), rtol=1e-12, atol=0)


def test_full_size_has_its_symmetries_and_sees_a_mirrored_jet() -> None:
    jets = random_batch(SPEC, jets=3, particles=(10, 20), seed=5)
    torch.manual_seed(1)
    model = ResNeXt(SPEC)
    for change in ("permutation", "rotation-about-beam", "padding", "collinear", "soft"):
        assert_invariant(model, jets, change)
    assert_broken(model, jets, "lorentz", 1e-9)
    mirrored = jets.with_cloud(p4=jets.p4 * torch.tensor([1.0, 1.0, 1.0, -1.0]))
    model = model.double().eval()
    assert not torch.allclose(model(mirrored), model(jets), rtol=1e-6, atol=0)


def test_stages_without_a_depth_are_refused() -> None:
    with pytest.raises(JetkitError, match="the encoder res-next cannot be made"):
        create("res-next", SPEC, {"depths": (3, 4)})
