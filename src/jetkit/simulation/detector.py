"""The complete detector: final particles in, energy-flow objects out.

Propagation → tracks → electromagnetic → hadronic calorimeter → tracks and neutrals merged.
"""

from __future__ import annotations

import numpy as np

from jetkit.simulation.calorimeter import Hits, Response, measure
from jetkit.simulation.detector_card import Calorimeter, DetectorCard, grid, shares
from jetkit.simulation.particles import Bools, Floats, Ints, Particles
from jetkit.simulation.propagation import propagate
from jetkit.simulation.tracking import Tracks, find_tracks, measure_impact_parameters

PHOTON, NEUTRAL_HADRON = 22, 0
ACCEPTANCE = 5.0


def detect(particles: Particles, card: DetectorCard, seeds: Ints) -> Particles:
    """Simulate the detector and return the energy-flow objects of each event with |η| ≤ 5.

    Tracks keep the PDG code of their particle. Neutral objects are photons (22) or neutral hadrons (0).

    Args:
        particles: final particles; neutrinos are ignored.
        card: the detector.
        seeds: (E,) one random seed an event, so that the answer for an event depends on nothing else.

    Example:
        >>> from jetkit.simulation.detector_card import load_card
        >>> photon = Particles(np.array([[50.0, 50.0, 0.0, 0.0]]), np.array([22]), np.array([0]), np.zeros((1, 3)),
        ...     np.array([0, 1]), np.zeros((1, 4)))
        >>> seen = detect(photon, load_card("atlas"), np.array([7]))
        >>> seen.pid.tolist(), bool(abs(seen.p4[0, 0] - 50.0) < 5.0)
        ([22], True)
    """
    particles = particles.visible()
    exits, reached = propagate(
        particles.p4, particles.charge, particles.vertex, card.field, card.radius, card.half_length
    )
    tracks = find_tracks(particles, exits[:, 0], reached, card, seeds)
    track = measure_impact_parameters(tracks, particles, card, seeds + 1)
    neutrals = []
    for salt, (part, pid) in enumerate(((card.ecal, PHOTON), (card.hcal, NEUTRAL_HADRON))):
        p4, offsets, tracks = _enter(part, particles, exits, reached, tracks, card, seeds + 2 + salt)
        neutrals.append(_neutrals(p4, offsets, pid))
    charged = Particles(
        tracks.p4,
        particles.pid[tracks.row],
        particles.charge[tracks.row],
        particles.vertex[tracks.row],
        tracks.offsets,
        track,
    )
    return _within_acceptance(_merge([charged, *neutrals]))


def _enter(
    part: Calorimeter,
    particles: Particles,
    exits: Floats,
    reached: Bools,
    tracks: Tracks,
    card: DetectorCard,
    seeds: Ints,
) -> tuple[Floats, Ints, Tracks]:
    """Simulate one calorimeter; return the momenta and row limits of its neutrals, and the tracks that leave it."""
    eta, phi = exits[:, 0], exits[:, 1]
    share = shares(part, particles.pid)
    hits = Hits(particles.p4[:, 0], share * reached, eta, phi, particles.offsets)
    entering = Hits(tracks.p4[:, 0], share[tracks.row], eta[tracks.row], phi[tracks.row], tracks.offsets)
    response = Response(np.array(part.resolution), card.resolution_scale, part.energy_min, part.significance_min)
    p4, offsets, factor = measure(hits, entering, tracks.resolution, grid(part), response, seeds)
    mass2 = tracks.p4[:, 0] ** 2 - (tracks.p4[:, 1:] ** 2).sum(axis=1)
    scaled = tracks.p4 * factor[:, None]
    moved = factor != 1.0
    scaled[moved, 0] = np.sqrt((scaled[moved, 1:] ** 2).sum(axis=1) + np.maximum(mass2[moved], 0.0))
    return p4, offsets, tracks._replace(p4=scaled)


def _neutrals(p4: Floats, offsets: Ints, pid: int) -> Particles:
    zeros = np.zeros(len(p4), dtype=np.int64)
    return Particles(p4, zeros + pid, zeros, np.zeros((len(p4), 3)), offsets, np.zeros((len(p4), 4)))


def _merge(parts: list[Particles]) -> Particles:
    """Merge several kinds of objects of the same events, event by event."""
    event = np.concatenate([part.event for part in parts])
    order = np.argsort(event, kind="stable")
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])[order]
        for name in ("p4", "pid", "charge", "vertex", "track")
    }
    return Particles(offsets=sum(part.offsets for part in parts[1:]) + parts[0].offsets, **joined)


def _within_acceptance(objects: Particles) -> Particles:
    p = np.sqrt((objects.p4[:, 1:] ** 2).sum(axis=1))
    return objects.keep((p > 0.0) & (np.abs(objects.p4[:, 3]) <= np.tanh(ACCEPTANCE) * p))
