"""Jet finding with FastJet; the only module that depends on fastjet's arrays."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from jetkit.data.ragged import Ragged, take_rows
from jetkit.errors import JetkitError, require
from jetkit.physics import four_vectors
from jetkit.simulation.particles import Bools, Floats, Ints, Particles, row_limits

ALGORITHMS = {"antikt": "antikt_algorithm", "kt": "kt_algorithm", "cambridge": "cambridge_algorithm"}


@dataclass(frozen=True)
class Jets:
    """Jets of many events, by falling pT within each event.

    Attributes:
        p4: (J, 4) momenta (E, px, py, pz) in GeV.
        event: (J,) the event of each jet.
        rank: (J,) 0 for the hardest jet of the event, 1 for the next.
        rows: constituents, as rows of the particles that were clustered.
        offsets: (J+1,) row limits of the jets in ``rows``.
    """

    p4: Floats
    event: Ints
    rank: Ints
    rows: Ints
    offsets: Ints

    def __len__(self) -> int:
        return len(self.event)

    @property
    def pt(self) -> Floats:
        """Transverse momentum (J,) in GeV."""
        return np.asarray(four_vectors.pt(self.p4))

    @property
    def eta(self) -> Floats:
        """Pseudorapidity (J,)."""
        return np.asarray(four_vectors.eta(self.p4))

    @property
    def phi(self) -> Floats:
        """Azimuth (J,) in (−π, π]."""
        return np.asarray(four_vectors.phi(self.p4))

    @property
    def rapidity(self) -> Floats:
        """Rapidity (J,)."""
        return np.asarray(four_vectors.rapidity(self.p4))

    @property
    def mass(self) -> Floats:
        """Invariant mass (J,) in GeV."""
        return np.asarray(four_vectors.mass(self.p4))

    def keep(self, selected: Bools | Ints) -> Jets:
        """Select jets, in the given order, with their constituents.

        Args:
            selected: boolean mask (J,) or indices of jets
        """
        chosen = np.flatnonzero(selected) if selected.dtype == bool else selected
        kept = take_rows(Ragged(self.rows, self.offsets), chosen)
        assert isinstance(kept, Ragged)
        return Jets(self.p4[chosen], self.event[chosen], self.rank[chosen], kept.values, kept.offsets)


class Axes(NamedTuple):
    """Jet axes: the event of each, ascending, and its direction."""

    event: Ints
    eta: Floats
    phi: Floats

    @classmethod
    def of(cls, jets: Jets) -> Axes:
        """Return the axes of jets."""
        return cls(jets.event, jets.eta, jets.phi)


def nearest(axes: Axes, others: Axes, radius: float) -> Ints:
    """Return, for each axis, the index (J,) of the nearest other axis of its event within ΔR < ``radius``; −1 if none.

    Example:
        >>> here = Axes(np.array([0, 1]), np.zeros(2), np.zeros(2))
        >>> there = Axes(np.array([1]), np.array([0.1]), np.zeros(1))
        >>> nearest(here, there, radius=0.4).tolist()
        [-1, 0]
    """
    best, partner = np.full(len(axes.event), radius), np.full(len(axes.event), -1)
    low, high = np.searchsorted(others.event, axes.event), np.searchsorted(others.event, axes.event, side="right")
    for step in range(int((high - low).max(initial=0))):
        near = np.flatnonzero(low + step < high)
        candidate = (low + step)[near]
        dphi = four_vectors.delta_phi(others.phi[candidate], axes.phi[near])
        delta_r = np.hypot(others.eta[candidate] - axes.eta[near], dphi)
        better = delta_r < best[near]
        best[near[better]], partner[near[better]] = delta_r[better], candidate[better]
    return partner


def find_jets(particles: Particles, radius: float, pt_min: float, algorithm: str = "antikt") -> Jets:
    """Find all jets above ``pt_min`` with the E-scheme.

    Args:
        particles: particles to cluster.
        radius: jet radius R.
        pt_min: smallest pT in GeV.
        algorithm: 'antikt' (arXiv:0802.1189), 'kt' or 'cambridge'.

    Raises:
        JetkitError: an unknown algorithm.

    Example:
        >>> two = np.array([[100.0, 100, 0, 0], [50.0, -50, 0, 0]])
        >>> photons, neutral = np.array([22, 22]), np.array([0, 0])
        >>> one_event = Particles(two, photons, neutral, np.zeros((2, 3)), np.array([0, 2]), np.zeros((2, 4)))
        >>> find_jets(one_event, radius=0.4, pt_min=10.0).pt.tolist()
        [100.0, 50.0]
    """
    if algorithm not in ALGORITHMS:
        raise JetkitError(f"unknown jet algorithm {algorithm!r}; choose from {', '.join(ALGORITHMS)}")
    fastjet = _fastjet()
    occupied = np.flatnonzero(np.diff(particles.offsets) > 0)
    definition = fastjet.JetDefinition(getattr(fastjet, ALGORITHMS[algorithm]), radius)
    sequence = fastjet.ClusterSequence(_momenta(particles, occupied), definition)
    ak = require("awkward")
    listed, members = sequence.inclusive_jets(min_pt=pt_min), sequence.constituent_index(min_pt=pt_min)
    counts = ak.to_numpy(ak.num(listed))
    p4 = np.stack([ak.to_numpy(ak.flatten(listed[name])) for name in ("E", "px", "py", "pz")], axis=1)
    per_jet = ak.flatten(members)
    sizes = ak.to_numpy(ak.num(per_jet))
    event = np.repeat(occupied, counts)
    rows = ak.to_numpy(ak.flatten(per_jet)).astype(np.int64) + np.repeat(particles.offsets[event], sizes)
    order = np.lexsort((-four_vectors.pt(p4), event))
    starts = row_limits(np.bincount(event, minlength=len(particles)))
    rank = np.empty_like(event)
    rank[order] = np.arange(len(event)) - starts[event]
    return Jets(p4, event, rank, rows, row_limits(sizes)).keep(order)


def _momenta(particles: Particles, occupied: Ints) -> Any:
    ak = require("awkward")
    fields = [ak.contents.NumpyArray(np.ascontiguousarray(particles.p4[:, k])) for k in (1, 2, 3, 0)]
    record = ak.contents.RecordArray(fields, ["px", "py", "pz", "E"], parameters={"__record__": "Momentum4D"})
    limits = ak.index.Index64(np.append(particles.offsets[occupied], particles.offsets[-1]))
    return ak.Array(ak.contents.ListOffsetArray(limits, record))


@cache
def _fastjet() -> Any:
    """Import fastjet and trigger its banner, which would otherwise appear in the middle of a progress bar."""
    fastjet = require("fastjet")
    saved, silent = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    fastjet.ClusterSequence(
        [fastjet.PseudoJet(1.0, 0.0, 0.0, 1.0)], fastjet.JetDefinition(fastjet.antikt_algorithm, 1.0)
    )
    os.dup2(saved, 1)
    os.close(saved)
    os.close(silent)
    return fastjet
