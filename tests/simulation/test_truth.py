import numpy as np
import pytest

from jetkit.simulation.generator import Record
from jetkit.simulation.jets import Jets
from jetkit.simulation.recipe import Match
from jetkit.simulation.truth import find_decays, hard_partons_are, hard_process, match_jets, parton_level

from .conftest import momentum


def record(entries, status=-23) -> Record:
    """One event from (pid, first daughter, last daughter, eta) with pT = 100 GeV; entry 0 is the system."""
    pid, first, last, eta = (np.array(column) for column in zip((90, 0, 0, 0.0), *entries, strict=True))
    p4 = momentum(np.full(len(pid), 100.0), eta)
    statuses = np.full(len(pid), status)
    return Record(pid, statuses, np.stack([first, last], axis=1), p4, np.array([0, len(pid)]))


def jet(eta=0.0) -> Jets:
    return Jets(momentum([600.0], eta), np.array([0]), np.array([0]), np.empty(0, np.int64), np.array([0, 0]))


TOP = [
    (6, 2, 3, 0.0),  # 1: top, radiates
    (6, 4, 5, 0.1),  # 2: its last copy
    (21, 0, 0, 2.0),  # 3
    (24, 6, 6, 0.2),  # 4: W, recoils
    (5, 0, 0, 0.3),  # 5
    (24, 7, 8, 0.2),  # 6
    (2, 9, 10, 0.1),  # 7
    (-1, 0, 0, -0.2),  # 8
    (2, 0, 0, 3.0),  # 9: later copies of the quark do not count
    (21, 0, 0, 3.0),  # 10
]
LEPTONIC = [
    (6, 2, 3, 0.0),
    (24, 4, 5, 0.1),
    (5, 0, 0, 0.2),
    (-11, 6, 7, 2.0),  # 4: positron before radiation
    (12, 0, 0, 0.0),
    (-11, 0, 0, 0.4),  # 6: its final copy
    (22, 0, 0, 0.4),
]


def test_decay_products_are_those_of_the_last_copy() -> None:
    decays = find_decays(record(TOP), 6)
    assert decays.pid.tolist() == [[6, 5, 2, -1, 0, 0, 0, 0, 0]]


def test_a_charged_lepton_counts_in_its_final_copy_and_a_neutrino_not_at_all() -> None:
    decays = find_decays(record(LEPTONIC), 6)
    assert decays.pid[0, :4].tolist() == [6, 5, -11, 0]
    assert np.arcsinh(decays.p4[0, 2, 3] / 100.0) == pytest.approx(0.4)


def test_a_boson_that_decays_invisibly_is_no_decay() -> None:
    assert len(find_decays(record([(23, 2, 3, 0.0), (12, 0, 0, 0.0), (-12, 0, 0, 0.0)]), 23).event) == 0


@pytest.mark.parametrize(
    ("history", "rule", "eta", "owner"),
    [
        (TOP, Match(6, quarks=3), 0.0, 0),
        (TOP, Match(6, quarks=3), 0.7, -1),
        (TOP, Match(6, quarks=2), 0.0, -1),
        (TOP, Match(24, quarks=2), 0.0, 0),
        (TOP, Match(6, quarks=3, radius=0.25), 0.05, -1),
        (LEPTONIC, Match(6, quarks=1, leptons=1), 0.0, 0),
        (LEPTONIC, Match(6, quarks=1), 0.0, -1),
    ],
)
def test_jets_match_as_the_rule_says(history, rule, eta, owner) -> None:
    assert match_jets(jet(eta), find_decays(record(history), rule.resonance), rule).tolist() == [owner]


def test_the_axis_rule_wants_the_resonance_inside_as_well() -> None:
    far = [(6, 2, 3, 2.0), (24, 4, 5, 0.0), (5, 0, 0, 0.0), (1, 0, 0, 0.0), (-2, 0, 0, 0.0)]
    decays = find_decays(record(far), 6)
    assert match_jets(jet(), decays, Match(6, quarks=3)).tolist() == [0]
    assert match_jets(jet(), decays, Match(6, quarks=3, axis=True)).tolist() == [-1]


def test_jets_of_another_event_do_not_match() -> None:
    later = Jets(momentum([600.0]), np.array([1]), np.array([0]), np.empty(0, np.int64), np.array([0, 0]))
    assert match_jets(later, find_decays(record(TOP), 6), Match(6, quarks=3)).tolist() == [-1]


def test_the_flavour_of_the_hard_process_can_be_asked_for() -> None:
    event = record([(23, 0, 0, 0.0), (4, 0, 0, 0.0)])
    assert hard_partons_are(event, [1, 2, 3]).tolist() == [False]
    assert hard_partons_are(event, [4]).tolist() == [True]


@pytest.mark.parametrize("history", [hard_process, parton_level])
def test_real_events_carry_a_number_of_their_history(qcd_events, history) -> None:
    assert len(np.unique(history(qcd_events.record))) == len(qcd_events.number)
