"""Neural spline flow: a density with the right Jacobian, of integral 1, in the units of the data."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest
import torch

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.model import MODELS
from jetkit.models.nsf import NSF
from jetkit.registry import create, hyperparameters
from jetkit.store.model_file import ModelCard, load_model, save_model
from jetkit.tasks.density import Density
from jetkit.testing import random_batch

SPEC = Spec(row=("event_mj1", "event_tau21_j1"))
JETS = Spec.of(("part_deta", "part_dphi"), row=SPEC.row, classes=("QCD", "top"))
SIZES = {"transforms": 4, "width": 16, "bins": 6}
CENTRE, SPREAD = torch.tensor([100.0, -3.0]).double(), torch.tensor([20.0, 0.5]).double()


def rows(count: int, seed: int = 0) -> Batch:
    """Masses of some 100 GeV, and another number of another size."""
    random = torch.Generator().manual_seed(seed)
    return Batch(row=CENTRE + SPREAD * torch.randn(count, 2, generator=random, dtype=torch.float64))


@pytest.fixture(scope="module")
def model() -> NSF:
    """With weights that bend the splines, and the units of the rows."""
    torch.manual_seed(5)
    made = NSF(SPEC, **SIZES).double()
    for weight in made.parameters():
        weight.data += 0.1 * torch.randn_like(weight)
    made.begin([rows(3000), rows(1000, seed=1)])
    return made.eval()


class Grid(NamedTuple):
    """Points up to six standard deviations, ln p there, and the area of a cell."""

    points: torch.Tensor
    log_prob: torch.Tensor
    cell: float

    def integral(self, values: torch.Tensor) -> torch.Tensor:
        return torch.tensordot(self.log_prob.exp(), values, 1) * self.cell


@pytest.fixture(scope="module")
def grid(model: NSF) -> Grid:
    line = torch.linspace(-6, 6, 301, dtype=torch.float64)
    points = CENTRE + SPREAD * torch.cartesian_prod(line, line)
    with torch.no_grad():
        return Grid(points, model.log_prob(Batch(row=points)), (12 / 300) ** 2 * SPREAD.prod().item())


def test_it_begins_with_mean_and_spread_of_all_rows_it_is_shown(model: NSF) -> None:
    shown = torch.cat([rows(3000).row, rows(1000, seed=1).row])
    torch.testing.assert_close(model.standard.mean, shown.mean(0))
    torch.testing.assert_close(model.standard.scale, shown.std(0, unbiased=False))


def test_the_density_is_that_of_the_gaussian_times_the_jacobian(model: NSF) -> None:
    batch = rows(20, seed=2)
    chain = model.flow.flow(batch.row.new_zeros(0)).transform

    def carried(row: torch.Tensor) -> torch.Tensor:
        return chain((row - model.standard.mean) / model.standard.scale)

    found = model.log_prob(batch)
    for row, log_prob in zip(batch.row, found, strict=True):
        jacobian = torch.autograd.functional.jacobian(carried, row)
        z = carried(row)
        assert (z - (row - CENTRE) / SPREAD).abs().max() > 1e-3
        expected = -z.square().sum() / 2 - math.log(2 * math.pi) + torch.linalg.slogdet(jacobian).logabsdet
        torch.testing.assert_close(log_prob, expected, rtol=1e-8, atol=1e-8)


def test_the_density_has_integral_1_and_is_no_gaussian(grid: Grid) -> None:
    assert grid.integral(torch.ones_like(grid.log_prob)).item() == pytest.approx(1, abs=2e-4)
    gaussian = torch.distributions.Normal(CENTRE, SPREAD).log_prob(grid.points).sum(1)
    assert grid.integral((gaussian - grid.log_prob).expm1().abs()).item() > 0.5


def test_samples_have_mean_and_entropy_of_the_density(model: NSF, grid: Grid) -> None:
    torch.manual_seed(3)
    drawn = model.sample(None, 4000)
    assert drawn.row.shape == (4000, 2)
    assert not drawn.sets
    with torch.no_grad():
        surprise = -model.log_prob(drawn)
    assert surprise.isfinite().all()
    entropy = grid.integral(-grid.log_prob).item()
    assert surprise.mean().item() == pytest.approx(entropy, abs=5 * surprise.std().item() / math.sqrt(4000))
    assert ((drawn.row.mean(0) - grid.integral(grid.points)).abs() < 5 * drawn.row.std(0) / math.sqrt(4000)).all()


def test_a_seed_draws_the_same_rows_again(model: NSF) -> None:
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(model.sample(None, 5).row)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_in_other_units_the_density_is_divided_by_their_size(model: NSF) -> None:
    unit, zero = torch.tensor([1000.0, 0.01]).double(), torch.tensor([5.0, -2.0]).double()

    def converted(batch: Batch) -> Batch:
        return Batch(row=unit * batch.row + zero)

    other = NSF(SPEC, **SIZES).double().eval()
    other.load_state_dict(model.state_dict())
    other.begin([converted(rows(3000)), converted(rows(1000, seed=1))])
    batch = rows(30, seed=4)
    expected = model.log_prob(batch) - unit.log().sum()
    torch.testing.assert_close(other.log_prob(converted(batch)), expected, rtol=1e-7, atol=1e-7)


def test_it_learns_a_bent_density_up_to_its_entropy() -> None:
    """y = sin 2x + 0.3 ε with Gaussian x and ε: ln 2πe + ln 0.3 nats."""
    torch.manual_seed(2)
    x, noise = torch.randn(2, 4000)
    data = Batch(row=torch.stack([50 * x, (2 * x).sin() + 0.3 * noise], 1))
    model = NSF(SPEC, transforms=2, width=16, bins=8)
    model.begin([data])
    task = Density(model, SPEC)
    optimiser = torch.optim.Adam(task.parameters(), lr=2e-2)
    before = task.loss(data).total.item()
    for _ in range(100):
        optimiser.zero_grad()
        task.loss(data.select(torch.randint(4000, (512,)))).total.backward()
        optimiser.step()
    entropy = math.log(2 * math.pi * math.e) + math.log(0.3) + math.log(50)
    assert before > entropy + 0.5
    assert entropy - 0.05 < task.loss(data).total.item() < entropy + 0.1


def test_every_parameter_gets_a_gradient() -> None:
    model = NSF(SPEC, **SIZES).double()
    Density(model, SPEC).loss(rows(50)).total.backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())


def test_particles_are_not_seen_and_rows_are_alone() -> None:
    jets, model = random_batch(JETS, jets=6), NSF(JETS, **SIZES).double().eval()
    found = model.log_prob(jets)
    assert torch.equal(model.log_prob(Batch(row=jets.row)), found)
    alone = [model.log_prob(jets.select(slice(row, row + 1))) for row in range(6)]
    torch.testing.assert_close(torch.cat(alone), found, rtol=0, atol=1e-12)


@pytest.mark.parametrize("task", ["density", ""])
def test_a_model_file_gives_the_same_density(model: NSF, tmp_path, task: str) -> None:
    single, batch = NSF(SPEC, **SIZES).eval(), rows(10).to(dtype=torch.float32)
    single.load_state_dict(model.state_dict())
    card = ModelCard("nsf", SPEC.to_dict(), hyperparameters("nsf", SIZES, MODELS), task=task)
    save_model(tmp_path / "model.safetensors", Density(single, SPEC) if task else single, card)
    loaded = load_model(tmp_path / "model.safetensors")
    with torch.no_grad():
        assert torch.equal((loaded.model if task else loaded).log_prob(batch), single.log_prob(batch))


@pytest.mark.parametrize("row", [(), ("event_mj1",)])
def test_fewer_than_two_features_are_refused(row) -> None:
    with pytest.raises(JetkitError, match=f"nsf needs two features of the row or more, the data have {len(row)}"):
        create("nsf", Spec(row=row), {}, MODELS)
