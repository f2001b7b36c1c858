"""Events of other generators: HepMC and Les Houches files through the detector and jet finding of the simulator."""

from __future__ import annotations

import gzip
from abc import abstractmethod
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from jetkit.data.readers.files import check_file, reading
from jetkit.data.readers.reader import Reader, Rows
from jetkit.errors import JetkitError, require
from jetkit.registry import register
from jetkit.simulation.chain import BATCH, Chain
from jetkit.simulation.detector_card import load_card
from jetkit.simulation.generator import Charges, Events, Generator, Record, Streams
from jetkit.simulation.particles import Ints, Particles, row_limits
from jetkit.simulation.recipe import ClassRecipe, JetRecipe
from jetkit.simulation.rows import join

FINAL = 1
"""Status of a stable particle in HepMC."""
NOMINAL = ("", "0", "default", "nominal")
"""Lower-case names of the nominal weight among the variations; without one of them, the first weight is nominal."""
NO_RECORD = Record(*(np.empty(0, np.int64),) * 2, np.empty((0, 2), np.int64), np.empty((0, 4)), np.zeros(1, np.int64))


class EventFile(Reader):
    """Reader that simulates the detector for generated events and finds their jets, with random streams per event.

    Each jet carries the nominal weight of its event if the file has weights.

    Args:
        label: class name of all jets (none: no label)
        detector: a detector card; none: particle level
        radius: R of the anti-kT jets
        pt: smallest and largest pT of a jet in GeV
        abs_eta: largest absolute η of a jet
        leading: number of hardest jets of an event to keep (0: all)
        seed: seed of the detector, and of the shower if there is one
    """

    kind: ClassVar[str]
    begins: ClassVar[bytes]
    """First bytes of the line that starts an event."""

    def __init__(
        self,
        path: Path,
        *,
        label: str = "",
        detector: str = "atlas",
        radius: float = 0.8,
        pt: tuple[float, float] = (20.0, 1e5),
        abs_eta: float = 2.5,
        leading: int = 0,
        seed: int = 1,
    ) -> None:
        check_file(path, self.kind)
        super().__init__(path)
        self.entries, self.classes = _count(path, self.begins), (label,) if label else ()
        if not self.entries:
            raise JetkitError(f"{path} has no {self.kind} event")
        jets = JetRecipe(radius=radius, pt=pt, abs_eta=abs_eta, leading=leading)
        card = None if detector == "none" else load_card(detector)
        self.streams = Streams(seed)
        recipe = ClassRecipe(name=label, variants=[[]])
        self._chain = Chain(None, self.streams, recipe, jets, card, 0 if label else -1)
        self._next = 0

    @abstractmethod
    def skip(self, start: int) -> None:
        """Move to event ``start``, so that it is taken next."""

    @abstractmethod
    def take(self, count: int) -> Events:
        """Read the next ``count`` events."""

    def read(self, start: int, stop: int) -> Rows:
        """Return the jets of some events; events without a jet that passes the cuts are counted."""
        if start != self._next:
            with reading(self.path, "events"):
                self.skip(start)
        self._next = start
        parts, weighted = [], False
        for first in range(start, stop, BATCH):
            with reading(self.path, "events"):
                events = self.take(min(BATCH, stop - first))
            rows = self._chain.process(events)
            number, weight = np.asarray(rows["event_id"]), events.weight
            self.skipped["an event without a jet in the cuts"] += len(events.number) - len(np.unique(number))
            assert weight is not None
            weighted |= bool((~np.isnan(weight)).any())
            parts.append(rows | {"event_weight": weight[np.searchsorted(events.number, number)]})
        rows = join(parts)
        if not weighted:
            del rows["event_weight"]
        return rows | {"entry": rows.pop("event_id")}


