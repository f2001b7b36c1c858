from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from jetkit.data.batch import Batch
from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.observables_bdt import ObservablesBDT
from jetkit.observables.jet_observables import jet_observables
from jetkit.registry import register

SPECS = {
    name: Spec.of(features=tuple(feature.name for feature in features), classes=("QCD", "top"))
    for name, features in FEATURE_SETS.items()
}


def momenta(pt, y, phi):
    pt, y, phi = (np.asarray(values, np.float64) for values in (pt, y, phi))
    return np.stack([pt * np.cosh(y), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(y)], axis=-1)


def single(p4, **features):
    """A jet with the given features, 0 where none is given, and its spec."""
    names = tuple(feature.name for feature in FEATURE_SETS["full"] if feature.name in features)
    values = [np.asarray(features[name], np.float64) for name in names]
    x = np.stack(values, axis=-1) if values else np.zeros((len(p4), 0))
    batch = Batch.of(
        x=torch.from_numpy(x)[None], mask=torch.ones(1, len(p4), dtype=torch.bool), p4=torch.from_numpy(p4)[None]
    )
    return batch, Spec.of(features=names)


def of_one_jet(p4, **features):
    return {name: column[0] for name, column in jet_observables(*single(p4, **features)).items()}


@pytest.fixture
def batch():
    """Jets of 0 to 30 particles with random features."""
    random = np.random.default_rng(0)
    shape = (12, 30)
    counts = np.array([0, 1, 2, 3, 4, 5, 8, 12, 17, 23, 29, 30])
    mask = np.arange(30) < counts[:, None]
    p4 = momenta(random.exponential(20, shape), random.normal(0.5, 0.2, shape), random.normal(3, 0.2, shape))
    x = random.uniform(-1, 1, (*shape, 17))
    x[..., 13], x[..., 15] = np.abs(x[..., 13]), np.abs(x[..., 15])
    keep = torch.from_numpy(mask)
    return Batch.of(x=torch.from_numpy(x * mask[..., None]), mask=keep, p4=torch.from_numpy(p4 * mask[..., None]))


def test_two_prongs_have_the_known_observables():
    table = of_one_jet(momenta([70, 30], [0, 0.1], [0, 0.15]))
    known = {"mass": 8.257057, "sdmass": 8.257057, "z_g": 0.3, "R_g": 0.1802776, "multiplicity": 2, "D2": 0, "tau21": 0}
    assert {name: table[name] for name in known} == pytest.approx(known, rel=1e-5)
    assert table["pTD"] == pytest.approx(math.hypot(0.7, 0.3))


def test_three_equal_prongs_have_the_known_ratios():
    height = 0.1 * math.sqrt(3)
    table = of_one_jet(momenta([50, 50, 50], [0, 0.2, 0.1], [0, 0, height]))
    assert [table[name] for name in ("C2", "D2", "N2", "M2")] == pytest.approx([1 / 15, 1, 1 / 3, 1 / 9])
    assert table["tau32"] == 0 < table["tau21"]


def test_flags_and_charges_are_counted_and_weighed():
    p4 = momenta([10, 30, 60], [0, 0.1, 0.2], [0, 0, 0])
    table = of_one_jet(p4, part_charge=[1, -1, 0], part_isMuon=[0, 1, 0], part_isPhoton=[0, 0, 1])
    assert (table["charged"], table["isMuon"], table["isPhoton"]) == (2, 1, 1)
    assert (table["isMuon_pt"], table["isPhoton_pt"]) == pytest.approx((0.3, 0.6))
    assert table["charge10"] == pytest.approx((10 - 30) / 100)


def test_impact_parameters_are_taken_back_from_their_features():
    d0, error = np.array([0.2, -0.01, -3.0, 0.0]), np.array([0.05, 0.02, 0.1, 0.0])
    p4 = momenta([10, 20, 30, 40], [0, 0.1, 0.2, 0.1], [0.1, 0.2, 0.15, -0.2])
    table = of_one_jet(p4, part_d0=np.tanh(d0), part_d0err=error)
    assert table["displaced"] == 2
    assert table["displaced_pt"] == pytest.approx(0.4)
    total = p4[0] + p4[2]
    assert table["displaced_mass"] == pytest.approx(math.sqrt(total[0] ** 2 - total[1:] @ total[1:]))
    assert [table[f"d0sig{rank}"] for rank in (1, 2, 3)] == pytest.approx([30, 4, 0.5])


def test_saturated_impact_parameter_is_large_and_finite():
    p4 = momenta([10, 20], [0, 0], [0.1, -0.1])
    table = of_one_jet(p4, part_d0=[1, -1], part_d0err=[1, 1])
    assert 8 < table["d0sig2"] == table["d0sig1"] < 10


