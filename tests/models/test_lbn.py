"""Lorentz Boost Network: the boosts, the features, and decays at rest."""

from __future__ import annotations

import pytest
import torch

from jetkit.data.spec import Spec
from jetkit.models.lbn import LBN, boosted_features, in_rest_frame
from jetkit.physics import four_vectors as fv
from jetkit.tasks.classify import Classify
from jetkit.testing import random_batch

SPEC = Spec.of(("part_deta",), classes=("QCD", "top"))


@pytest.fixture(scope="module")
def batch():
    return random_batch(SPEC, jets=6, particles=(4, 12), seed=4)


def momenta(seed: int, *shape: int) -> torch.Tensor:
    """Massive momenta of some 100 GeV."""
    random = torch.Generator().manual_seed(seed)
    p = 100 * torch.randn(*shape, 3, generator=random, dtype=torch.float64)
    mass = 5 + 50 * torch.rand(*shape, 1, generator=random, dtype=torch.float64)
    return torch.cat([(p.square().sum(-1, keepdim=True) + mass**2).sqrt(), p], -1)


def test_the_boost_is_that_by_the_velocity_of_the_frame() -> None:
    p4, frame = momenta(1, 40), momenta(2, 40)
    expected = fv.boost(p4, -frame[:, 1:] / frame[:, :1])
    torch.testing.assert_close(in_rest_frame(p4, frame), expected, rtol=1e-10, atol=1e-9)


def test_a_vector_at_rest_in_its_own_frame_is_its_mass() -> None:
    p4 = momenta(3, 40)
    expected = torch.cat([fv.mass(p4)[:, None], torch.zeros(40, 3, dtype=torch.float64)], 1)
    assert ((in_rest_frame(p4, p4) - expected).abs() <= 1e-10 * p4[:, :1]).all()


def test_a_frame_at_rest_changes_nothing() -> None:
    p4, rest = momenta(4, 40), torch.tensor([7.0, 0, 0, 0], dtype=torch.float64).expand(40, 4)
    torch.testing.assert_close(in_rest_frame(p4, rest), p4)


def test_two_daughters_are_back_to_back_in_the_frame_of_their_mother() -> None:
    daughters = momenta(5, 40, 2)
    features = boosted_features(in_rest_frame(daughters, daughters.sum(1, keepdim=True)))
    torch.testing.assert_close(features[:, -1], -torch.ones(40, dtype=torch.float64))
    torch.testing.assert_close(features[:, :2].sum(1), fv.mass(daughters.sum(1)))


def test_features_are_five_of_each_vector_and_a_cosine_of_each_pair() -> None:
    p4 = momenta(6, 3, 4)
    features = boosted_features(p4)
    assert features.shape == (3, 5 * 4 + 6)
    torch.testing.assert_close(features[:, 16:20], (p4[..., 0] ** 2 - p4[..., 1:].square().sum(-1)).sqrt())
    pairs = [(i, j) for i in range(4) for j in range(i)]
    for column, (i, j) in enumerate(pairs, start=20):
        cosine = torch.cosine_similarity(p4[:, i, 1:], p4[:, j, 1:])
        torch.testing.assert_close(features[:, column], cosine)


def test_encodings_are_those_of_the_steps_written_out(batch) -> None:
    torch.manual_seed(1)
    model = LBN(SPEC, constituents=12, combinations=3, f=(8,)).double().eval()
    jets = []
    for jet in batch.p4:
        particles = [sum(w * p4 for w, p4 in zip(row, jet, strict=False)) for row in model.particles]
        frames = [sum(w * p4 for w, p4 in zip(row, jet, strict=False)) for row in model.frames]
        boosted = [fv.boost(p, -q[1:] / q[0]) for p, q in zip(particles, frames, strict=True)]
        jets.append(boosted_features(torch.stack(boosted)[None])[0])
    with torch.no_grad():
        torch.testing.assert_close(model(batch), model.f(torch.stack(jets)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("clip", [False, True])
def test_combinations_are_slower_than_light_whatever_the_weights(batch, clip) -> None:
    model = LBN(SPEC, constituents=12, combinations=50, f=(8,), clip=clip)
    with torch.no_grad():
        model.frames.normal_()
        k = batch.p4.float()
        frames = model._combined(model.frames, k)
        assert ((model.frames @ k)[..., 0] < 0).any()
    assert (frames[..., 0] > frames[..., 1:].norm(dim=-1)).all()
    assert in_rest_frame(model._combined(model.particles, k), frames).isfinite().all()
    clipped = (model.frames.clamp(min=0) @ k)[..., 1:]
    assert clip == torch.allclose(frames[..., 1:], clipped, rtol=1e-4, atol=1e-2)


def test_cosines_and_their_gradient_are_finite_for_vectors_at_rest() -> None:
    p4 = torch.tensor([[[5.0, 0, 0, 0], [5.0, 0, 0, 0]]], requires_grad=True)
    boosted_features(p4).sum().backward()
    assert p4.grad.isfinite().all()


def test_parameters_are_weights_of_combinations_and_a_perceptron() -> None:
    features = 5 * 20 + 190
    perceptron = features * 256 + 256 + 2 * (256 * 256 + 256) + 256 * 2 + 2
    assert Classify(LBN(SPEC), SPEC).size == 2 * 20 * 60 + 2 * features + perceptron == 209_574
