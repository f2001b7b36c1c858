"""jetkit's models against weaver-core's, with the same weights on the same jets."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest
import torch
from torch import nn

from jetkit.data.batch import Batch
from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Spec
from jetkit.interchange.foreign import import_model
from jetkit.testing import random_batch

CLASSES = ("QCD", "W", "top")
SETS = {len(features): tuple(feature.name for feature in features) for features in FEATURE_SETS.values()}
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-9}


class WeaverPFN(nn.Module):
    """The PFN of arXiv:2202.03772, which weaver-core lacks: convolutions of length 1, a sum, and a perceptron."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        widths = (inputs, 128, 128, 128)
        self.phi = nn.Sequential(
            *(nn.Sequential(nn.Conv1d(a, b, 1), nn.Identity(), nn.ReLU()) for a, b in pairwise(widths))
        )
        layers = [nn.Sequential(nn.Linear(128, 128), nn.ReLU()) for _ in range(3)]
        self.fc = nn.Sequential(*layers, nn.Linear(128, classes))

    def forward(self, x, mask):
        return self.fc((self.phi(x) * mask).sum(-1))


def weaver_model(name: str, inputs: int, classes: int) -> nn.Module:
    if name == "pfn":
        return WeaverPFN(inputs, classes)
    pytest.importorskip("weaver", reason="weaver-core is not installed")
    logging.getLogger("weaver").setLevel(logging.ERROR)
    if name == "part":
        from weaver.nn.model.ParticleTransformer import ParticleTransformer

        return ParticleTransformer(inputs, classes, use_pre_activation_pair=False, trim=False)
    from weaver.nn.model.ParticleNet import ParticleNet

    blocks = [(16, (width,) * 3) for width in (64, 128, 256)]
    return ParticleNet(inputs, classes, blocks, [(256, 0.1)], use_fusion=False, trim=False)


def weaver_logits(name: str, model: nn.Module, batch: Batch) -> torch.Tensor:
    x, mask = batch.x.mT, batch.mask[:, None]
    E, *momentum = batch.p4.unbind(-1)
    inputs = {"part": (x, torch.stack([*momentum, E], 1), mask), "particle-net": (x[:, -2:], x, mask), "pfn": (x, mask)}
    with torch.no_grad():
        return model.eval()(*inputs[name])


def randomise(model: nn.Module) -> None:
    """No weight, scale or running statistic at its initial value."""
    for key, value in model.state_dict().items():
        if key.endswith("running_var"):
            value.uniform_(0.5, 2.0)
        elif key.endswith("running_mean"):
            value.normal_(0, 0.3)
        elif value.is_floating_point() and value.ndim < 2:
            value.add_(0.2 * torch.randn_like(value))


@pytest.mark.parametrize(("inputs", "particles"), [(7, (1, 40)), (13, (10, 40)), (17, (1, 12))])
@pytest.mark.parametrize("name", ["part", "particle-net", "pfn"])
def test_logits_equal_weavers(tmp_path, name: str, inputs: int, particles: tuple[int, int]) -> None:
    torch.manual_seed(7)
    weaver = weaver_model(name, inputs, len(CLASSES))
    randomise(weaver)
    path = tmp_path / "weaver.pt"
    torch.save({f"mod.{key}": value for key, value in weaver.state_dict().items()}, path)
    model, card = import_model(path, "weaver", classes=CLASSES)
    assert card.model == name
    batch = random_batch(Spec.of(SETS[inputs], classes=CLASSES), jets=12, particles=particles, seed=1)
    padded = batch.with_cloud(
        **{field: nn.functional.pad(getattr(batch, field), (0, 0, 0, 10)) for field in ("x", "p4")},
        mask=nn.functional.pad(batch.mask, (0, 10)),
    )
    for precision, tolerance in TOLERANCE.items():
        weaver, model = weaver.to(precision), model.to(precision)
        expected = weaver_logits(name, weaver, padded.to(dtype=precision))
        with torch.no_grad():
            logits = model(batch.to(dtype=precision))
        assert expected.std(0).min() > 10 * tolerance
        torch.testing.assert_close(logits, expected, rtol=tolerance, atol=tolerance)