@pytest.mark.parametrize(("features", "count"), [("kin", 16), ("kinpid", 30), ("full", 37)])
def test_feature_set_decides_the_observables(batch, features, count):
    places = [SPECS["full"].features.index(name) for name in SPECS[features].features]
    table = ObservablesBDT(SPECS[features]).observables(batch.with_cloud(x=batch.x[..., places]))
    assert table.shape == (12, count)


def test_observables_are_finite_for_jets_of_few_particles(batch):
    assert ObservablesBDT(SPECS["full"]).observables(batch).isfinite().all()
    still = batch.with_cloud(p4=torch.zeros_like(batch.p4), x=torch.zeros_like(batch.x))
    assert ObservablesBDT(SPECS["full"]).observables(still).isfinite().all()


def test_padding_and_batch_mates_change_nothing(batch):
    model = ObservablesBDT(SPECS["full"])
    together = model.observables(batch)
    for row, count in list(enumerate(batch.mask.sum(1).tolist()))[1:]:
        own = batch.select(slice(row, row + 1))
        alone = Batch.of(x=own.x[:, :count], mask=own.mask[:, :count], p4=own.p4[:, :count])
        torch.testing.assert_close(model.observables(alone)[0], together[row], rtol=0, atol=0)


def test_order_of_particles_and_azimuth_of_the_jet_change_nothing(batch):
    model = ObservablesBDT(SPECS["full"])
    before = model.observables(batch)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    mixed = Batch.of(x=batch.x[:, order], mask=batch.mask[:, order], p4=batch.p4[:, order])
    torch.testing.assert_close(model.observables(mixed), before, rtol=1e-6, atol=1e-6)
    c, s = math.cos(2.0), math.sin(2.0)
    turn = torch.tensor([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1]], dtype=torch.float64)
    torch.testing.assert_close(model.observables(batch.with_cloud(p4=batch.p4 @ turn.T)), before, rtol=1e-6, atol=1e-6)


def test_collinear_splitting_moves_the_multiplicity_and_not_the_safe_observables():
    p4 = momenta([70, 30, 20], [0, 0.1, -0.2], [0, 0.15, 0.1])
    whole, split = of_one_jet(p4), of_one_jet(np.concatenate([p4[:2], 0.6 * p4[2:], 0.4 * p4[2:]]))
    safe = ("mass", "pt", "sdmass", "z_g", "width", "LHA", "tau21", "tau32", "C2", "D2", "N2", "M2")
    assert [split[name] for name in safe] == pytest.approx([whole[name] for name in safe], rel=1e-3, abs=1e-9)
    assert (whole["multiplicity"], split["multiplicity"]) == (3, 4)


def test_numbers_have_the_precision_of_the_cloud(batch):
    model = ObservablesBDT(SPECS["full"])
    assert model.observables(batch).dtype == torch.float64
    assert model(batch.to(dtype=torch.float32)).dtype == torch.float32


@pytest.mark.parametrize("values", [{"trees": 0}, {"leaves": 1}, {"rate": 0.0}, {"least": 0}, {"l2": -1.0}])
def test_hyperparameters_out_of_range_are_refused(values):
    with pytest.raises(JetkitError, match="boosted trees need"):
        ObservablesBDT(SPECS["kin"], **values)


def test_jets_without_momenta_are_refused():
    batch = Batch.of(x=torch.zeros(1, 2, 7), mask=torch.ones(1, 2, dtype=torch.bool))
    with pytest.raises(JetkitError, match="four-momenta"):
        ObservablesBDT(SPECS["kin"])(batch)


@register("leading-energy", kind="observable")
def leading_energy(batch, spec):
    """Energy of the most energetic particle of each jet."""
    return (batch.p4[..., 0] * batch.mask).amax(1)


def test_a_users_observable_is_a_further_column(batch):
    own, with_extra = (ObservablesBDT(SPECS["full"], extra=extra) for extra in ((), ("leading-energy",)))
    table = with_extra.observables(batch)
    torch.testing.assert_close(table[:, :-1], own.observables(batch), rtol=0, atol=0, equal_nan=True)
    energies = [max(jet[keep, 0].tolist(), default=0) for jet, keep in zip(batch.p4, batch.mask, strict=True)]
    assert table[:, -1].tolist() == pytest.approx(energies)
    with pytest.raises(JetkitError, match="unknown observable 'leading-energi'; did you mean leading-energy"):
        ObservablesBDT(SPECS["full"], extra=("leading-energi",))
