"""Jet observables beside the bare calls of FastJet and EnergyFlow, on the same jets of 50 particles.

    python -m benchmarks substructure [jets=10000] [pairs=5]
    python -m benchmarks efp [jets=10000] [degree=5] [pairs=5]

Both sides start from raw momenta and use one thread. ``substructure`` times each observable by itself and then, last,
N-subjettiness τ₁ … τ₄ with soft drop and the Lund plane. FastJet is called through its awkward arrays, all jets in a
call, which is faster than a Python loop over its own jets.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import awkward as ak
import fastjet
import numpy as np

from benchmarks.interleaved import PAIRS, Comparison, Work, in_turns, machine
from benchmarks.words import Words
from jetkit.physics.clustering import cluster
from jetkit.physics.energy_correlators import three_point_ratios
from jetkit.physics.energy_flow import energy_flow_polynomials
from jetkit.physics.four_vectors import from_ptetaphim, phi, pt, rapidity
from jetkit.physics.grooming import soft_drop
from jetkit.physics.lund import lund_declusterings, primary_plane
from jetkit.physics.subjettiness import n_subjettiness

OPTIONS = ("jets", "degree", "pairs")
SEED, PARTICLES = 1, 50
MAIN = ("soft drop", "tau1..4, one-pass kT axes", "Lund plane")
Jets = tuple[np.ndarray, np.ndarray]


class Pair(NamedTuple):
    """The same observable in both codes, and how far the results are apart, relative to their spread."""

    what: str
    ours: Callable[[], object]
    theirs: Callable[[], object]
    peer: str
    apart: Callable[[], float] | None


def compare(name: str, words: Words, scratch: Path) -> Iterator[Comparison]:
    """Their time over ours; the main one last."""
    jets = words.number("jets", 10_000)
    p4, offsets = splitting_jets(jets, PARTICLES, np.random.default_rng(SEED))
    pairs = [polynomials(p4, offsets, words.number("degree", 5))] if name == "efp" else substructure(p4, offsets)
    for pair in pairs:
        equality = checked(pair)
        work: dict[str, Work] = {"jetkit": pair.ours, pair.peer: pair.theirs}
        seconds = in_turns(work, words.number("pairs", PAIRS))
        setting = ", ".join(part for part in (pair.what, words.said("jets")) if part)
        yield Comparison(name, seconds, jets, "jets", equality, machine("fastjet", "EnergyFlow"), setting)


def checked(pair: Pair) -> str:
    """What was compared.

    Raises:
        SystemExit: the results differ.
    """
    if pair.apart is None:
        return "its parts were compared"
    apart = pair.apart()
    if not apart < 1e-5:
        raise SystemExit(f"{pair.what}: the results differ by {apart:.2g} of their spread: nothing was timed")
    return f"results equal to {apart:.0e} of their spread"


def distance(ours: object, theirs: object) -> float:
    """Largest difference, in units of the spread of the second."""
    a, b = (np.asarray(values, dtype=float) for values in (ours, theirs))
    return float(np.abs(a - b).max() / b.std())


def splitting_jets(n_jets: int, n_particles: int, random: np.random.Generator) -> Jets:
    """Jets of 500 GeV: particles, chosen by √pT, split with dz/z and dΔ/Δ at falling angles until there are enough."""
    momentum, position = np.zeros((n_jets, n_particles)), np.zeros((n_jets, n_particles, 2))
    momentum[:, 0], position[:, 0, 1] = 500.0, random.uniform(-np.pi, np.pi, n_jets)
    jet = np.arange(n_jets)
    for n in range(1, n_particles):
        heavy = np.sqrt(momentum[:, :n])
        mother = (heavy.cumsum(axis=1) < random.uniform(0, 1, (n_jets, 1)) * heavy.sum(axis=1)[:, None]).sum(axis=1)
        z = 0.5 * np.exp(-random.uniform(0, 4, n_jets))
        angle = 0.8 * np.exp(-random.uniform(0, 1, n_jets) - 3 * n / n_particles)
        turn = random.uniform(0, 2 * np.pi, n_jets)
        away = angle[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        position[:, n] = position[jet, mother] + (1 - z)[:, None] * away
        position[jet, mother] -= z[:, None] * away
        momentum[:, n] = z * momentum[jet, mother]
        momentum[jet, mother] *= 1 - z
    p4 = from_ptetaphim(momentum, position[..., 0], position[..., 1], np.zeros_like(momentum))
    return p4.reshape(-1, 4), np.arange(n_jets + 1) * n_particles


def substructure(p4: np.ndarray, offsets: np.ndarray) -> list[Pair]:
    """Observables one by one, and three of them together."""
    columns = {"px": p4[:, 1], "py": p4[:, 2], "pz": p4[:, 3], "E": p4[:, 0]}
    array = ak.unflatten(ak.zip(columns, with_name="Momentum4D"), np.diff(offsets))
    definition = fastjet.JetDefinition(fastjet.cambridge_algorithm, 1000.0)

    def sequence():
        return fastjet.ClusterSequence(array, definition)

    def groomed():
        return sequence().exclusive_jets_softdrop_grooming(
            njets=1, beta=0.0, symmetry_cut=0.1, symmetry_measure="scalar_z", R0=0.8, recursion_choice="larger_pt"
        )

    def taus():
        axes, numbers = "OnePass_KT_Axes", [1, 2, 3, 4]
        return sequence().njettiness(
            measure_definition="NormalizedMeasure", axes_definition=axes, njets=numbers, beta=1, R0=0.8
        )

    def ratios():
        clustered = sequence()
        return [clustered.exclusive_jets_energy_correlator(njets=1, func=name, beta=1.0) for name in ("c2", "d2", "n2")]

    def lund():
        return sequence().exclusive_jets_lund_declusterings(njets=1)

    ours = {
        "C2, D2, N2": lambda: three_point_ratios(p4, offsets),
        "soft drop": lambda: soft_drop(p4, offsets),
        "tau1..4, one-pass kT axes": lambda: n_subjettiness(p4, offsets),
        "Lund plane": lambda: lund_declusterings(p4, offsets),
    }
    theirs = {"C2, D2, N2": ratios, "soft drop": groomed, "tau1..4, one-pass kT axes": taus, "Lund plane": lund}
    single = [Pair(name, ours[name], theirs[name], "fastjet", _apart(name, ours, theirs)) for name in ours]
    return [
        Pair("C/A clustering", lambda: cluster(p4, offsets), lambda: sequence().inclusive_jets(), "fastjet", None),
        *single,
        Pair("", lambda: [ours[name]() for name in MAIN], lambda: [theirs[name]() for name in MAIN], "fastjet", None),
    ]


def _apart(name: str, ours: dict[str, Work], theirs: dict[str, Work]) -> Callable[[], float]:
    """How far the two are apart: the ratios, groomed mass, τ₁ … τ₄, or kT of the primary splittings."""

    def apart() -> float:
        mine, other = ours[name](), theirs[name]()
        if name == "soft drop":
            return distance(mine.mass, other["msoftdrop"])
        if name == "C2, D2, N2":
            return distance([mine.C2, mine.D2, mine.N2], other)
        if name == "Lund plane":
            return distance(np.sort(primary_plane(mine).kt), np.sort(ak.flatten(other["kt"], axis=None)))
        return distance(mine, other)

    return apart


def polynomials(p4: np.ndarray, offsets: np.ndarray, degree: int) -> Pair:
    """All energy flow polynomials up to a degree."""
    # EnergyFlow imports a compiled module for the EMD, which fails with NumPy 2 and is not needed for polynomials.
    sys.modules.setdefault("wasserstein", types.ModuleType("wasserstein"))
    energyflow = import_module("energyflow")
    particles = np.stack([pt(p4), rapidity(p4), phi(p4)], axis=1).reshape(len(offsets) - 1, -1, 3)
    basis = energyflow.EFPSet(f"d<={degree}", measure="hadr", beta=1.0, normed=True, coords="ptyphim", verbose=0)

    def ours() -> object:
        return energy_flow_polynomials(p4, offsets, degree=degree)

    def theirs() -> object:
        return basis.batch_compute(list(particles), n_jobs=1)

    def apart() -> float:
        few = min(len(particles), 20)
        mine = energy_flow_polynomials(p4[: few * PARTICLES], offsets[: few + 1], degree=degree)
        return distance(np.sort(mine, axis=1), np.sort(basis.batch_compute(list(particles[:few]), n_jobs=1), axis=1))

    return Pair(f"degree <= {degree}" if degree != 5 else "", ours, theirs, "EnergyFlow", apart)