@register(
    "hepmc",
    kind="reader",
    paper="The HepMC3 event record library for Monte Carlo event generators, 2019, arXiv:1912.08005",
)
class HepMC(EventFile):
    """HepMC files (2 or 3, also .gz) of any generator: stable particles through a detector card, clustered into jets.

    The options are those of `EventFile`.
    """

    suffixes = (".hepmc", ".hepmc.gz", ".hepmc2", ".hepmc2.gz", ".hepmc3", ".hepmc3.gz")
    program = "pyhepmc"
    kind = "HepMC"
    begins = b"E "

    def __init__(self, path: Path, **options: Any) -> None:
        super().__init__(path, **options)
        self._charge = Charges()
        self._file: Any = None
        self.skip(0)

    def skip(self, start: int) -> None:
        """Move to event ``start``, so that it is taken next.

        Raises:
            JetkitError: the file ends before this event.
        """
        self.close()
        self._file = require("pyhepmc").open(str(self.path))
        self._events: Iterator[Any] = iter(self._file)
        if sum(1 for _ in islice(self._events, start)) < start:
            raise JetkitError(f"{self.path} ends before event {start}")

    def take(self, count: int) -> Events:
        """Read the next ``count`` events.

        Raises:
            JetkitError: the file is cut short.
        """
        first, found = self._next, [self._final(event) for event in islice(self._events, count)]
        if len(found) < count:
            raise JetkitError(f"{self.path} is cut short: it ends inside event {first + len(found)}")
        *found_particles, weight = zip(*found, strict=True)
        pid, p4, vertex = (np.concatenate(parts) for parts in found_particles)
        offsets = row_limits(np.array([len(one) for one in found_particles[0]]))
        self._next += count
        nothing = np.zeros((len(pid), 4))
        particles = Particles(p4, pid, self._charge(pid), vertex, offsets, nothing)
        return Events(particles, NO_RECORD, first + np.arange(count), weight=np.array(weight))

    def _final(self, event: Any) -> tuple[Ints, np.ndarray, np.ndarray, float]:
        """Return PDG codes, momenta (GeV) and vertices (mm) of the stable particles of an event, and its weight."""
        hepmc = require("pyhepmc")
        event.set_units(hepmc.Units.GEV, hepmc.Units.MM)
        found = event.numpy.particles
        final = np.flatnonzero(found.status == FINAL)
        p4 = np.stack([found.e, found.px, found.py, found.pz], axis=1)[final]
        data = hepmc.GenEventData()
        event.write_data(data)
        born = np.zeros(len(found.pid) + 1, np.int64)  # of each particle, counted from 1, the vertex, 0: none
        links = np.stack([data.links1, data.links2])
        links = links[:, (links[0] < 0) & (links[1] > 0)]
        born[links[1]] = -links[0]
        places = event.numpy.vertices
        position = np.zeros((len(places.x) + 1, 3))
        position[1:] = np.stack([places.x, places.y, places.z], axis=1)
        return found.pid[final].astype(np.int64), p4, position[born[final + 1]], _nominal(event)

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()


@register("lhe", kind="reader", paper="A standard format for Les Houches Event Files, 2006, hep-ph/0609017")
class LesHouches(EventFile):
    """Les Houches files (.lhe, .lhe.gz) of matrix elements: shower and hadrons by Pythia 8, a detector card, jets.

    Args:
        settings: lines for Pythia, such as "PartonLevel:MPI = off"
    """

    suffixes = (".lhe", ".lhe.gz")
    program = "pythia8mc"
    kind = "Les Houches"
    begins = b"<event"

    def __init__(self, path: Path, *, settings: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(path, **options)
        self._settings = ("Beams:frameType = 4", f"Beams:LHEF = {path}", *settings)
        self.skip(0)

    def skip(self, start: int) -> None:
        """Restart Pythia and move to event ``start``, so that it is taken next."""
        self._generator = Generator(self._settings, self.streams)
        self._generator.skip(start)

    def take(self, count: int) -> Events:
        """Shower and hadronise the next ``count`` events.

        Raises:
            JetkitError: Pythia gives up on all of them.
        """
        events = self._generator.take(count, first=self._next)
        if events is None:
            raise JetkitError(f"Pythia gives up on all events of {self.path} from {self._next}; its lines say why")
        self._next += count
        self.skipped["an event that Pythia gave up"] += count - len(events.number)
        return events

    def close(self) -> None:
        """Do nothing, since no file stays open between two reads."""


def _nominal(event: Any) -> float:
    """Return the nominal weight of a HepMC event, NaN if it has none."""
    values = list(event.weights)
    names = [name.lower() for name in event.run_info.weight_names] if event.run_info else []
    place = next((place for place, name in enumerate(names[: len(values)]) if name in NOMINAL), 0)
    return float(values[place]) if values else float("nan")


def _count(path: Path, start: bytes) -> int:
    """Count the lines that begin with ``start``."""
    with reading(path, "events"), gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        return sum(line.startswith(start) for line in file)
