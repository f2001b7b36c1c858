"""EFN and PFN: their formulas, and the safety that tells them apart."""

from __future__ import annotations

import pytest
import torch

from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.efn import EFN
from jetkit.models.pfn import PFN
from jetkit.physics.four_vectors import pt
from jetkit.tasks.classify import Classify
from jetkit.testing import assert_broken, assert_invariant, random_batch

SPEC = Spec.of(("part_pt_log", "part_dphi", "part_deta"), classes=("QCD", "W", "top"))


@pytest.fixture(scope="module")
def batch():
    return random_batch(SPEC, jets=5, particles=(1, 12), seed=4)


def test_efn_is_a_weighted_sum_between_two_perceptrons(batch) -> None:
    model = EFN(SPEC).double()
    with torch.no_grad():
        for row, encoded in enumerate(model(batch)):
            p4, x = batch.p4[row, batch.mask[row]], batch.x[row, batch.mask[row]]
            z = pt(p4) / pt(p4).sum()
            latent = sum(z[i] * model.phi(x[i, [2, 1]]) for i in range(len(x)))
            torch.testing.assert_close(encoded, model.f(latent), rtol=1e-12, atol=1e-12)


def test_pfn_is_a_sum_between_two_perceptrons(batch) -> None:
    model = PFN(SPEC).double()
    with torch.no_grad():
        for row, encoded in enumerate(model(batch)):
            latent = sum(model.phi(x) for x in batch.x[row, batch.mask[row]])
            torch.testing.assert_close(encoded, model.f(latent), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("change", ["soft", "collinear"])
def test_efn_of_full_size_is_safe_and_pfn_is_not(batch, change) -> None:
    assert_invariant(EFN(SPEC), batch, change, 1e-10)
    assert_broken(PFN(SPEC), batch, change, 1e-4)


def test_efn_needs_directions() -> None:
    with pytest.raises(JetkitError, match="this model needs the features part_dphi: choose a feature set"):
        EFN(Spec.of(("part_deta",), classes=("QCD", "top")))


def test_efn_needs_momenta(batch) -> None:
    with pytest.raises(JetkitError, match="needs four-momenta: make the batches with p4=True"):
        EFN(SPEC).double()(batch.with_cloud(p4=None))


def test_one_class_is_no_task() -> None:
    spec = Spec.of(("part_deta",), classes=("QCD",))
    with pytest.raises(JetkitError, match="classify needs two classes or more, the data have 1"):
        Classify(PFN(spec), spec)
