"""The perceptron on N-subjettinesses: its observables, their safety and the published sizes."""

from __future__ import annotations

import pytest
import torch

from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.nsub_dnn import NsubDNN
from jetkit.physics.four_vectors import mass, pt
from jetkit.physics.subjettiness import n_subjettiness
from jetkit.tasks.classify import Classify
from jetkit.testing import assert_broken, assert_invariant, random_batch

SPEC = Spec.of(("part_deta",), classes=("QCD", "top"))


@pytest.fixture(scope="module")
def batch():
    return random_batch(SPEC, jets=6, particles=(1, 25), seed=4)


@pytest.mark.parametrize(("bodies", "inputs", "count"), [(8, 22, 57_502), (6, 16, 56_302)])
def test_sizes_are_those_of_the_paper(bodies, inputs, count) -> None:
    model = NsubDNN(SPEC, bodies=bodies)
    assert model.f[0].in_features == inputs
    assert Classify(model, SPEC).size == count


def test_observables_are_the_basis_then_mass_and_pt(batch) -> None:
    table = NsubDNN(SPEC, bodies=4).observables(batch)
    for row, mask, p4 in zip(table, batch.mask, batch.p4, strict=True):
        jet = p4[mask]
        tau = {
            beta: n_subjettiness(jet.numpy(), [0, len(jet)], largest=3, beta=beta, R0=1.0, axes="kt")[0]
            for beta in (0.5, 1.0, 2.0)
        }
        basis = [*(tau[beta][n] for n in (0, 1) for beta in (0.5, 1.0, 2.0)), tau[1.0][2], tau[2.0][2]]
        expected = torch.tensor([*basis, mass(jet.sum(0)), pt(jet.sum(0))], dtype=torch.float64)
        torch.testing.assert_close(row, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("change", ["soft", "collinear"])
def test_the_observables_are_safe(batch, change) -> None:
    """Up to ΔR^½, which has half of the digits of ΔR; the number of particles of a jet is noticed by none of them."""
    assert_invariant(NsubDNN(SPEC, dropout=0.0), batch, change, 1e-4)
    assert_broken(NsubDNN(SPEC, dropout=0.0), batch, "lorentz", 1e-3)


def test_observables_are_standardised_over_all_batches_of_the_training(batch) -> None:
    model = NsubDNN(SPEC, bodies=3).double()
    halves = [batch.select(slice(0, 3)), batch.select(slice(3, 6))]
    for _ in range(20):
        for half in halves:
            model(half)
    means = [model.observables(half).mean(0) for half in halves]
    torch.testing.assert_close(model.standardise.running_mean, (means[0] + means[1]) / 2)


def test_one_body_is_no_basis() -> None:
    with pytest.raises(JetkitError, match="nsub-dnn needs bodies >= 2, got 1"):
        NsubDNN(SPEC, bodies=1)
