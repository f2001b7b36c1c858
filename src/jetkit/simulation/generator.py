"""Event generation with Pythia 8; the only module that depends on pythia8mc and its awkward arrays.

Each event draws from random streams of its own, re-seeded by hooks between the stages: the hard process from (seed,
event); the parton shower with multiparton interactions and beam remnants from (seed, event, copy); hadronisation and
decays likewise. Any event can therefore be repeated alone, a twin repeats a later stage at the same hard process, and
vetoing events far from the cuts changes none of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jetkit.errors import JetkitError, require
from jetkit.physics.ragged import jet_of
from jetkit.simulation.options import Twin
from jetkit.simulation.particles import Floats, Ints, Particles, row_limits
from jetkit.simulation.seeds import derive_seed

REPEATED: dict[Twin, frozenset[str]] = {
    "none": frozenset(),
    "redetect": frozenset({"detector"}),
    "rehadronise": frozenset({"hadrons", "detector"}),
    "reshower": frozenset({"shower", "hadrons", "detector"}),
}
"""Stages that each kind of twin draws anew."""

PATIENCE = 100
"""Number of consecutive batches without an event after which the settings count as impossible."""

VETO_SCALE = 10.0
"""pT in GeV down to which the shower has evolved when the parton window is applied."""
POWERS = {"antikt": -1, "cambridge": 0, "kt": 1}
RESONANCE_DECAY = 5
"""Pythia's code for a shower inside the decay of a resonance."""


@dataclass(frozen=True)
class Record:
    """Full generator history of E events: partons, resonances and hadrons.

    Daughters are row numbers within the event; 0 means none. Status codes are those of Pythia.
    """

    pid: Ints
    status: Ints
    daughters: Ints
    p4: Floats
    offsets: Ints

    @property
    def event(self) -> Ints:
        """Index of the event of each entry."""
        return jet_of(self.offsets)


@dataclass(frozen=True)
class Events:
    """A batch of events: final particles, their generator record, and the event numbers.

    ``vetoed`` counts the events rejected by the parton window. Events of other generators have weights, which are NaN
    if the file has none.
    """

    particles: Particles
    record: Record
    number: Ints
    vetoed: int = 0
    weight: Floats | None = None


@dataclass(frozen=True)
class Streams:
    """Random seeds for the events of one shard, for the original (copy 0) or a twin (copy 1)."""

    seed: int
    twin: Twin = "none"
    copy: int = 0

    def of(self, stage: str, event: int, below: int = 900_000_000) -> int:
        """Return the seed of a stage ('process', 'shower', 'hadrons', 'detector') of an event."""
        copy = self.copy if stage in REPEATED[self.twin] else 0
        return derive_seed(self.seed, stage, event, copy, below=below)


@dataclass(frozen=True)
class PartonWindow:
    """A window for the pT of the hardest parton jets, outside of which events are vetoed early.

    An event is kept if one of the jets has low < pT < high. The partons are those of the shower down to ``VETO_SCALE``.
    Tops and W bosons have not decayed yet and count as partons; Z and Higgs bosons are invisible, following Pythia.

    Attributes:
        pt: (low, high) in GeV.
        radius: R of the jets.
        algorithm: 'antikt', 'kt' or 'cambridge'.
        leading: number of hardest jets to consider; 0 takes all.
    """

    pt: tuple[float, float]
    radius: float
    algorithm: str = "antikt"
    leading: int = 0


