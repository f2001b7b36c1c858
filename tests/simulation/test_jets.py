import fastjet
import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.simulation.jets import find_jets

from .conftest import momentum, particles


@pytest.fixture(scope="module")
def found(qcd_events):
    return find_jets(qcd_events.particles, 0.8, 20.0)


def test_jets_are_those_of_the_plain_fastjet_call(qcd_events, found) -> None:
    finals = qcd_events.particles
    for event in range(5):
        rows = finals.p4[finals.offsets[event] : finals.offsets[event + 1]]
        plain = [fastjet.PseudoJet(px, py, pz, e) for e, px, py, pz in rows.tolist()]
        sequence = fastjet.ClusterSequence(plain, fastjet.JetDefinition(fastjet.antikt_algorithm, 0.8))
        expected = sorted((jet.pt() for jet in sequence.inclusive_jets(20.0)), reverse=True)
        np.testing.assert_allclose(found.pt[found.event == event], expected, rtol=1e-12)


def test_constituents_add_up_to_the_jet(qcd_events, found) -> None:
    total = np.add.reduceat(qcd_events.particles.p4[found.rows], found.offsets[:-1])
    np.testing.assert_allclose(total, found.p4, atol=1e-8)


def test_constituents_belong_to_the_event_of_the_jet(qcd_events, found) -> None:
    owner = np.repeat(found.event, np.diff(found.offsets))
    assert (qcd_events.particles.event[found.rows] == owner).all()


def test_ranks_count_from_the_hardest(found) -> None:
    for event in np.unique(found.event):
        here = found.event == event
        assert found.rank[here].tolist() == list(range(here.sum()))
        assert (np.diff(found.pt[here]) <= 0).all()


def test_keep_takes_the_constituents_along(qcd_events, found) -> None:
    some = found.keep(found.pt > 400)
    total = np.add.reduceat(qcd_events.particles.p4[some.rows], some.offsets[:-1])
    np.testing.assert_allclose(total, some.p4, atol=1e-8)


def test_events_without_particles_are_passed_over() -> None:
    sample = particles(momentum([100.0, 50.0], [0.0, 1.0]), 22, events="one each")
    jets = find_jets(sample.keep(np.array([False, True])), 0.4, 10.0)
    assert jets.event.tolist() == [1]


def test_no_particles_at_all_give_no_jets() -> None:
    sample = particles(momentum([100.0]), 22).keep(np.array([False]))
    assert len(find_jets(sample, 0.4, 10.0)) == 0


def test_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(JetkitError, match="choose from antikt"):
        find_jets(particles(momentum([100.0]), 22), 0.4, 10.0, "siscone")
