"""Shared events, so that Pythia starts once."""

import numpy as np
import pytest

from jetkit.simulation.generator import Events, Generator, Streams
from jetkit.simulation.particles import Particles

QCD = ["Beams:eCM = 14000.", "HardQCD:all = on", "PhaseSpace:pTHatMin = 430.", "PartonLevel:MPI = off"]


@pytest.fixture(scope="session")
def qcd_events() -> Events:
    return next(Generator(QCD, Streams(seed=4)).batches(60))


def particles(p4, pid, charge=0, vertex=(0.0, 0.0, 0.0), events=None) -> Particles:
    """Particles of one event, or one an event."""
    p4 = np.atleast_2d(np.asarray(p4, dtype=float))
    count = len(p4)
    offsets = np.array([0, count]) if events is None else np.arange(count + 1)
    whole = np.ones(count, dtype=np.int64)
    spot = np.broadcast_to(np.asarray(vertex, dtype=float), (count, 3)).copy()
    return Particles(p4, whole * pid, whole * charge, spot, offsets, np.zeros((count, 4)))


def momentum(pt, eta=0.0, phi=0.0, mass=0.0) -> np.ndarray:
    """(E, px, py, pz) from collider coordinates."""
    pt, eta, phi, mass = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (pt, eta, phi, mass)))
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    return np.stack([np.sqrt(px**2 + py**2 + pz**2 + mass**2), px, py, pz], axis=-1)
