"""The attention map of one head of a Particle Transformer, and that it is a Particle Transformer otherwise."""

from __future__ import annotations

import pytest
import torch

from jetkit.data.cloud import Cloud, CloudSpec
from jetkit.errors import JetkitError
from jetkit.models.part import ParT
from jetkit.models.part_supervised import ParTSupervised
from jetkit.testing import random_cloud

SPEC = CloudSpec(("part_pt_log", "part_deta", "part_dphi"), classes=("QCD", "top"))
TINY = {"width": 12, "depth": 3, "heads": 3, "pair_widths": (8,), "dropout": 0.2}
LAST = {"supervised_block": 2}


def built(cls=ParTSupervised, **options) -> ParT:
    torch.manual_seed(4)
    return cls(SPEC, **TINY, **options).double()


class Recorder(torch.nn.Module):
    """In the place of a dropout: keeps what it gets."""

    rate = 0.1

    def __init__(self, seen: list[torch.Tensor]) -> None:
        super().__init__()
        self.seen = seen

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        self.seen.append(weight)
        return weight


@pytest.fixture
def cloud() -> Cloud:
    return random_cloud(SPEC, jets=40, particles=(1, 20), seed=8)


@pytest.mark.parametrize(("block", "head"), [(0, 0), (1, 2), (2, 1)])
def test_the_map_is_the_softmax_of_the_head(cloud, block, head) -> None:
    """As a network has it that computes all jets at once."""
    model = built(supervised_block=block, supervised_head=head).eval()
    with torch.no_grad():
        found = model.with_attention(cloud)[1].exp()
        x = torch.zeros(*cloud.mask.shape, 12, dtype=torch.float64)
        x[cloud.mask] = model.embed(model.norm(cloud.x[cloud.mask]))
        (bias,) = model.biases(cloud, [(torch.arange(len(cloud)), cloud.mask.shape[1])])
        for earlier in model.blocks[:block]:
            x = earlier(x, bias)
        q, k, _ = model.blocks[block].attention.project(model.blocks[block].norm_attention(x)).split(12, -1)
        q, k = q[..., 4 * head : 4 * head + 4], k[..., 4 * head : 4 * head + 4]
        expected = torch.softmax(q @ k.mT / 2 + bias[:, head], -1)
    pairs = cloud.mask[:, :, None] & cloud.mask[:, None]
    torch.testing.assert_close(found[pairs], expected[pairs], rtol=0, atol=1e-12)
    torch.testing.assert_close((found * pairs).sum(2)[cloud.mask], torch.ones(int(cloud.mask.sum())).double())


def test_the_map_is_what_the_network_itself_looks_with(monkeypatch, cloud) -> None:
    """In training the weights of all heads are written down before their dropout; ours are among them."""
    model, seen = built(supervised_block=0, supervised_head=2).train(), []
    monkeypatch.setattr(model.blocks[0].attention, "dropout", Recorder(seen))
    _, log_attention = model.with_attention(cloud.select(slice(0, 1)))
    n = int(cloud.mask[0].sum())
    torch.testing.assert_close(log_attention.exp()[:, :n, :n], seen[0][:, 2], rtol=0, atol=1e-12)


@pytest.mark.parametrize("training", [False, True])
def test_logits_are_those_of_the_particle_transformer_to_the_bit(cloud, training) -> None:
    plain, ours = (built(cls, **options).train(training) for cls, options in ((ParT, {}), (ParTSupervised, LAST)))
    logits = []
    for ask in (plain, ours, lambda cloud: ours.with_attention(cloud)[0]):
        torch.manual_seed(1)
        logits.append(ask(cloud))
    assert torch.equal(logits[0], logits[1])
    assert torch.equal(logits[0], logits[2])


@pytest.mark.parametrize("options", [{"supervised_block": 3}, {"supervised_head": 3}, {"supervision": -1.0}])
def test_a_head_that_is_not_there_and_a_negative_weight_are_refused(options) -> None:
    with pytest.raises(JetkitError, match="supervis"):
        built(**(LAST | options))