class Generator:
    """Pythia 8 with per-event random streams.

    Args:
        settings: Pythia's ``readString`` lines.
        streams: where each event's random numbers come from.
        window: events outside are given up early in the shower; those inside come out the same with it and without.

    Raises:
        JetkitError: a line that Pythia does not know, or settings with which it cannot start.

    Example:
        >>> lines = ["Beams:eCM = 14000.", "HardQCD:all = on", "PhaseSpace:pTHatMin = 500."]
        >>> events = next(Generator(lines, Streams(seed=1)).batches(2))
        >>> len(events.particles), events.number.tolist()
        (2, [0, 1])
    """

    def __init__(self, settings: Sequence[str], streams: Streams, window: PartonWindow | None = None) -> None:
        self._pythia = _start([*settings, "Check:abortIfVeto = on"] if window else settings, streams.seed)
        self._course = Course(self._pythia.rndm, streams)
        self._hooks = _reseeding_hooks(self._pythia, self._course, window)
        self._window = window
        if not self._pythia.init():
            raise JetkitError("Pythia cannot start with these settings; its own lines above name the one to mend")
        self._charge = Charges(self._pythia)

    def skip(self, events: int) -> None:
        """Skip the first events of the file that Pythia reads."""
        self._pythia.LHAeventSkip(events)

    def take(self, tries: int, first: int | None = None) -> Events | None:
        """Generate events from ``tries`` attempts, numbered from ``first`` (None: from the last); None if all fail.

        Attempts that Pythia gives up on are left out, as are attempts beyond the end of the file that it reads.
        """
        if first is not None:
            self._course.begin(first)
        batch = self._pythia.nextBatch(tries, "skip")
        numbers = self._course.take_finished()
        if len(batch) == 0 or len(numbers) != len(batch):
            return None
        return self._unpack(batch, np.array(numbers, dtype=np.int64), self._course.take_vetoed())

    def batches(self, size: int) -> Iterator[Events]:
        """Yield events without end, from about ``size`` attempts at a time, without those that Pythia gives up on.

        Raises:
            JetkitError: Pythia gives up on every event, or none comes into the window.
        """
        self._course.begin()
        lost = 0
        while lost < PATIENCE:
            events = self.take(size)
            lost = 0 if events else lost + 1
            if events:
                yield events
        raise JetkitError(self._impossible(PATIENCE * size, self._course.take_vetoed()))

    def _impossible(self, tries: int, vetoed: int) -> str:
        if self._window is None or vetoed < tries // 2:
            return f"Pythia gave up on {tries} events in a row; mend the recipe's generator settings"
        return (
            f"none of {tries} events has a jet of partons in jets.parton_window = {list(self._window.pt)}; "
            "widen it or the generator's pTHat window"
        )

    def _unpack(self, batch: Any, numbers: Ints, vetoed: int) -> Events:
        listed = batch.layout.content("prt")
        entries, start, stop = listed.content, listed.offsets.data[0], listed.offsets.data[-1]
        fields = {name: entries.content(name).data[start:stop] for name in ("id", "status", "daughter1", "daughter2")}
        p4 = np.stack([entries.content("p").content(name).data[start:stop] for name in ("e", "px", "py", "pz")], axis=1)
        offsets = np.asarray(listed.offsets.data, dtype=np.int64) - start
        pid, status = fields["id"].astype(np.int64), fields["status"].astype(np.int64)
        daughters = np.stack([fields["daughter1"], fields["daughter2"]], axis=1).astype(np.int64)
        final = np.flatnonzero(status > 0)
        counts = np.diff(np.searchsorted(final, offsets))
        vertex = _vertices(entries.content("vProd"), final + start)
        charge = self._charge(pid[final])
        nothing = np.zeros((len(final), 4))
        particles = Particles(p4[final], pid[final], charge, vertex, row_limits(counts), nothing)
        return Events(particles, Record(pid, status, daughters, p4, offsets), numbers, vetoed, _weights(batch))


class Charges:
    """Electric charges by PDG code, in units of the proton's, from Pythia's table (0 for an unknown code).

    Example:
        >>> Charges()(np.array([211, -11, 22])).tolist()
        [1, 1, 0]
    """

    def __init__(self, pythia: Any = None) -> None:
        self._table = (pythia or require("pythia8mc").Pythia("", False)).particleData
        self._known: dict[int, int] = {}

    def __call__(self, pid: Ints) -> Ints:
        """Return the charge of each particle."""
        kinds, place = np.unique(pid, return_inverse=True)
        for kind in kinds.tolist():
            if kind not in self._known:
                self._known[kind] = round(self._table.charge(kind))
        return np.array([self._known[kind] for kind in kinds.tolist()], dtype=np.int64)[place]


def version() -> str:
    """Return Pythia's version number, such as 8.317."""
    pythia8 = require("pythia8mc")
    return f"{pythia8.Pythia('', False).parm('Pythia:versionNumber'):.3f}"


