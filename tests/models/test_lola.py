"""LoLa: its layers written out, and the metric that it finds."""

from __future__ import annotations

import pytest
import torch

from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.lola import UNIT, LoLa
from jetkit.physics.four_vectors import mass2
from jetkit.registry import create
from jetkit.tasks.classify import Classify
from jetkit.testing import random_batch

SPEC = Spec.of(("part_deta",), classes=("QCD", "top"))
TINY = {"constituents": 6, "combinations": 3, "f": (8,)}


@pytest.fixture(scope="module")
def batch():
    return random_batch(SPEC, jets=5, particles=(2, 12), seed=4)


def written_out(model: LoLa, jet: torch.Tensor) -> torch.Tensor:
    """The four numbers of each k̃_j for the momenta (N, 4) of one jet, by the paper's sums."""
    k = [jet.sum(0), *jet, *(sum(c * p4 for c, p4 in zip(row, jet, strict=True)) for row in model.combine)]
    w_energy, w_distance = model.weigh_energy.weight, model.weigh_distance.weight
    rows = []
    for j in range(len(k)):
        energy = sum(w_energy[j, m] * k[m][0] for m in range(len(k)))
        distance = sum(w_distance[j, m] * ((k[j] - k[m]) ** 2 @ model.metric) for m in range(len(k)))
        rows.append(torch.stack([k[j] ** 2 @ model.metric, torch.hypot(k[j][1], k[j][2]), energy, distance]))
    return torch.stack(rows)


@pytest.mark.parametrize("learned_metric", [False, True])
def test_invariants_are_the_sums_of_the_paper(batch, learned_metric) -> None:
    model = LoLa(SPEC, **TINY, learned_metric=learned_metric).double()
    momenta = batch.p4[:, :6] / UNIT
    with torch.no_grad():
        expected = torch.stack([written_out(model, jet) for jet in momenta])
        torch.testing.assert_close(model.invariants(momenta), expected, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(model(batch), model.f(expected.flatten(1)), rtol=1e-10, atol=1e-10)


def test_only_the_hardest_constituents_are_seen(batch) -> None:
    model = LoLa(SPEC, **TINY).double()
    softer = batch.p4.clone()
    softer[:, 6:] = 0
    with torch.no_grad():
        assert torch.equal(model(batch), model(batch.with_cloud(p4=softer)))


def test_a_learned_metric_becomes_minkowskis_when_it_fits_masses(batch) -> None:
    """From (1, 1, 1, 1) to (1, −1, −1, −1) within a percent, the paper's check, here on the masses of the jets."""
    model = LoLa(SPEC, constituents=30, learned_metric=True).double()
    jets = random_batch(SPEC, jets=64, seed=5)
    momenta, target = jets.p4 / UNIT, mass2(jets.p4.sum(1) / UNIT)
    momenta = torch.nn.functional.pad(momenta, (0, 0, 0, 30 - momenta.shape[1]))
    optimiser = torch.optim.LBFGS([model.metric], max_iter=60, line_search_fn="strong_wolfe", tolerance_change=1e-14)

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        error = (model.invariants(momenta)[:, 0, 0] - target).square().mean()
        error.backward()
        return error

    optimiser.step(loss)
    expected = torch.tensor([1, -1, -1, -1], dtype=torch.float64)
    torch.testing.assert_close(model.metric.detach(), expected, rtol=0, atol=0.01)


def test_a_learned_metric_is_four_more_parameters() -> None:
    few, more = (Classify(LoLa(SPEC, learned_metric=learn), SPEC).size for learn in (False, True))
    vectors = 1 + 60 + 15
    assert few == 60 * 15 + 2 * vectors**2 + (4 * vectors * 100 + 100) + (100 * 50 + 50) + (50 * 2 + 2) == 48_104
    assert more == few + 4


def test_a_perceptron_without_hidden_layers_is_refused() -> None:
    with pytest.raises(JetkitError, match="lola"):
        create("lola", SPEC, {"f": []})
