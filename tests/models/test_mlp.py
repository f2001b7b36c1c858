"""The perceptron of plain tables: its layers written out, and what it does not see."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.mlp import MLP
from jetkit.registry import create
from jetkit.tasks.classify import Classify
from jetkit.testing import SYMMETRIES, assert_invariant, random_batch

TABLE = Spec(row=("event_mj1", "event_mj2", "event_tau21_j1"))
JETS = Spec.of(("part_deta", "part_dphi"), row=TABLE.row, classes=("QCD", "top"))


@pytest.fixture(scope="module")
def batch() -> Batch:
    return random_batch(TABLE, jets=40, seed=3)


def begun(batch: Batch, **options) -> MLP:
    """A network whose normalisation has seen the rows."""
    torch.manual_seed(1)
    model = MLP(TABLE, widths=(6, 5), **options).double()
    model.norm.momentum = None
    model.train()(batch)
    return model.eval()


def test_a_plain_table_has_rows_alone(batch) -> None:
    assert not batch.sets
    assert batch.row.shape == (40, 3)


def test_layers_follow_standardised_numbers(batch) -> None:
    model = begun(batch)
    x = (batch.row - batch.row.mean(0)) / (batch.row.var(0) + model.norm.eps).sqrt()
    for layer in (layer for layer in model.layers if isinstance(layer, torch.nn.Linear)):
        x = F.relu(x @ layer.weight.T + layer.bias)
    assert (x.std(0) > 1e-3).any()
    torch.testing.assert_close(model(batch), x, rtol=1e-10, atol=1e-12)


def test_units_do_not_matter_in_training(batch) -> None:
    model = begun(batch).train()
    other = batch.replace(row=1000 * batch.row + torch.tensor([1.0, -50.0, 3.0]))
    torch.testing.assert_close(model(other), model(batch), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("widths", "count"), [((64, 64, 64), 256 + 2 * 64 * 65 + 130), ((8, 4), 32 + 36 + 10)])
def test_parameters_are_those_of_the_layers(widths, count) -> None:
    assert Classify(MLP(JETS, widths=widths), JETS).size == count


@pytest.mark.parametrize("change", SYMMETRIES)
def test_particles_are_not_seen(change) -> None:
    assert_invariant(MLP(JETS, widths=(6, 5)), random_batch(JETS, jets=5), change, 1e-15)


def test_a_table_beside_particles_is_the_same_table() -> None:
    jets = random_batch(JETS, jets=5)
    model = MLP(JETS, widths=(6, 5)).double().eval()
    assert torch.equal(model(jets), model(Batch(row=jets.row)))


def test_dropout_is_for_training_alone(batch) -> None:
    model = begun(batch, dropout=0.5)
    assert sum(isinstance(layer, torch.nn.Dropout) for layer in model.layers) == 2
    assert torch.equal(model(batch), model(batch))
    model.train()
    assert not torch.equal(model(batch), model(batch))
    assert (model(batch) == 0).double().mean() > 0.5


@pytest.mark.parametrize(
    ("spec", "values", "message"),
    [
        (Spec.of(("part_deta",)), {}, "mlp needs features of the row"),
        (TABLE, {"widths": []}, "mlp needs a hidden layer or more"),
        (TABLE, {"dropout": 1.0}, "mlp needs a hidden layer or more and 0 <= dropout < 1"),
        (TABLE, {"widths": [8, 0]}, "widths of the encoder mlp should be positive"),
    ],
)
def test_networks_that_make_no_sense_are_refused(spec, values, message) -> None:
    with pytest.raises(JetkitError, match=message):
        create("mlp", spec, values)
