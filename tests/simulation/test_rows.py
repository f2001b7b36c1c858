import numpy as np
import pytest

from jetkit.data.columns import COLUMNS
from jetkit.simulation.chain import dijet_mass, passes
from jetkit.simulation.detector import detect
from jetkit.simulation.detector_card import load_card
from jetkit.simulation.jets import Jets, find_jets
from jetkit.simulation.recipe import JetRecipe
from jetkit.simulation.rows import generator_rows, harder_first, jet_rows, join, particle_rows, take

from .conftest import momentum

CARD = load_card("cms-jetclass")
CUTS = JetRecipe(radius=0.8, pt=(300.0, 2000.0))


@pytest.fixture(scope="module")
def seen(qcd_events):
    return detect(qcd_events.particles, CARD, np.arange(len(qcd_events.number)) + 5)


@pytest.fixture(scope="module")
def jets(seen):
    return harder_first(find_jets(seen, 0.8, 300.0), seen)


def test_constituents_come_by_falling_pt(seen, jets) -> None:
    rows = particle_rows(jets, seen, CARD)
    pt = np.hypot(rows["part_px"].values, rows["part_py"].values)
    starts = np.zeros(len(pt), bool)
    starts[jets.offsets[:-1]] = True
    assert (np.diff(pt)[~starts[1:]] <= 0).all()


def test_truncation_keeps_the_hardest(seen, jets) -> None:
    short = harder_first(jets, seen, most=10)
    assert np.diff(short.offsets).max() == 10
    np.testing.assert_array_equal(short.rows[:10], jets.rows[:10])


def test_deta_is_signed_with_the_side_of_the_jet_and_dphi_is_wrapped(seen, jets) -> None:
    rows = particle_rows(jets, seen, CARD)
    p4, jet = seen.p4[jets.rows], np.repeat(np.arange(len(jets)), np.diff(jets.offsets))
    eta = np.arcsinh(p4[:, 3] / np.hypot(p4[:, 1], p4[:, 2]))
    np.testing.assert_allclose(rows["part_deta"].values, np.sign(jets.eta[jet]) * (eta - jets.eta[jet]))
    assert np.abs(rows["part_dphi"].values).max() < 1.2


def test_every_particle_carries_one_flag(seen, jets) -> None:
    rows = particle_rows(jets, seen, CARD)
    flags = [rows[f"part_is{kind}"].values for kind in ["Electron", "Muon", "Photon", "ChargedHadron", "NeutralHadron"]]
    assert (np.sum(flags, axis=0) == 1).all()
    charged = rows["part_charge"].values != 0
    assert (rows["part_d0err"].values[~charged] == 0).all()
    assert (charged == (flags[0] | flags[1] | flags[3])).all()


def test_columns_follow_the_detector_and_not_the_jets(seen, jets) -> None:
    none = jets.keep(np.array([], dtype=np.int64))
    assert set(particle_rows(none, seen, CARD)) == set(particle_rows(jets, seen, CARD))
    assert "part_d0val" not in particle_rows(jets, seen, load_card("atlas"))
    assert "part_pid" in particle_rows(jets, seen, None)


def test_all_columns_are_known_to_the_dataset_room(seen, jets) -> None:
    rows = jet_rows(jets, seen, CUTS) | particle_rows(jets, seen, CARD)
    assert set(rows) <= set(COLUMNS)


def test_soft_drop_never_adds_mass_and_tau_falls(seen, jets) -> None:
    rows = jet_rows(jets, seen, CUTS)
    assert (rows["jet_sdmass"] <= rows["jet_mass"] + 1e-9).all()
    assert (rows["jet_tau1"] >= rows["jet_tau2"] - 1e-3).all()


def test_the_generator_jet_is_the_nearest_one(seen, jets, qcd_events) -> None:
    finals = qcd_events.particles.visible()
    rows = generator_rows(jets, find_jets(finals, 0.8, 100.0), finals, CUTS)
    response = jets.pt / rows["genjet_pt"]
    assert 0.8 < np.median(response) < 1.1
    assert rows["genpart_pid"].counts.tolist() == rows["genjet_nparticles"].tolist()


def test_a_jet_without_a_generator_jet_gets_an_empty_one(seen, jets, qcd_events) -> None:
    finals = qcd_events.particles.visible()
    none = generator_rows(jets.keep(np.array([0])), find_jets(finals, 0.8, 100.0).keep(jets.event[:0]), finals, CUTS)
    assert none["genjet_pt"].tolist() == [0.0]
    assert none["genpart_px"].counts.tolist() == [0]


def test_joining_and_taking_are_inverse(seen, jets) -> None:
    rows = particle_rows(jets, seen, CARD)
    order = np.random.default_rng(0).permutation(len(jets))
    back = take(take(rows, order), np.argsort(order))
    np.testing.assert_array_equal(back["part_px"].values, rows["part_px"].values)
    twice = take(join([rows, rows]), np.arange(len(jets)))
    np.testing.assert_array_equal(twice["part_px"].values, rows["part_px"].values)


def bare_jets(pt, eta, event, rank) -> Jets:
    none = np.zeros(len(pt) + 1, np.int64)
    return Jets(momentum(pt, eta), np.array(event), np.array(rank), np.empty(0, np.int64), none)


def test_only_the_leading_jet_of_an_event_may_pass() -> None:
    two = bare_jets([600.0, 580.0, 600.0], [0.0, 0.0, 2.5], [0, 0, 1], [0, 1, 0])
    assert passes(two, JetRecipe(radius=0.8, pt=(550, 650), abs_eta=2.0, leading=1)).tolist() == [True, False, False]


def test_dijets_pass_together_or_not_at_all() -> None:
    rule = JetRecipe(radius=1.0, pt=(20, 6500), abs_eta=2.5, leading=2, together=True, leading_pt=1200)
    jets = bare_jets([1300, 900, 1300, 900, 1100, 900], [0, 0, 0, 3, 0, 0], [0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1])
    assert passes(jets, rule).tolist() == [True, True, False, False, False, False]


def test_the_dijet_mass_is_that_of_the_text_book() -> None:
    jets = Jets(
        momentum([1000.0, 1000.0], 0.0, [0.0, np.pi]),
        np.zeros(2, int),
        np.arange(2),
        np.empty(0, int),
        np.zeros(3, int),
    )
    np.testing.assert_allclose(dijet_mass(jets, 2), 2000.0)
