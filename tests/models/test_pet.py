"""PET: its layers against slow twins, its drawings, and what the noise must not show."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Spec
from jetkit.models.pet import PET, Neighbourhood, ScaledBlock, TimeEmbedding, jet_numbers
from jetkit.nn.attention import padding_bias
from jetkit.testing import random_batch

SPEC = Spec.of(tuple(feature.name for feature in FEATURE_SETS["kinpid"]), classes=("QCD", "top", "W"))


@pytest.fixture
def model() -> PET:
    torch.manual_seed(1)
    made = PET(SPEC, width=16, depth=2, heads=2, neighbours=3, scale=0.5).double().eval()
    for parameter in made.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return made


def test_a_neighbourhood_is_the_mean_over_edges() -> None:
    torch.manual_seed(2)
    layer = Neighbourhood(3, 4).double()
    x, neighbours = torch.randn(4, 3, dtype=torch.float64), torch.tensor([[1, 2], [0, 4], [4, 4], [1, 0]])
    for i in range(4):
        edges = [torch.cat([x[i], x[j] - x[i]]) for j in neighbours[i].tolist() if j < 4]
        said = [F.gelu(layer.leave(F.gelu(layer.enter(edge)))) for edge in edges]
        wanted = torch.stack(said).mean(0) if said else torch.zeros(4, dtype=torch.float64)
        torch.testing.assert_close(layer(x, neighbours)[i], wanted)


def test_a_block_with_a_small_scale_is_the_identity_and_a_larger_one_is_not() -> None:
    torch.manual_seed(3)
    x, mask = torch.randn(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)
    small, large = (ScaledBlock(8, 2, scale)(x, padding_bias(mask, x.dtype)) - x for scale in (1e-5, 1.0))
    assert small.abs().max() < 1e-4
    assert large.abs().max() > 1e-1


def test_time_zero_is_no_time(model: PET) -> None:
    """The waves are multiplied by t and their layers have no bias, so clean jets need no time."""
    batch = random_batch(SPEC, jets=4, seed=4)
    assert not TimeEmbedding(8)(torch.zeros(3)).any()
    x = model.inputs(batch)
    zero = torch.zeros(4, dtype=torch.float64)
    torch.testing.assert_close(model.body(x, batch.mask, zero), model.body(x, batch.mask))
    assert not torch.allclose(model.body(x, batch.mask, zero + 0.5), model.body(x, batch.mask))


def test_jet_numbers_do_not_change_under_rotation_and_reordering() -> None:
    batch = random_batch(SPEC, jets=5, seed=5)
    assert batch.p4 is not None
    energy, px, py, pz = batch.p4.unbind(-1)
    turned = batch.with_cloud(p4=torch.stack([energy, -py, px, pz], -1).flip(1), mask=batch.mask.flip(1))
    torch.testing.assert_close(jet_numbers(turned), jet_numbers(batch))


def test_the_velocity_knows_class_jet_and_time_and_no_other_jet(model: PET) -> None:
    batch = random_batch(SPEC, jets=3, seed=6)
    jet, label = model.jet_numbers(batch), model.label_vector(torch.tensor([0, 1, -1]))
    assert label.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    time = torch.full((3,), 0.3, dtype=torch.float64)

    def said(time: Tensor = time, jet: Tensor = jet, label: Tensor = label) -> Tensor:
        found: Tensor = model.denoise(model.body(model.inputs(batch), batch.mask, time), batch.mask, time, jet, label)
        return found

    before = said()
    assert not before[~batch.mask].any()
    other = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    for after in (said(time=time + 0.2 * other), said(jet=jet + other[:, None]), said(label=label.roll(1, 1))):
        changed = (after - before).abs().amax((1, 2))
        assert changed[0] > 1e-6
    assert (said(jet=jet + other[:, None]) - before)[1:].abs().max() < 1e-12


def test_drawn_jets_have_the_shapes_and_the_seed_that_were_asked_for(model: PET) -> None:
    model.jet_standard.mean[3] = 2.0  # some seven particles
    torch.manual_seed(7)
    drawn = model.sample(None, 20, longest=6, steps=2)
    assert drawn.x.shape == (20, drawn.mask.shape[1], 3)
    count = drawn.mask.sum(1)
    assert 1 <= count.min() <= count.max() <= 6
    assert (drawn.x[..., 0][drawn.mask] > 0).all()
    assert not drawn.x[~drawn.mask].any()
    assert "label" in drawn.targets
    assert set(drawn.label.tolist()) == set(range(len(model.spec.classes)))
    torch.manual_seed(7)
    assert torch.equal(model.sample(None, 20, longest=6, steps=2).x, drawn.x)


def test_of_data_without_classes_it_draws_jets() -> None:
    model = PET(Spec.of(SPEC.features), width=16, depth=2, heads=2, neighbours=3).double().eval()
    drawn = model.sample(None, 3, longest=5, steps=1)
    assert drawn.mask.any(1).all()
    assert "label" not in drawn.targets
    assert model(random_batch(model.spec, jets=2)).isfinite().all()


def test_the_classes_of_a_context_are_drawn(model: PET) -> None:
    context = random_batch(SPEC, jets=5, seed=8).with_targets(label=torch.tensor([2, 0, 0, 1, 2]))
    drawn = model.sample(context, 5, longest=5, steps=1)
    assert drawn.label.tolist() == [2, 0, 0, 1, 2]
    model.shares.zero_()  # what it draws by itself does not count
    assert torch.equal(model.sample(context, 5, longest=5, steps=1).label, context.label)


def test_a_model_that_knows_no_shares_of_classes_draws_jets(model: PET) -> None:
    model.shares.zero_()
    drawn = model.sample(None, 3, longest=5, steps=1)
    assert drawn.mask.any(1).all()
    assert "label" not in drawn.targets
