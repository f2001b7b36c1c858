"""The linear classifier on energy flow polynomials."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.efp_linear import EFPLinear
from jetkit.physics.energy_flow import energy_flow_polynomials
from jetkit.tasks.classify import Classify
from jetkit.testing import assert_invariant, random_batch

SPEC = Spec.of(("part_deta",), classes=("QCD", "top"))


@pytest.fixture(scope="module")
def batch():
    return random_batch(SPEC, jets=6, particles=(1, 12), seed=4)


def test_a_class_has_1000_numbers_to_learn() -> None:
    spec = Spec.of((), classes=("QCD", "W", "top"))
    assert Classify(EFPLinear(spec), spec).size == 3 * 1000


def test_logits_are_linear_in_the_standardised_polynomials(batch) -> None:
    task = Classify(EFPLinear(SPEC, degree=3), SPEC).double()
    jets = [p4[mask].numpy() for p4, mask in zip(batch.p4, batch.mask, strict=True)]
    table = np.concatenate([energy_flow_polynomials(p4, [0, len(p4)], degree=3, beta=0.5) for p4 in jets])[:, 1:]
    standardised = (table - table.mean(0)) / table.std(0)
    expected = standardised @ task.head.weight.detach().numpy().T + task.head.bias.detach().numpy()
    np.testing.assert_allclose(task.train()(batch).detach().numpy(), expected, rtol=1e-8, atol=1e-8)


def test_the_full_basis_is_standardised_in_single_precision() -> None:
    jets = random_batch(SPEC, jets=48, particles=(20, 30), seed=5).to(dtype=torch.float32)
    encoded = EFPLinear(SPEC).train().encode(jets)
    torch.testing.assert_close(encoded.std(0, correction=0), torch.ones(999), rtol=1e-3, atol=0)
    torch.testing.assert_close(encoded.mean(0), torch.zeros(999), rtol=0, atol=1e-3)


@pytest.mark.parametrize("change", ["soft", "collinear"])
def test_it_is_safe_up_to_the_rounding_of_the_roots_of_angles(batch, change) -> None:
    assert_invariant(EFPLinear(SPEC, degree=5), batch, change, 1e-7)


@pytest.mark.parametrize("degree", [0, 8])
def test_a_degree_without_polynomials_is_refused(degree) -> None:
    with pytest.raises(JetkitError, match=f"efp-linear needs a degree from 1 to 7, got {degree}"):
        EFPLinear(SPEC, degree=degree)
