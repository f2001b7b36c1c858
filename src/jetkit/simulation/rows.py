"""Jets as rows of a dataset with the columns of JetClass-II."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jetkit.data.ragged import Ragged, Values, concatenate, take_rows
from jetkit.physics import four_vectors
from jetkit.physics.grooming import soft_drop
from jetkit.physics.ragged import jet_of
from jetkit.physics.relative import about_axis
from jetkit.physics.subjettiness import n_subjettiness
from jetkit.simulation.detector_card import DetectorCard
from jetkit.simulation.jets import Axes, Jets, nearest
from jetkit.simulation.particles import Floats, Ints, Particles, row_limits
from jetkit.simulation.recipe import JetRecipe
from jetkit.simulation.truth import Decays

Rows = dict[str, Values]
MOMENTUM = (("px", 1), ("py", 2), ("pz", 3), ("energy", 0))
"""Column → index in (E, px, py, pz)."""


def harder_first(jets: Jets, particles: Particles, most: int = 0) -> Jets:
    """Sort the constituents of each jet by falling pT, and keep at most ``most`` of them (0: all)."""
    pt = four_vectors.pt(particles.p4[jets.rows])
    jet = jet_of(jets.offsets)
    order = np.lexsort((-pt, jet))
    place = np.arange(len(order)) - jets.offsets[jet]
    chosen = place < (most or len(order) + 1)
    counts = np.bincount(jet[chosen], minlength=len(jets))
    return replace(jets, rows=jets.rows[order][chosen], offsets=row_limits(counts))


def jet_rows(jets: Jets, particles: Particles, recipe: JetRecipe, prefix: str = "jet") -> Rows:
    """Compute momentum, multiplicity, soft-drop mass and τ1 … τ4 of each jet from all its constituents.

    τ_N is normalised, with β = 1, one-pass kT axes and R0 = R. Soft drop uses the recipe's β and z_cut.
    """
    p4 = particles.p4[jets.rows]
    groomed = soft_drop(p4, jets.offsets, beta=recipe.soft_drop_beta, z_cut=recipe.soft_drop_z_cut, R0=recipe.radius)
    rows: Rows = {
        f"{prefix}_pt": jets.pt,
        f"{prefix}_eta": jets.eta,
        f"{prefix}_phi": jets.phi,
        f"{prefix}_energy": jets.p4[:, 0],
        f"{prefix}_sdmass": groomed.mass,
        f"{prefix}_nparticles": np.diff(jets.offsets),
    }
    if prefix == "jet":
        tau = n_subjettiness(p4, jets.offsets, largest=4, beta=1.0, R0=recipe.radius, axes="one_pass_kt")
        rows |= {f"jet_tau{n}": tau[:, n - 1] for n in (1, 2, 3, 4)}
        rows |= {"jet_mass": jets.mass, "jet_rank": jets.rank}
    return rows


def particle_rows(jets: Jets, particles: Particles, card: DetectorCard | None) -> Rows:
    """Compute the columns of the constituents: momenta, position about the jet axis, charge and the five flags.

    Impact parameters are added if the detector measures them, and PDG codes if there is no detector.

    deta = sign(η_jet) (η − η_jet) with sign(0) = −1, as in the public files.
    """
    p4, pid, charge = particles.p4[jets.rows], particles.pid[jets.rows], particles.charge[jets.rows]
    deta, dphi = about_axis(p4, jets.offsets, jets.eta, jets.phi)
    kind = np.abs(pid)
    lepton = (kind == 11) | (kind == 13)
    rows: Rows = {
        **_momenta("part", jets, p4),
        "part_deta": Ragged(deta, jets.offsets),
        "part_dphi": Ragged(dphi, jets.offsets),
        "part_charge": Ragged(charge, jets.offsets),
        "part_isElectron": Ragged(kind == 11, jets.offsets),
        "part_isMuon": Ragged(kind == 13, jets.offsets),
        "part_isPhoton": Ragged(kind == 22, jets.offsets),
        "part_isChargedHadron": Ragged((charge != 0) & ~lepton, jets.offsets),
        "part_isNeutralHadron": Ragged((charge == 0) & (kind != 22), jets.offsets),
    }
    if card is None:
        rows["part_pid"] = Ragged(pid, jets.offsets)
    elif card.impact_parameters:
        track = particles.track[jets.rows]
        names = ("part_d0val", "part_d0err", "part_dzval", "part_dzerr")
        rows |= {name: Ragged(track[:, k], jets.offsets) for k, name in enumerate(names)}
    return rows


def generator_rows(jets: Jets, generated: Jets, particles: Particles, recipe: JetRecipe) -> Rows:
    """Return the nearest particle-level jet (ΔR < R, empty if there is none) and its constituents."""
    partner = nearest(Axes.of(jets), Axes.of(generated), recipe.radius)
    found = np.flatnonzero(partner >= 0)
    matched = harder_first(generated.keep(partner[found]), particles)
    p4, vertex = particles.p4[matched.rows], particles.vertex[matched.rows]
    deta, dphi = about_axis(p4, matched.offsets, matched.eta, matched.phi)
    lists = {"jet_deta": deta, "jet_dphi": dphi, "pid": particles.pid[matched.rows]}
    lists |= {axis: vertex[:, k] for k, axis in enumerate("xyz")}
    lists |= {name: p4[:, k] for name, k in MOMENTUM}
    counts = np.zeros(len(jets), dtype=np.int64)
    counts[found] = np.diff(matched.offsets)
    limits = row_limits(counts)
    rows: Rows = {f"genpart_{name}": Ragged(values, limits) for name, values in lists.items()}
    for name, values in jet_rows(matched, particles, recipe, "genjet").items():
        assert isinstance(values, np.ndarray)
        column = np.zeros(len(jets), values.dtype)
        column[found] = values
        rows[name] = column
    return rows


def decay_rows(decays: Decays, owner: Ints) -> Rows:
    """Return the matched resonance and its decay products as lists, empty for jets without a match."""
    present = (decays.pid[owner] != 0) & (owner >= 0)[:, None]
    offsets, p4 = row_limits(present.sum(axis=1)), decays.p4[owner][present]
    values = {
        "pt": four_vectors.pt(p4),
        "eta": four_vectors.eta(p4),
        "phi": four_vectors.phi(p4),
        "mass": four_vectors.mass(p4),
        "pid": decays.pid[owner][present],
        "isResX": np.broadcast_to(np.arange(present.shape[1]) == 0, present.shape)[present],
        "isResDecayProd": np.broadcast_to(np.arange(present.shape[1]) > 0, present.shape)[present],
    }
    return {f"aux_genpart_{name}": Ragged(column, offsets) for name, column in values.items()}


def join(parts: Sequence[Rows]) -> Rows:
    """Concatenate several batches of rows."""
    return {name: concatenate([part[name] for part in parts]) for name in parts[0]}


def take(rows: Rows, chosen: Ints) -> Rows:
    """Select rows, in the given order."""
    return {name: take_rows(column, chosen) for name, column in rows.items()}


def _momenta(prefix: str, jets: Jets, p4: Floats) -> Rows:
    return {f"{prefix}_{name}": Ragged(p4[:, k], jets.offsets) for name, k in MOMENTUM}
