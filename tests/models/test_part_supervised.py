"""The attention map of one head of a Particle Transformer, and that it is a Particle Transformer otherwise."""

from __future__ import annotations

import pytest
import torch

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.part import ParT
from jetkit.models.part_supervised import ParTSupervised
from jetkit.tasks.classify import Classify
from jetkit.testing import random_batch

SPEC = Spec.of(("part_pt_log", "part_deta", "part_dphi"), classes=("QCD", "top"))
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
def batch() -> Batch:
    return random_batch(SPEC, jets=40, particles=(1, 20), seed=8)


@pytest.mark.parametrize(("block", "head"), [(0, 0), (1, 2), (2, 1)])
def test_the_map_is_the_softmax_of_the_head(batch, block, head) -> None:
    """As a network has it that computes all jets at once."""
    model = built(supervised_block=block, supervised_head=head).eval()
    with torch.no_grad():
        found = model.with_attention(batch)[1].exp()
        x = torch.zeros(*batch.mask.shape, 12, dtype=torch.float64)
        x[batch.mask] = model.embed(model.norm(batch.x[batch.mask]))
        (bias,) = model.biases(batch, [(torch.arange(len(batch)), batch.mask.shape[1])])
        for earlier in model.blocks[:block]:
            x = earlier(x, bias)
        q, k, _ = model.blocks[block].attention.project(model.blocks[block].norm_attention(x)).split(12, -1)
        q, k = q[..., 4 * head : 4 * head + 4], k[..., 4 * head : 4 * head + 4]
        expected = torch.softmax(q @ k.mT / 2 + bias[:, head], -1)
    pairs = batch.mask[:, :, None] & batch.mask[:, None]
    torch.testing.assert_close(found[pairs], expected[pairs], rtol=0, atol=1e-12)
    torch.testing.assert_close((found * pairs).sum(2)[batch.mask], torch.ones(int(batch.mask.sum())).double())


def test_the_map_is_what_the_network_itself_looks_with(monkeypatch, batch) -> None:
    """In training the weights of all heads are written down before their dropout; ours are among them."""
    model, seen = built(supervised_block=0, supervised_head=2).train(), []
    monkeypatch.setattr(model.blocks[0].attention, "dropout", Recorder(seen))
    _, log_attention = model.with_attention(batch.select(slice(0, 1)))
    n = int(batch.mask[0].sum())
    torch.testing.assert_close(log_attention.exp()[:, :n, :n], seen[0][:, 2], rtol=0, atol=1e-12)


@pytest.mark.parametrize("training", [False, True])
def test_encodings_are_those_of_the_particle_transformer_to_the_bit(batch, training) -> None:
    plain, ours = (built(cls, **options).train(training) for cls, options in ((ParT, {}), (ParTSupervised, LAST)))
    encoded = []
    for ask in (plain, ours, lambda batch: ours.with_attention(batch)[0]):
        torch.manual_seed(1)
        encoded.append(ask(batch))
    assert torch.equal(encoded[0], encoded[1])
    assert torch.equal(encoded[0], encoded[2])


@pytest.mark.parametrize("cls", [ParT, ParTSupervised])
def test_the_first_weights_of_a_head_are_those_of_xavier_without_bias(cls) -> None:
    options = LAST if cls is ParTSupervised else {}
    head = Classify(built(cls, **options), SPEC).head
    assert not head.bias.any()
    limit = (6 / (12 + 2)) ** 0.5  # PyTorch's own is 1/√12, less than half of it
    assert 1 / 12**0.5 < head.weight.abs().max() <= limit


@pytest.mark.parametrize("options", [{"supervised_block": 3}, {"supervised_head": 3}, {"supervision": -1.0}])
def test_a_head_that_is_not_there_and_a_negative_weight_are_refused(options) -> None:
    with pytest.raises(JetkitError, match="supervis"):
        built(**(LAST | options))
