"""One batch of events through all stages: generate → detect → find jets → match → rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from jetkit.physics import four_vectors
from jetkit.simulation.detector import detect
from jetkit.simulation.detector_card import DetectorCard
from jetkit.simulation.generator import Events, Generator, PartonWindow, Streams
from jetkit.simulation.jets import Axes, Jets, find_jets, nearest
from jetkit.simulation.particles import Bools, Floats, Ints, Particles
from jetkit.simulation.recipe import ClassRecipe, JetRecipe
from jetkit.simulation.rows import Rows, decay_rows, generator_rows, harder_first, jet_rows, particle_rows
from jetkit.simulation.truth import find_decays, hard_partons_are, hard_process, match_jets, parton_level

BATCH = 100
"""Events processed together: a compromise between overhead and memory (about 1 MB per event with its history)."""
NEAR = 0.4
"""Largest ΔR between two twins, for jets of this radius or larger."""


@dataclass
class Chain:
    """Simulation stages for one class of jets, and counts of the events and jets that passed each.

    Args:
        generator: source of events; None if they are passed to `process`.
        streams: seeds of the detector.
        recipe: the class.
        jets: jet finding and cuts.
        card: the detector; None for particle level.
        label: index of the class.
    """

    generator: Generator | None
    streams: Streams
    recipe: ClassRecipe
    jets: JetRecipe
    card: DetectorCard | None
    label: int
    counts: Counter[str] = field(default_factory=Counter)

    def batches(self) -> Iterator[Rows]:
        """Yield the kept jets of one batch of events after another, without end; a batch may have none."""
        assert self.generator is not None
        for events in self.generator.batches(BATCH):
            self.counts["events"] += len(events.number) + events.vetoed
            if self.jets.parton_window:
                self.counts["events outside the parton window"] += events.vetoed
            yield self.process(events)

    def process(self, events: Events) -> Rows:
        """Return the rows of the jets kept from these events."""
        seen = self._detect(events)
        found = find_jets(seen, self.jets.radius, self.jets.pt[0], self.jets.algorithm)
        kept = found.keep(passes(found, self.jets))
        if self.recipe.partons:
            kept = kept.keep(hard_partons_are(events.record, self.recipe.partons)[kept.event])
        self.counts["jets in the cuts"] += len(kept)
        if self.recipe.match is None:
            rows: Rows = {}
        else:
            decays = find_decays(events.record, self.recipe.match.resonance)
            owner = match_jets(kept, decays, self.recipe.match)
            kept, rows = kept.keep(owner >= 0), decay_rows(decays, owner[owner >= 0])
        self.counts["jets kept"] += len(kept)
        rows |= self._rows(kept, seen, events)
        return rows

    def _detect(self, events: Events) -> Particles:
        if self.card is None:
            return events.particles.visible()
        seeds = [self.streams.of("detector", number, below=2**32 - 16) for number in events.number.tolist()]
        return detect(events.particles, self.card, np.array(seeds, dtype=np.int64))

    def _rows(self, kept: Jets, seen: Particles, events: Events) -> Rows:
        stored = harder_first(kept, seen, self.jets.particles)
        rows = jet_rows(kept, seen, self.jets) | particle_rows(stored, seen, self.card)
        rows["jet_nparticles"] = np.diff(stored.offsets)
        rows |= {"jet_label": np.full(len(kept), self.label), "event_id": events.number[kept.event]}
        if self.streams.twin != "none":
            shared = hard_process if self.streams.twin == "reshower" else parton_level
            rows["shared"] = shared(events.record)[kept.event]
        if self.jets.together:
            rows["event_mjj"] = dijet_mass(kept, self.jets.leading)
        if self.jets.generator_jet:
            rows |= self._generated(kept, events)
        return rows

    def _generated(self, kept: Jets, events: Events) -> Rows:
        wanted = np.isin(events.particles.event, kept.event)
        particles = events.particles.visible() if wanted.all() else events.particles.keep(wanted).visible()
        generated = find_jets(particles, self.jets.radius, 0.2 * self.jets.pt[0], self.jets.algorithm)
        return generator_rows(kept, generated, particles, self.jets)


def window(recipe: JetRecipe) -> PartonWindow | None:
    """Return the generator's parton window for these jets; None if all events are taken."""
    if recipe.parton_window is None:
        return None
    return PartonWindow(recipe.parton_window, recipe.radius, recipe.algorithm, recipe.leading)


def passes(jets: Jets, recipe: JetRecipe) -> Bools:
    """Return a mask (J,) of the jets that pass the recipe's cuts."""
    low, high = recipe.pt
    good = (jets.pt > low) & (jets.pt < high) & (np.abs(jets.eta) < recipe.abs_eta)
    good &= np.abs(jets.rapidity) < recipe.abs_rapidity
    if recipe.leading:
        good &= jets.rank < recipe.leading
    events = int(jets.event.max(initial=-1)) + 1
    hard = np.zeros(events, dtype=bool)
    hard[jets.event[(jets.rank == 0) & (jets.pt > recipe.leading_pt)]] = True
    if recipe.together:
        hard &= np.bincount(jets.event[good], minlength=events) == recipe.leading
    return good & hard[jets.event]


def dijet_mass(jets: Jets, each: int) -> Floats:
    """Compute the invariant mass (J,) in GeV of the ``each`` jets of every event, repeated for each of these jets."""
    return np.repeat(four_vectors.mass(jets.p4.reshape(-1, each, 4).sum(axis=1)), each)


def pair(original: Rows, twin: Rows, radius: float) -> tuple[Ints, Ints]:
    """Match the jets of two copies of the same events: rows of mutually nearest jets with ΔR < 0.4 and < ``radius``."""
    radius = min(radius, NEAR)
    axes = [Axes(*(np.asarray(rows[name]) for name in ("event_id", "jet_eta", "jet_phi"))) for rows in (original, twin)]
    there, back = nearest(axes[0], axes[1], radius), nearest(axes[1], axes[0], radius)
    left = np.flatnonzero(there >= 0)
    left = left[back[there[left]] == left]
    return left, there[left]
