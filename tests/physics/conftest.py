"""Jets and transformations shared by the tests of the formulas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

SHARED = Path(__file__).parents[2] / ".." / "shared"


def massless(pt, y, phi):
    pt, y, phi = np.broadcast_arrays(np.asarray(pt, dtype=float), y, phi)
    return np.stack([pt * np.cosh(y), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(y)], axis=-1)


@pytest.fixture(scope="session")
def two_prongs():
    return massless([70.0, 30.0], [0.0, 0.1], [0.0, 0.15]), np.array([0, 2])


@pytest.fixture(scope="session")
def three_prongs():
    """Equal momenta on the corners of a triangle of side 0.2."""
    return massless([1.0, 1.0, 1.0], [0.0, 0.2, 0.1], [0.0, 0.0, 0.1 * np.sqrt(3)]), np.array([0, 3])


@pytest.fixture(scope="session")
def jets():
    """60 random jets of 1 to 40 particles, some massive, around φ = π where the azimuth wraps."""
    random = np.random.default_rng(20240229)
    lengths = np.concatenate([[1, 2, 3], random.integers(4, 41, 57)])
    n = lengths.sum()
    pt, y, phi = random.exponential(10.0, n) + 0.1, random.normal(0, 0.3, n), random.normal(np.pi, 0.3, n)
    mass = random.choice([0.0, 0.13957], n)
    p4 = massless(pt, y, phi)
    p4[:, [0, 3]] = (np.hypot(pt, mass) * np.stack([np.cosh(y), np.sinh(y)])).T
    return p4, np.concatenate([[0], np.cumsum(lengths)])


@pytest.fixture(scope="session")
def event():
    """The particles (E, px, py, pz) of the example event of FastJet contrib."""
    return np.loadtxt(reference("data/single-event.dat"))[:, [3, 0, 1, 2]]


@pytest.fixture(scope="session")
def reference_text():
    return lambda name: reference(name).read_text()


def reference(name):
    path = SHARED / "data" / "fjcontrib" / name
    if not path.exists():
        pytest.skip(f"the reference file {name} of FastJet contrib is not here")
    return path


@pytest.fixture(scope="session")
def jetclass2():
    """The public example jets of JetClass-II."""
    path = SHARED / "data" / "jets" / "JetClassII_example.parquet"
    if not path.exists():
        pytest.skip("the JetClass-II example jets are not here")
    from pyarrow import parquet

    return parquet.read_table(path)


@pytest.fixture(scope="session")
def fastjet():
    return pytest.importorskip("fastjet")


@pytest.fixture(scope="session")
def awkward_jets(fastjet, jets):
    import awkward as ak

    p4, offsets = jets
    columns = {"px": p4[:, 1], "py": p4[:, 2], "pz": p4[:, 3], "E": p4[:, 0]}
    return ak.unflatten(ak.zip(columns, with_name="Momentum4D"), np.diff(offsets))


@pytest.fixture(scope="session")
def cambridge(fastjet, awkward_jets):
    """The Cambridge/Aachen clustering of the random jets by FastJet."""
    return fastjet.ClusterSequence(awkward_jets, fastjet.JetDefinition(fastjet.cambridge_algorithm, 1000.0))
