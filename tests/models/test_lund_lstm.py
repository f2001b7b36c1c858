"""LundLSTM: it reads the primary plane, in order, to its end."""

from __future__ import annotations

import pytest
import torch

from jetkit.data.spec import Spec
from jetkit.models.lund_lstm import LundLSTM
from jetkit.observables.lund_splittings import lund_splittings
from jetkit.tasks.classify import Classify
from jetkit.testing import assert_invariant, random_batch

SPEC = Spec.of(("part_deta",), classes=("QCD", "top"))


@pytest.fixture(scope="module")
def model() -> LundLSTM:
    torch.manual_seed(0)
    return LundLSTM(SPEC, width=8).double().eval()


def test_parameters_are_those_of_an_lstm_and_a_layer() -> None:
    inputs, width = 5, 128
    lstm = 4 * (width * (inputs + width) + 2 * width)
    assert Classify(LundLSTM(SPEC), SPEC).size == 2 * inputs + lstm + 2 * (width + 1)


def test_the_cell_is_applied_to_one_splitting_after_the_other(model) -> None:
    batch = random_batch(SPEC, jets=5, particles=(1, 12), seed=3)
    w, u, b, c = model.lstm.parameters()
    with torch.no_grad():
        for row, encoded in enumerate(model(batch)):
            splittings = lund_splittings(batch.select(slice(row, row + 1)), model.coordinates, primary=True)
            state = memory = torch.zeros(8, dtype=torch.float64)
            for x in model.norm(splittings.x):
                take, keep, new, show = (w @ x + b + u @ state + c).chunk(4)
                memory = keep.sigmoid() * memory + take.sigmoid() * new.tanh()
                state = show.sigmoid() * memory.tanh()
            torch.testing.assert_close(encoded, state, rtol=1e-12, atol=1e-12)


def test_the_order_of_splittings_matters(model, monkeypatch) -> None:
    batch = random_batch(SPEC, jets=1, particles=(12, 12))
    splittings = lund_splittings(batch, model.coordinates, primary=True)
    assert len(splittings.x) > 2
    with torch.no_grad():
        forward = model(batch)
        reverse = splittings._replace(x=splittings.x.flip(0))
        monkeypatch.setattr("jetkit.models.lund_lstm.lund_splittings", lambda *_, **__: reverse)
        assert (model(batch) - forward).abs().max() > 1e-4


def test_splittings_of_the_softer_branch_are_not_seen(model) -> None:
    batch = random_batch(SPEC, jets=8, particles=(12, 12))
    planes = [lund_splittings(batch, model.coordinates, primary=primary).mask.sum(1) for primary in (True, False)]
    assert (planes[0] < planes[1]).all()


@pytest.mark.parametrize("change", ["soft", "collinear"])
def test_with_a_cut_on_momentum_it_is_safe(change) -> None:
    torch.manual_seed(1)
    batch = random_batch(SPEC, jets=8, particles=(2, 25), seed=11)
    assert_invariant(LundLSTM(SPEC, kt_min=1.0), batch, change, 1e-8)
