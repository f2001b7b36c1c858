"""The perceptron on Minkowski functionals: what it is given, and what of it is safe."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.morphology import Morphology
from jetkit.physics import four_vectors as fv
from jetkit.physics.jet_images import jet_images
from jetkit.physics.minkowski_functionals import minkowski_functionals
from jetkit.registry import create
from jetkit.tasks.classify import Classify
from jetkit.testing import SYMMETRIES, assert_broken, assert_invariant, random_batch

SPEC = Spec.of(("part_deta",), classes=("QCD", "top"))


@pytest.fixture(scope="module")
def batch():
    return random_batch(SPEC, jets=6, particles=(1, 30), seed=4)


def test_sizes_are_those_of_the_layers() -> None:
    model = Morphology(SPEC)
    assert model.f[0].in_features == 3 * 4 * 7 + 20
    assert Classify(model, SPEC).size == 105 * 128 + 129 * 128 + 129 * 2


def test_functionals_are_those_of_the_pixels_above_each_threshold_in_gev(batch) -> None:
    model = Morphology(SPEC, thresholds=(0.0, 5.0, 30.0), pixels=20, dilations=2)
    padded = batch.with_cloud(p4=torch.where(batch.mask[..., None], batch.p4, 99.0))
    for row, p4, mask in zip(model.functionals(padded), batch.p4, batch.mask, strict=True):
        jet = p4[mask].numpy()
        image = fv.pt(jet).sum() * jet_images(jet, np.array([0, len(jet)]), pixels=20, align=False)[0]
        for of_threshold, threshold in zip(row, (0, 5, 30), strict=True):
            expected = minkowski_functionals(image > threshold, dilations=2)
            assert of_threshold.tolist() == expected.tolist()


def test_one_particle_is_one_pixel_and_correlated_with_itself() -> None:
    one = random_batch(SPEC, jets=2, particles=(1, 1))
    model = Morphology(SPEC, thresholds=(0.0, 1e4), dilations=1)
    assert model.functionals(one)[0].tolist() == [[[1, 4, 1], [9, 12, 1]], [[0, 0, 0], [0, 0, 0]]]
    assert model.spectrum(one)[0].tolist() == [1.0, *[0.0] * 19]


def test_only_the_threshold_of_zero_and_not_the_spectrum_sees_a_soft_particle(batch) -> None:
    model = Morphology(SPEC, thresholds=(0.0, 1.0))
    changed = SYMMETRIES["soft"](batch, SPEC, np.random.default_rng(0))
    before, after = model.functionals(batch), model.functionals(changed)
    assert (before[:, 0] != after[:, 0]).any()
    assert torch.equal(before[:, 1], after[:, 1])
    torch.testing.assert_close(model.spectrum(changed), model.spectrum(batch), rtol=0, atol=1e-9)


def test_full_size_has_its_symmetries(batch) -> None:
    for change in ("permutation", "rotation-about-beam", "collinear"):
        assert_invariant(Morphology(SPEC), batch, change)
    assert_broken(Morphology(SPEC), batch, "soft")


def test_a_threshold_above_zero_everywhere_makes_it_safe(batch) -> None:
    assert_invariant(Morphology(SPEC, thresholds=(1.0,)), batch, "soft")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_have_the_type_of_the_cloud(batch, dtype) -> None:
    model = Morphology(SPEC).to(dtype)
    assert model.functionals(batch.to(dtype=dtype)).dtype == dtype
    assert model(batch.to(dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("thresholds", [(), (1.0, -1.0)])
def test_thresholds_that_are_none_or_negative_are_refused(thresholds) -> None:
    with pytest.raises(JetkitError, match="morphology needs a threshold"):
        create("morphology", SPEC, {"thresholds": thresholds})