def _start(settings: Sequence[str], seed: int) -> Any:
    pythia = require("pythia8mc").Pythia("", False)
    pythia.readString("Print:quiet = on")
    for line in settings:
        if not pythia.readString(line, True):
            raise JetkitError(
                f"Pythia does not take the setting {line!r}; look it up in Pythia's manual and mend the recipe"
            )
    pythia.readString("Random:setSeed = on")
    pythia.readString(f"Random:seed = {derive_seed(seed, 'start')}")
    return pythia


class Course:
    """State of a run: the current event, the random stream of each stage, and the outcome of past events."""

    def __init__(self, random: Any, streams: Streams) -> None:
        self._random, self._streams = random, streams
        self._event = self._vetoed = 0
        self._finished: list[int] = []

    def begin(self, event: int | None = None, stage: str = "process") -> None:
        """Start drawing from the stream of a stage of this event, or of ``event``, from which counting continues."""
        self._event = self._event if event is None else event
        self._random.init(self._streams.of(stage, self._event))

    def finish(self) -> None:
        """Mark the event as finished and move to the next."""
        self._finished.append(self._event)
        self._event += 1
        self.begin()

    def veto(self) -> None:
        """Mark the event as vetoed and move to the next."""
        self._vetoed += 1
        self._event += 1
        self.begin()

    def take_finished(self) -> list[int]:
        """Return the numbers of the events finished since the last call."""
        finished, self._finished = self._finished, []
        return finished

    def take_vetoed(self) -> int:
        """Return the number of events vetoed since the last call."""
        vetoed, self._vetoed = self._vetoed, 0
        return vetoed


def _reseeding_hooks(pythia: Any, course: Course, window: PartonWindow | None) -> Any:
    comes_in = _judge(window) if window else None
    hadrons = bool(pythia.flag("HadronLevel:all"))

    class Reseeding(require("pythia8mc").UserHooks):  # type: ignore[misc]
        """Changes no physics: only re-seeds where a stage ends, and gives up events outside the window."""

        def canVetoProcessLevel(self) -> bool:
            return True

        def doVetoProcessLevel(self, process: Any) -> bool:
            course.begin(stage="shower")
            return False

        def canVetoPT(self) -> bool:
            return comes_in is not None

        def scaleVetoPT(self) -> float:
            return VETO_SCALE

        def doVetoPT(self, position: int, event: Any) -> bool:
            if comes_in is None or position == RESONANCE_DECAY or comes_in(event):
                return False
            course.veto()
            return True

        def canVetoPartonLevel(self) -> bool:
            return True

        def doVetoPartonLevel(self, event: Any) -> bool:
            if hadrons:
                course.begin(stage="hadrons")
            else:
                course.finish()
            return False

        def onEndHadronLevel(self, *_: Any) -> bool:
            course.finish()
            return True

    hooks = Reseeding()
    pythia.addUserHooksPtr(hooks)
    return hooks


def _judge(window: PartonWindow) -> Callable[[Any], bool]:
    """Return a test for whether an event's partons pass the window, using Pythia's own clustering."""
    low, high = window.pt
    visible, with_mass, plain, own_code = 2, 2, None, False
    cluster = require("pythia8mc").SlowJet(
        POWERS[window.algorithm], window.radius, low, 25.0, visible, with_mass, plain, own_code, True
    )

    def comes_in(event: Any) -> bool:
        cluster.analyze(event)
        above = cluster.sizeJet()
        return any(cluster.pT(k) < high for k in range(min(above, window.leading or above)))

    return comes_in


def _weights(batch: Any) -> Floats:
    """Return the nominal weight of each event, the first in its list."""
    listed = batch.layout.content("info").content("weights")
    first: Floats = np.asarray(listed.content.data, dtype=np.float64)[np.asarray(listed.offsets.data)[:-1]]
    return first


def _vertices(listed: Any, rows: Ints) -> Floats:
    index = np.asarray(listed.index.data)[rows]
    known = index >= 0
    vertex = np.zeros((len(rows), 3))
    for axis, name in enumerate(("px", "py", "pz")):
        vertex[known, axis] = np.asarray(listed.content.content(name).data)[index[known]]
    return vertex
