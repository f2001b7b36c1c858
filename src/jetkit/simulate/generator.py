"""Pythia 8: settings and a seed in, events out. The one file that knows pythia8mc and its awkward arrays.

Each event draws from streams of its own, re-seeded by hooks between the stages: the hard process from (seed, event),
the parton shower with multiparton interactions and beam remnants from (seed, event, copy), hadronisation and decays
likewise. So any event can be repeated alone, and a twin repeats a later stage while the hard process stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jetkit.errors import JetkitError, require
from jetkit.simulate.options import Twin
from jetkit.simulate.particles import Floats, Ints, Particles, row_limits
from jetkit.simulate.seeds import derive_seed

REPEATED: dict[Twin, frozenset[str]] = {
    "none": frozenset(),
    "redetect": frozenset({"detector"}),
    "rehadronise": frozenset({"hadrons", "detector"}),
    "reshower": frozenset({"shower", "hadrons", "detector"}),
}
"""Which stages a twin draws anew."""

PATIENCE = 20
"""Batches without an event after which the settings count as impossible."""


@dataclass(frozen=True)
class Record:
    """The generator's whole history of E events: partons, resonances and hadrons.

    Daughters are row numbers within the event; 0 means none. Statuses are Pythia's.
    """

    pid: Ints
    status: Ints
    daughters: Ints
    p4: Floats
    offsets: Ints

    @property
    def event(self) -> Ints:
        """The event that each entry belongs to."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


@dataclass(frozen=True)
class Events:
    """A batch of events: the final particles, the record behind them, and the numbers that name the events."""

    particles: Particles
    record: Record
    number: Ints


@dataclass(frozen=True)
class Streams:
    """Seeds of one shard's events, for the original (copy 0) or a twin (copy 1)."""

    seed: int
    twin: Twin = "none"
    copy: int = 0

    def of(self, stage: str, event: int, below: int = 900_000_000) -> int:
        """The seed of a stage ('process', 'shower', 'hadrons', 'detector') of an event."""
        copy = self.copy if stage in REPEATED[self.twin] else 0
        return derive_seed(self.seed, stage, event, copy, below=below)


class Generator:
    """Pythia 8 with per-event random streams.

    Args:
        settings: Pythia's ``readString`` lines.
        streams: where each event's random numbers come from.

    Raises:
        JetkitError: a line that Pythia does not know, or settings with which it cannot start.

    Example:
        >>> lines = ["Beams:eCM = 14000.", "HardQCD:all = on", "PhaseSpace:pTHatMin = 500."]
        >>> events = next(Generator(lines, Streams(seed=1)).batches(2))
        >>> len(events.particles), events.number.tolist()
        (2, [0, 1])
    """

    def __init__(self, settings: Sequence[str], streams: Streams) -> None:
        self._pythia = _start(settings, streams.seed)
        self._hooks = _reseeding_hooks(self._pythia, streams)
        if not self._pythia.init():
            raise JetkitError("Pythia cannot start with these settings; its own lines above name the one to mend")
        self._charges: dict[int, int] = {}

    def batches(self, size: int) -> Iterator[Events]:
        """Events without end, about ``size`` at a time; those that Pythia gives up on are left out.

        Raises:
            JetkitError: Pythia gives up on every event.
        """
        self._hooks.begin()
        lost = 0
        while lost < PATIENCE:
            batch = self._pythia.nextBatch(size, "skip")
            numbers = self._hooks.take_finished()
            if len(batch) == 0 or len(numbers) != len(batch):
                lost += 1
                continue
            lost = 0
            yield self._unpack(batch, np.array(numbers, dtype=np.int64))
        raise JetkitError(f"Pythia gave up on {PATIENCE * size} events in a row; mend the recipe's generator settings")

    def _unpack(self, batch: Any, numbers: Ints) -> Events:
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
        return Events(particles, Record(pid, status, daughters, p4, offsets), numbers)

    def _charge(self, pid: Ints) -> Ints:
        kinds, place = np.unique(pid, return_inverse=True)
        for kind in kinds.tolist():
            if kind not in self._charges:
                self._charges[kind] = round(self._pythia.particleData.charge(kind))
        return np.array([self._charges[kind] for kind in kinds.tolist()], dtype=np.int64)[place]


def version() -> str:
    """Pythia's version number, as in 8.317."""
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


def _reseeding_hooks(pythia: Any, streams: Streams) -> Any:
    class Reseeding(require("pythia8mc").UserHooks):  # type: ignore[misc]
        """Changes no physics: vetoes nothing, only re-seeds where a stage ends."""

        def __init__(self) -> None:
            super().__init__()
            self.event = 0
            self.finished: list[int] = []
            self.hadrons = bool(pythia.flag("HadronLevel:all"))

        def begin(self) -> None:
            pythia.rndm.init(streams.of("process", self.event))

        def take_finished(self) -> list[int]:
            finished, self.finished = self.finished, []
            return finished

        def finish(self) -> None:
            self.finished.append(self.event)
            self.event += 1
            self.begin()

        def canVetoProcessLevel(self) -> bool:
            return True

        def doVetoProcessLevel(self, process: Any) -> bool:
            pythia.rndm.init(streams.of("shower", self.event))
            return False

        def canVetoPartonLevel(self) -> bool:
            return True

        def doVetoPartonLevel(self, event: Any) -> bool:
            if self.hadrons:
                pythia.rndm.init(streams.of("hadrons", self.event))
            else:
                self.finish()
            return False

        def onEndHadronLevel(self, *_: Any) -> bool:
            self.finish()
            return True

    hooks = Reseeding()
    pythia.addUserHooksPtr(hooks)
    return hooks


def _vertices(listed: Any, rows: Ints) -> Floats:
    index = np.asarray(listed.index.data)[rows]
    known = index >= 0
    vertex = np.zeros((len(rows), 3))
    for axis, name in enumerate(("px", "py", "pz")):
        vertex[known, axis] = np.asarray(listed.content.content(name).data)[index[known]]
    return vertex
