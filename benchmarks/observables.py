"""Jet observables of jetkit against the bare calls of FastJet and EnergyFlow, in turns, on the same jets in one run."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from importlib import import_module
from statistics import median

import awkward as ak
import fastjet
import numpy as np

from benchmarks.interleaved import seconds_in_turns
from jetkit.physics.clustering import cluster
from jetkit.physics.energy_correlators import three_point_ratios
from jetkit.physics.energy_flow import energy_flow_polynomials
from jetkit.physics.four_vectors import from_ptetaphim, phi, pt, rapidity
from jetkit.physics.grooming import soft_drop
from jetkit.physics.lund import lund_declusterings
from jetkit.physics.subjettiness import n_subjettiness

SEED, JETS, JETS_OF_POLYNOMIALS, PARTICLES, ROUNDS = 1, 500, 8, 50, 3
Jets = tuple[np.ndarray, np.ndarray]
Pair = tuple[str, Callable[[], object], Callable[[], object], str]


def main(arguments: list[str]) -> None:
    """Print microseconds per jet; the one optional argument is the number of jets."""
    n_jets = int(arguments[0]) if arguments else JETS
    p4, offsets = splitting_jets(n_jets, PARTICLES, np.random.default_rng(SEED))
    few = min(n_jets, JETS_OF_POLYNOMIALS)
    print(f"jets of {PARTICLES} particles, seed {SEED}; microseconds per jet, median of {ROUNDS} rounds in turns")
    print(f"{'observable':<30}{'jets':>6}{'jetkit':>10}{'peer':>10}{'ratio':>8}  peer")
    report(n_jets, fastjet_pairs(p4, offsets))
    report(few, energyflow_pairs(p4[: few * PARTICLES], offsets[: few + 1]))


def report(n_jets: int, pairs: list[Pair]) -> None:
    for name, ours, theirs, peer in pairs:
        mine, other = (1e6 * median(seconds) / n_jets for seconds in seconds_in_turns(ours, theirs, ROUNDS))
        print(f"{name:<30}{n_jets:>6}{mine:>10.1f}{other:>10.1f}{other / mine:>8.1f}  {peer}", flush=True)


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


def fastjet_pairs(p4: np.ndarray, offsets: np.ndarray) -> list[Pair]:
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

    def primary():
        return sequence().exclusive_jets_lund_declusterings(njets=1)

    return [
        ("C/A clustering", lambda: cluster(p4, offsets), lambda: sequence().inclusive_jets(), "fastjet"),
        ("soft drop", lambda: soft_drop(p4, offsets), groomed, "fastjet"),
        ("tau1..4, one-pass kT axes", lambda: n_subjettiness(p4, offsets), taus, "fastjet"),
        ("C2, D2, N2", lambda: three_point_ratios(p4, offsets), ratios, "fastjet"),
        ("Lund, all planes", lambda: lund_declusterings(p4, offsets), primary, "fastjet, primary (Delta, kt) only"),
    ]


def energyflow_pairs(p4: np.ndarray, offsets: np.ndarray) -> list[Pair]:
    # EnergyFlow imports a compiled module for the EMD, which fails with NumPy 2 and is not needed for polynomials.
    sys.modules.setdefault("wasserstein", types.ModuleType("wasserstein"))
    energyflow = import_module("energyflow")
    particles = np.stack([pt(p4), rapidity(p4), phi(p4)], axis=1).reshape(len(offsets) - 1, -1, 3)

    def pair(degree: int) -> Pair:
        basis = energyflow.EFPSet(f"d<={degree}", measure="hadr", beta=1.0, normed=True, coords="ptyphim", verbose=0)
        return (
            f"energy flow, degree <= {degree}",
            lambda: energy_flow_polynomials(p4, offsets, degree=degree),
            lambda: basis.batch_compute(list(particles), n_jobs=1),
            "energyflow",
        )

    return [pair(degree) for degree in (3, 5, 7)]
