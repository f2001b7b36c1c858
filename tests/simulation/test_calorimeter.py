import numpy as np
import pytest

from jetkit.simulation.calorimeter import Hits, Response, energy_resolution, measure
from jetkit.simulation.detector_card import grid, load_card

CARD = load_card("atlas")
NOTHING = np.empty(0)


def response(part, scale=1.0):
    return Response(np.array(part.resolution), scale, part.energy_min, part.significance_min)


def hits(energy, share=1.0, eta=0.305, phi=0.01, events=None):
    energy = np.atleast_1d(np.asarray(energy, dtype=float))
    n = len(energy)
    offsets = np.array([0, n]) if events is None else np.arange(n + 1)
    return Hits(energy, np.full(n, share), np.full(n, eta), np.full(n, phi), offsets)


def no_tracks(events=1):
    return Hits(NOTHING, NOTHING, NOTHING, NOTHING, np.zeros(events + 1, dtype=np.int64))


def run(particles, tracks, resolution, part=CARD.hcal, scale=1.0):
    events = len(particles.offsets) - 1
    return measure(
        particles, tracks, np.asarray(resolution, float), grid(part), response(part, scale), np.arange(events) + 1
    )


@pytest.mark.parametrize(
    ("name", "part", "towers"),
    [("atlas", "ecal", 340 * 360 + 22 * 36), ("cms-jetclass", "hcal", 38 * 72 + 38 * 36 + 4 * 18)],
)
def test_the_number_of_towers_is_that_of_the_published_card(name, part, towers) -> None:
    assert grid(getattr(load_card(name), part)).first[-1] == towers


def test_a_tower_belongs_to_the_list_of_its_upper_edge() -> None:
    hcal = grid(load_card("cms-jetclass").hcal)
    width = dict(zip(np.round(hcal.edges[1:], 3).tolist(), hcal.phi.tolist(), strict=True))
    assert (width[1.653], width[1.74], width[-1.566], width[-1.653], width[4.7]) == (72, 36, 72, 36, 18)


def test_edges_rise_without_repeating() -> None:
    for name in ("atlas", "atlas-2015", "cms-jetclass", "cms"):
        for part in (load_card(name).ecal, load_card(name).hcal):
            assert (np.diff(grid(part).edges) > 1e-3).all()


@pytest.mark.parametrize(
    ("name", "part", "eta", "energy", "sigma"),
    [
        ("atlas", "ecal", 1.0, 100.0, np.hypot(0.17, 1.01)),
        ("atlas", "hcal", 0.0, 100.0, np.sqrt(3.02**2 + 5.205**2 + 1.59**2)),
        ("cms", "ecal", 1.0, 100.0, 1.64 * np.sqrt(0.8**2 + 1.1**2 + 0.4**2)),
        ("cms", "ecal", -2.2, 100.0, (2.16 + 5.6 * 0.04) * np.sqrt(0.8**2 + 1.1**2 + 0.4**2)),
        ("cms", "hcal", 4.0, 100.0, np.hypot(13.0, 27.0)),
    ],
)
def test_energy_resolutions_are_those_of_the_card(name, part, eta, energy, sigma) -> None:
    assert energy_resolution(response(getattr(load_card(name), part)), eta, energy) == pytest.approx(sigma)


def test_a_photon_becomes_one_neutral_inside_its_tower() -> None:
    n = 20_000
    p4, offsets, _ = run(hits(np.full(n, 100.0), events="one each"), no_tracks(n), [], CARD.ecal)
    assert offsets.tolist() == list(range(n + 1))
    eta, phi = np.arcsinh(p4[:, 3] / np.hypot(p4[:, 1], p4[:, 2])), np.arctan2(p4[:, 2], p4[:, 1])
    assert np.ptp(eta) <= 0.0174
    assert np.ptp(phi) <= np.pi / 180
    assert np.ptp(phi) > 0.99 * np.pi / 180
    sigma = np.hypot(0.17, 1.01)
    assert abs(p4[:, 0].mean() - 100.0) < 5.5 * sigma / np.sqrt(n)
    assert p4[:, 0].std() == pytest.approx(sigma, rel=0.04)
    np.testing.assert_allclose(p4[:, 0] ** 2, (p4[:, 1:] ** 2).sum(axis=1))


def test_energy_below_threshold_is_lost() -> None:
    assert len(run(hits([0.9]), no_tracks(), [], scale=1e-9)[0]) == 0
    assert len(run(hits([1.1]), no_tracks(), [], scale=1e-9)[0]) == 1


def test_two_particles_in_one_tower_are_one_neutral_and_in_two_towers_two() -> None:
    assert len(run(hits([20.0, 30.0]), no_tracks(), [], scale=1e-9)[0]) == 1
    apart = hits([20.0, 30.0])._replace(phi=np.array([0.01, 1.0]))
    p4 = run(apart, no_tracks(), [], scale=1e-9)[0]
    assert sorted(p4[:, 0].round(6)) == [20.0, 30.0]


def test_a_track_is_rescaled_to_the_weighted_mean() -> None:
    """E_t = 100 exactly (scale → 0) but σ known: with σ → 0 the calorimeter decides, and a neutral excess is none."""
    _, _, factor = run(hits([100.0]), hits([110.0]), [0.2], scale=1e-9)
    assert factor[0] == pytest.approx(100.0 / 110.0)


def test_the_better_measurement_weighs_more() -> None:
    n = 4000
    part = CARD.hcal
    _, _, factor = run(hits(np.full(n, 100.0), events="n"), hits(np.full(n, 100.0), events="n"), np.full(n, 0.01), part)
    sigma, sigma_track = energy_resolution(response(part), 0.35, 100.0), 1.0
    weight = (1 / sigma**2) / (1 / sigma**2 + 1 / sigma_track**2)
    rescaled = factor[factor != 1.0]
    assert rescaled.std() < 2.0 * weight * sigma / 100.0
    assert rescaled.mean() == pytest.approx(1.0, abs=0.01)


def test_a_significant_excess_leaves_the_track_as_measured() -> None:
    p4, _, factor = run(hits([100.0, 80.0]), hits([100.0]), [0.01], scale=1e-9)
    assert factor.tolist() == [1.0]
    assert p4[:, 0] == pytest.approx([80.0])


def test_a_track_that_leaves_nothing_here_passes_unchanged() -> None:
    assert run(hits([50.0]), hits([40.0], share=0.0), [0.1])[2].tolist() == [1.0]


def test_an_event_does_not_feel_its_neighbours() -> None:
    rng = np.random.default_rng(5)
    energy, eta, phi = rng.exponential(5, 300), rng.uniform(-3, 3, 300), rng.uniform(-3, 3, 300)
    both = Hits(energy, np.ones(300), eta, phi, np.array([0, 200, 300]))
    first = Hits(energy[:200], np.ones(200), eta[:200], phi[:200], np.array([0, 200]))
    p4, offsets, _ = run(both, no_tracks(2), [])
    np.testing.assert_array_equal(p4[: offsets[1]], run(first, no_tracks(1), [])[0])
