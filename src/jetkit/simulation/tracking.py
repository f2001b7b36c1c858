"""Tracking: efficiency, momentum resolution and impact parameters of charged particles."""

from __future__ import annotations

from math import exp, hypot, sqrt
from typing import NamedTuple

import numpy as np

from jetkit.kernels import kernel
from jetkit.simulation.detector_card import SPECIES, DetectorCard, impact_parameter_table
from jetkit.simulation.particles import Bools, Floats, Ints, Particles


class Tracks(NamedTuple):
    """Tracks of all events, in the order of their particles.

    Attributes:
        row: (T,) the particle behind each track.
        p4: (T, 4) measured momentum in GeV.
        resolution: (T,) relative σ(pT) assigned to it.
        offsets: (E+1,) row limits of the events.
    """

    row: Ints
    p4: Floats
    resolution: Floats
    offsets: Ints


@kernel
def log_normal(mean: float, sigma: float) -> float:
    """Draw a positive random number with this mean and standard deviation.

    ln x ~ N(a, b²) with b² = ln(1 + σ²/μ²) and a = ln μ − b²/2; zero for μ ≤ 0.
    """
    if mean <= 0.0:
        return 0.0
    b2 = np.log(1.0 + sigma * sigma / (mean * mean))
    return exp(float(np.log(mean)) - 0.5 * b2 + sqrt(b2) * np.random.normal())


@kernel
def _efficiency(rows: Floats, abs_eta: float, pt: float) -> float:
    for r in range(len(rows)):
        low, high, pt_low, pt_high, value, falloff = rows[r]
        if abs_eta <= high and abs_eta >= low and pt > pt_low and pt <= pt_high:
            return float(value * exp(-falloff * (pt - pt_low)))
    return 0.0


@kernel
def _resolution(rows: Floats, abs_eta: float, pt: float) -> float:
    for r in range(len(rows)):
        if abs_eta <= rows[r, 0]:
            return min(1.0, hypot(rows[r, 1], rows[r, 2] * pt))
    return 0.0


@kernel
def _find(
    p4: Floats, eta: Floats, species: Ints, offsets: Ints, tables: tuple[Floats, ...], scale: float, seeds: Ints
) -> tuple[Ints, Floats, Floats]:
    """Return the rows of the particles found as tracks, the factors on their pT, and their relative resolutions."""
    row = np.empty(len(p4), dtype=np.int64)
    factor, resolution = np.empty(len(p4)), np.empty(len(p4))
    found = 0
    for event in range(len(offsets) - 1):
        np.random.seed(seeds[event])
        for i in range(offsets[event], offsets[event + 1]):
            if species[i] < 0:
                continue
            pt = hypot(p4[i, 1], p4[i, 2])
            efficiencies, resolutions = tables[2 * species[i]], tables[2 * species[i] + 1]
            if np.random.random() > _efficiency(efficiencies, abs(eta[i]), pt):
                continue
            row[found], factor[found], resolution[found] = i, 1.0, 0.0
            if scale > 0.0:
                resolution[found] = min(1.0, scale * _resolution(resolutions, abs(eta[i]), pt))
                factor[found] = log_normal(pt, resolution[found] * pt) / pt
            found += 1
    return row[:found], factor[:found], resolution[:found]


def find_tracks(particles: Particles, eta: Floats, reached: Bools, card: DetectorCard, seeds: Ints) -> Tracks:
    """Simulate which charged particles are found as tracks, and their measured momenta.

    A charged particle is found with the card's efficiency at its pT and at the η where it leaves the solenoid. The
    measured pT is log-normal around the true pT; the direction is not smeared.

    Args:
        particles: final particles.
        eta: (M,) pseudorapidity where each leaves the solenoid.
        reached: (M,) True if it does.
        card: the detector.
        seeds: (E,) one random seed per event.
    """
    pid = np.abs(particles.pid)
    species = np.where(pid == 11, 1, np.where(pid == 13, 2, 0))
    species[(particles.charge == 0) | ~reached] = -1
    tables = tuple(
        np.array(rows) for name in SPECIES for rows in (getattr(card, name).efficiency, getattr(card, name).resolution)
    )
    scale = card.resolution_scale if card.track_momentum == "smeared" else 0.0
    row, factor, resolution = _find(particles.p4, eta, species, particles.offsets, tables, scale, seeds)
    p4 = particles.p4[row]
    mass2 = np.maximum(p4[:, 0] ** 2 - (p4[:, 1:] ** 2).sum(axis=1), 0.0) * (card.track_mass == "true")
    p4[:, 1:] *= factor[:, None]
    p4[:, 0] = np.sqrt((p4[:, 1:] ** 2).sum(axis=1) + mass2)
    return Tracks(row, p4, resolution, np.searchsorted(row, particles.offsets))


def impact_parameters(p4: Floats, vertex: Floats) -> tuple[Floats, Floats]:
    """Compute the transverse and longitudinal impact parameters of straight tracks to the origin, in mm.

    d0 = (x py − y px)/pT, dz = z − (x px + y py)/pT · pz/pT at the production point (x, y, z).

    Example:
        >>> d0, dz = impact_parameters(np.array([[5.0, 3.0, 0.0, 4.0]]), np.array([[1.0, 2.0, 3.0]]))
        >>> float(d0[0]), round(float(dz[0]), 4)
        (-2.0, 1.6667)
    """
    px, py, pz = p4[:, 1], p4[:, 2], p4[:, 3]
    x, y, z = vertex[:, 0], vertex[:, 1], vertex[:, 2]
    pt = np.hypot(px, py)
    return (x * py - y * px) / pt, z - (x * px + y * py) / pt * (pz / pt)


@kernel
def _smear_impact_parameters(
    p4: Floats, d0: Floats, dz: Floats, tables: tuple[Floats, Floats], scale: float, offsets: Ints, seeds: Ints
) -> Floats:
    measured = np.zeros((len(p4), 4))
    for event in range(len(offsets) - 1):
        np.random.seed(seeds[event])
        for i in range(offsets[event], offsets[event + 1]):
            pt = hypot(p4[i, 1], p4[i, 2])
            abs_eta = abs(np.arcsinh(p4[i, 3] / pt))
            for k in range(2):
                sigma = scale * _sigma(tables[k], abs_eta, pt)
                measured[i, 2 * k] = (d0[i] if k == 0 else dz[i]) + sigma * np.random.normal()
                measured[i, 2 * k + 1] = sigma
    return measured


@kernel
def _sigma(rows: Floats, abs_eta: float, pt: float) -> float:
    for r in range(len(rows)):
        if abs_eta > rows[r, 0] and abs_eta <= rows[r, 1] and pt > rows[r, 2] and pt <= rows[r, 3]:
            return float(rows[r, 4])
    return 0.0


def measure_impact_parameters(tracks: Tracks, particles: Particles, card: DetectorCard, seeds: Ints) -> Floats:
    """Return d0, σ(d0), dz, σ(dz) in mm, (T, 4): the true values with Gaussian smearing.

    All are zero for a card without impact parameters. Below the lowest pT of the table σ is zero, as in the published
    card.
    """
    if not card.impact_parameters:
        return np.zeros((len(tracks.row), 4))
    d0, dz = impact_parameters(particles.p4[tracks.row], particles.vertex[tracks.row])
    tables = impact_parameter_table(card.impact_parameters)
    return _smear_impact_parameters(tracks.p4, d0, dz, tables, card.resolution_scale, tracks.offsets, seeds)
