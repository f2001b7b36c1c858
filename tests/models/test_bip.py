"""The perceptron and the trees on boost-invariant polynomials."""

from __future__ import annotations

import pytest
import torch

from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.bip import BIP, BipBDT
from jetkit.models.model import MODELS
from jetkit.physics import four_vectors as fv
from jetkit.physics.boost_invariants import boost_invariants, invariant_products
from jetkit.registry import create
from jetkit.tasks.classify import Classify
from jetkit.testing import random_batch

SPEC = Spec.of(("part_deta",), classes=("QCD", "top"))


@pytest.fixture(scope="module")
def batch():
    return random_batch(SPEC, jets=6, particles=(2, 30), seed=4)


def test_sizes_are_those_of_the_layers() -> None:
    model = BIP(SPEC)
    assert Classify(model, SPEC).size == 312 * 12 + 13 * 12 + 13 * 2


def test_the_perceptron_gets_all_standardised_polynomials_but_the_constant(batch) -> None:
    model = BIP(SPEC).double()
    table = boost_invariants(batch.p4, batch.mask, invariant_products())[:, 1:]
    expected = (table - table.mean(0)) / table.std(0, correction=0)
    with torch.no_grad():
        torch.testing.assert_close(model.train().encode(batch), model.f(expected), rtol=1e-6, atol=1e-6)


def test_a_trained_model_does_not_see_a_boost_along_the_axis(batch) -> None:
    model = BIP(SPEC).double()
    model(batch)
    axis = fv.total(batch.p4, batch.mask)[:, None, 1:]
    boosted = batch.with_cloud(p4=fv.boost(batch.p4, 0.6 * axis / axis.norm(dim=-1, keepdim=True)))
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(boosted), model(batch), rtol=0, atol=1e-9)


def test_trees_grow_on_the_same_polynomials(batch) -> None:
    table = boost_invariants(batch.p4, batch.mask, invariant_products())[:, 1:]
    assert torch.equal(BipBDT(SPEC).observables(batch), table)


@pytest.mark.parametrize("name", ["bip", "bip-bdt"])
def test_no_factors_are_refused(name: str) -> None:
    with pytest.raises(JetkitError, match=f"{name} needs an order of 1 or more"):
        create(name, SPEC, {"order": 0}, MODELS)
