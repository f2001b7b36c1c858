import numpy as np
import pytest

from jetkit.kernels import kernel
from jetkit.simulation.detector_card import load_card
from jetkit.simulation.tracking import find_tracks, impact_parameters, log_normal, measure_impact_parameters

from .conftest import momentum, particles

N = 20_000


def tracks_of(pid, pt, eta, card, charge=1):
    sample = particles(momentum(np.full(N, pt), eta, 0.3, mass=0.1396), pid, charge, events="one each")
    found = find_tracks(sample, np.full(N, eta), np.ones(N, bool), card, np.arange(N) + 1)
    return sample, found


@pytest.mark.parametrize(
    ("pid", "pt", "eta", "efficiency"),
    [
        (211, 0.5, 1.0, 0.70),
        (211, 5.0, -2.0, 0.85),
        (11, 50.0, 0.2, 0.95),
        (11, 150.0, 2.2, 0.90),
        (13, 5.0, 0.0, 0.99),
    ],
)
def test_tracks_are_found_as_often_as_the_card_says(pid, pt, eta, efficiency) -> None:
    _, found = tracks_of(pid, pt, eta, load_card("atlas"))
    assert abs(len(found.row) / N - efficiency) < 5.5 * np.sqrt(efficiency * (1 - efficiency) / N)


@pytest.mark.parametrize(("pt", "eta"), [(0.05, 0.0), (5.0, 2.6)])
def test_soft_and_forward_particles_leave_no_track(pt, eta) -> None:
    assert len(tracks_of(211, pt, eta, load_card("atlas"))[1].row) == 0


def test_neutral_particles_leave_no_track() -> None:
    assert len(tracks_of(22, 5.0, 0.0, load_card("atlas"), charge=0)[1].row) == 0


def test_very_hard_muons_are_lost_exponentially() -> None:
    _, found = tracks_of(13, 2000.0, 0.0, load_card("cms-jetclass"))
    expected = 0.99 * np.exp(0.5 - 5e-4 * 2000.0)
    assert abs(len(found.row) / N - expected) < 5.5 * np.sqrt(expected * (1 - expected) / N)


def test_pt_is_smeared_with_the_resolution_of_the_card() -> None:
    sample, found = tracks_of(211, 40.0, 1.0, load_card("atlas"))
    ratio = found.p4[:, 1] / sample.p4[found.row, 1]
    sigma = np.hypot(0.10, 1.7e-3 * 40.0)
    assert found.resolution == pytest.approx(sigma)
    assert abs(ratio.mean() - 1.0) < 5.5 * sigma / np.sqrt(len(ratio))
    assert ratio.std() == pytest.approx(sigma, rel=0.04)


def test_a_resolution_variation_scales_it() -> None:
    _, found = tracks_of(211, 40.0, 1.0, load_card("atlas", resolution_scale=1.2))
    assert found.resolution == pytest.approx(1.2 * np.hypot(0.10, 1.7e-3 * 40.0))


def test_atlas_tracks_are_massless_and_cms_tracks_keep_their_mass() -> None:
    for name, mass in (("atlas", 0.0), ("cms", 0.1396)):
        _, found = tracks_of(211, 3.0, 0.5, load_card(name))
        mass2 = found.p4[:, 0] ** 2 - (found.p4[:, 1:] ** 2).sum(axis=1)
        np.testing.assert_allclose(mass2, mass**2, atol=1e-9)


def test_jetclass_tracks_carry_the_generated_momentum_without_error() -> None:
    sample, found = tracks_of(211, 40.0, 1.0, load_card("cms-jetclass"))
    np.testing.assert_allclose(found.p4, sample.p4[found.row])
    assert not found.resolution.any()


@kernel
def _draw(mean: float, sigma: float, count: int, seed: int) -> np.ndarray:
    np.random.seed(seed)
    values = np.empty(count)
    for i in range(count):
        values[i] = log_normal(mean, sigma)
    return values


def test_log_normal_has_the_mean_and_the_width_asked_for() -> None:
    x = _draw(50.0, 20.0, 200_000, 3)
    assert x.min() > 0.0
    assert abs(x.mean() - 50.0) < 5.5 * 20.0 / np.sqrt(len(x))
    assert x.std() == pytest.approx(20.0, rel=0.03)
    assert not _draw(0.0, 5.0, 10, 3).any()


def test_impact_parameters_turn_with_the_event() -> None:
    rng = np.random.default_rng(0)
    p4, vertex = (
        momentum(rng.uniform(1, 50, 100), rng.normal(size=100), rng.uniform(-3, 3, 100)),
        rng.normal(size=(100, 3)),
    )
    c, s = np.cos(0.7), np.sin(0.7)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    turned = np.concatenate([p4[:, :1], p4[:, 1:] @ turn.T], axis=1)
    np.testing.assert_allclose(impact_parameters(turned, vertex @ turn.T), impact_parameters(p4, vertex), atol=1e-12)


def test_moving_the_vertex_along_the_track_changes_nothing() -> None:
    p4, vertex = momentum([7.0], [0.8], [0.4]), np.array([[0.3, -0.2, 5.0]])
    np.testing.assert_allclose(
        impact_parameters(p4, vertex + 3.0 * p4[:, 1:]), impact_parameters(p4, vertex), atol=1e-12
    )


def test_impact_parameters_are_smeared_with_the_published_table() -> None:
    card = load_card("cms-jetclass")
    sample, found = tracks_of(211, 5.0, 0.5, card)
    measured = measure_impact_parameters(found, sample, card, np.arange(N) + 7)
    assert measured[:, 1] == pytest.approx(0.0283)
    assert (measured[:, 0] / measured[:, 1]).std() == pytest.approx(1.0, abs=5.5 / np.sqrt(2 * len(measured)))
    assert abs((measured[:, 2] / measured[:, 3]).mean()) < 5.5 / np.sqrt(len(measured))


def test_below_the_table_there_is_no_smearing() -> None:
    card = load_card("cms-jetclass")
    sample, found = tracks_of(211, 0.15, 0.5, card)
    assert not measure_impact_parameters(found, sample, card, np.arange(N) + 7)[:, 1].any()
