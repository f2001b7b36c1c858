import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.simulation.generator import Events, Generator, PartonWindow, Record, Streams
from jetkit.simulation.jets import Axes, Jets, find_jets, nearest
from jetkit.simulation.particles import Particles
from jetkit.simulation.truth import parton_level

from .conftest import QCD


def events_of(twin="none", copy=0, size=5, count=5, extra=()):
    batches = Generator([*QCD, *extra], Streams(3, twin, copy)).batches(size)
    return [next(batches) for _ in range(count // size)]


def entries(record: Record, low: int, high: int) -> np.ndarray:
    return record.p4[(np.abs(record.status) >= low) & (np.abs(record.status) <= high)]


def test_energy_and_momentum_are_conserved(qcd_events) -> None:
    finals = qcd_events.particles
    total = np.add.reduceat(finals.p4, finals.offsets[:-1])
    np.testing.assert_allclose(total, np.broadcast_to([14_000.0, 0, 0, 0], total.shape), atol=1e-4)


def test_charge_is_conserved(qcd_events) -> None:
    finals = qcd_events.particles
    assert np.add.reduceat(finals.charge, finals.offsets[:-1]).tolist() == [2] * len(finals)


def test_an_event_does_not_depend_on_the_batches_around_it() -> None:
    (five,) = events_of(size=5)
    singles = events_of(size=1)
    for k, one in enumerate(singles):
        start, stop = five.particles.offsets[k : k + 2]
        np.testing.assert_array_equal(one.particles.p4, five.particles.p4[start:stop])
    assert five.number.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("twin", "same_process", "same_partons", "same_hadrons"),
    [("redetect", True, True, True), ("rehadronise", True, True, False), ("reshower", True, False, False)],
)
def test_twins_repeat_just_what_they_say(twin, same_process, same_partons, same_hadrons) -> None:
    (original,), (copy,) = events_of(), events_of(twin, 1)

    def equal(a: np.ndarray, b: np.ndarray) -> bool:
        return np.array_equal(a, b)

    assert equal(entries(original.record, 21, 29), entries(copy.record, 21, 29)) is same_process
    assert equal(entries(original.record, 41, 69), entries(copy.record, 41, 69)) is same_partons
    assert equal(original.particles.p4, copy.particles.p4) is same_hadrons


@pytest.fixture(scope="module")
def rehadronised() -> Events:
    """The shared events with other hadrons."""
    return next(Generator(QCD, Streams(4, "rehadronise", copy=1)).batches(60))


def jets_of_partons(events: Events) -> Jets:
    """Jets of the partons that become hadrons."""
    record = events.record
    early = np.abs(record.status) < 70
    heir = np.minimum(record.offsets[record.event] + record.daughters[:, 0], len(early) - 1)
    last = early & ~early[heir] & (record.daughters[:, 0] > 0) & (record.pid != 90)
    nothing = np.zeros((last.sum(), 4))
    whole = record.pid[last]
    limits = np.concatenate([[0], np.cumsum(last)])[record.offsets]
    return find_jets(Particles(record.p4[last], whole, whole, nothing[:, :3], limits, nothing), 0.8, 100.0)


def test_jets_of_partons_are_the_same_where_hadrons_are_drawn_anew(qcd_events, rehadronised) -> None:
    first, second = jets_of_partons(qcd_events), jets_of_partons(rehadronised)
    assert len(first) > 100
    np.testing.assert_array_equal(first.mass, second.mass)
    np.testing.assert_array_equal(parton_level(qcd_events.record), parton_level(rehadronised.record))


def test_numbers_of_hadrons_vary_less_within_a_pair_than_between_pairs(qcd_events, rehadronised) -> None:
    jets = [find_jets(events.particles.visible(), 0.8, 100.0) for events in (qcd_events, rehadronised)]
    partner = nearest(Axes.of(jets[0]), Axes.of(jets[1]), 0.4)
    hard = np.flatnonzero((jets[0].rank == 0) & (partner >= 0))
    count = np.stack([np.diff(jets[0].offsets)[hard], np.diff(jets[1].offsets)[partner[hard]]], axis=1)
    assert len(hard) > 50
    within, between = count.var(axis=1, ddof=1).mean(), count.mean(axis=1).var(ddof=1)
    assert 0 < within < 0.5 * between


def test_parton_level_keeps_the_hard_process_and_ends_with_partons() -> None:
    (hadrons,), (partons,) = events_of(), events_of(extra=["HadronLevel:all = off"])
    np.testing.assert_array_equal(entries(hadrons.record, 21, 29), entries(partons.record, 21, 29))
    assert set(np.unique(np.abs(partons.particles.pid))) <= {1, 2, 3, 4, 5, 21, 22, 1103, 2101, 2103, 2203}
    assert partons.number.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("algorithm", ["antikt", "kt", "cambridge"])
def test_events_inside_the_window_are_those_without_it(qcd_events, algorithm) -> None:
    inside = next(Generator(QCD, Streams(4), PartonWindow((550.0, 650.0), 0.8, algorithm, leading=1)).batches(60))
    assert 0 < len(inside.number) == 60 - inside.vetoed < 60
    for k, number in enumerate(inside.number.tolist()):
        start, stop = inside.particles.offsets[k : k + 2]
        first, last = qcd_events.particles.offsets[number : number + 2]
        np.testing.assert_array_equal(inside.particles.p4[start:stop], qcd_events.particles.p4[first:last])


def test_the_window_looks_at_the_hardest_jets_of_partons(qcd_events) -> None:
    """Against jets of all partons before hadronisation, which differ by what the shower does below 10 GeV."""
    partons = next(Generator([*QCD, "HadronLevel:all = off"], Streams(4)).batches(60)).particles
    jets = find_jets(partons, radius=0.8, pt_min=100.0)
    hardest = np.array([jets.pt[jets.event == event].max() for event in range(60)])
    inside = next(Generator(QCD, Streams(4), PartonWindow((500.0, 600.0), 0.8, leading=1)).batches(60)).number
    near = np.isin(np.arange(60), inside)
    assert near[(hardest > 530) & (hardest < 570)].all()
    assert not near[(hardest < 470) | (hardest > 630)].any()


def test_a_window_that_nothing_comes_into_is_one_sentence() -> None:
    with pytest.raises(JetkitError, match=r"none of 100 events has a jet of partons in jets.parton_window = \[9000"):
        next(Generator(QCD, Streams(4), PartonWindow((9000.0, 9500.0), 0.8)).batches(1))


def test_a_setting_that_pythia_does_not_know_is_named() -> None:
    with pytest.raises(JetkitError, match="'HardQCD:everything = on'"):
        Generator(["HardQCD:everything = on"], Streams(1))


def test_settings_without_a_process_are_refused() -> None:
    with pytest.raises(JetkitError, match="cannot start"):
        Generator(["Beams:eCM = 13000."], Streams(1))


def test_a_value_out_of_range_is_named() -> None:
    with pytest.raises(JetkitError, match="eCM = -5"):
        Generator(["Beams:eCM = -5."], Streams(1))
