"""N-subjettiness with kT axes, winner-takes-all kT axes, and kT axes improved by one minimisation."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int

from jetkit.errors import JetkitError
from jetkit.kernels import kernel
from jetkit.physics.clustering import KT, cluster
from jetkit.physics.ragged import point, power_of_distance, pt_rapidity_phi, ragged, squared_distance, wrapped

AXES = ("one_pass_kt", "kt", "wta_kt")
PRECISION = 1e-4
"""Softening of the distances in the minimisation, and the mean axis displacement at which it stops."""
LONGEST = 1000
"""Largest number of iterations of the minimisation."""


def n_subjettiness(
    p4: Float[np.ndarray, "M 4"],
    offsets: Int[np.ndarray, "bounds"],
    *,
    largest: int = 4,
    beta: float = 1.0,
    R0: float = 0.8,
    axes: str = "one_pass_kt",
) -> Float[np.ndarray, "J largest"]:
    """Compute τ_N = Σ_i pT_i min_a ΔR_ia^β / (Σ_i pT_i R0^β) of every jet for N = 1 … largest.

    The N axes are the exclusive kT subjets: ``"kt"`` adds momenta, ``"wta_kt"`` gives a sum the direction of its harder
    part. A jet of at most N particles has τ_N = 0.

    ``"one_pass_kt"`` starts from the axes of ``"kt"`` and iterates as FastJet contrib does: each particle is assigned
    to its nearest axis, and each axis moves to the mean (y, φ) of its particles with weights pT (ΔR² + 1e-8)^(β/2 − 1).
    It stops when the axes move by at most 1e-4 on average, or after 1000 iterations.

    Args:
        p4: (M, 4) momenta (E, px, py, pz) of all particles in GeV
        offsets: (J + 1,) bounds of the jets: jet j is ``p4[offsets[j] : offsets[j + 1]]``
        largest: largest N
        beta: exponent β > 0 of the distance from the nearest axis
        R0: radius of the jets
        axes: ``"one_pass_kt"``, ``"kt"`` or ``"wta_kt"``

    Returns:
        (J, largest) values, τ_N in column N − 1.

    Source: Identifying Boosted Objects with N-subjettiness, 2010, arXiv:1011.2268; Maximizing Boosted Top
    Identification by Minimizing N-subjettiness, 2011, arXiv:1108.2701.

    Raises:
        JetkitError: the offsets do not fit, the axes are unknown, or R0, β or the largest N is not positive.

    Example:
        >>> p4 = np.array([[70.0, 70.0, 0.0, 0.0], [30.0, 30 * np.cos(0.2), 30 * np.sin(0.2), 0.0]])
        >>> n_subjettiness(p4, np.array([0, 2]), largest=2, axes="wta_kt").round(6).tolist()
        [[0.075, 0.0]]
    """
    if axes not in AXES:
        raise JetkitError(f"axes should be one of {', '.join(AXES)}, got {axes!r}")
    if not (R0 > 0 and beta > 0 and largest > 0):
        raise JetkitError(f"R0, beta and largest should be positive, got {R0}, {beta} and {largest}")
    p4, offsets = ragged(p4, offsets)
    trees = cluster(p4, offsets, power=KT, winner_takes_all=axes == "wta_kt")
    improve = axes == "one_pass_kt"
    tau = _taus(pt_rapidity_phi(p4), offsets, trees.p4, trees.parent, trees.offsets, largest, beta, improve)
    return tau / math.pow(R0, beta)


def n_subjettiness_basis(
    p4: Float[np.ndarray, "M 4"], offsets: Int[np.ndarray, "bounds"], *, bodies: int
) -> Float[np.ndarray, "J 3*bodies-4"]:
    """Compute 3M − 4 N-subjettiness observables of every jet, which span the phase space of M = ``bodies`` subjets.

    The observables are τ_N^(β) with β = ½, 1 and 2 for N = 1 … M − 2, then τ_{M−1}^(1) and τ_{M−1}^(2). All β share the
    exclusive kT axes, so each jet is clustered once. R0 = 1.

    Args:
        p4: (M, 4) momenta (E, px, py, pz) of all particles in GeV
        offsets: (J + 1,) bounds of the jets: jet j is ``p4[offsets[j] : offsets[j + 1]]``
        bodies: M, at least 2

    Returns:
        (J, 3M − 4) values.

    Source: How Much Information is in a Jet?, 2017, arXiv:1704.08249.

    Raises:
        JetkitError: the offsets do not fit, or there are fewer than 2 bodies.

    Example:
        >>> p4 = np.array([[70.0, 70.0, 0.0, 0.0], [30.0, 30 * np.cos(0.2), 30 * np.sin(0.2), 0.0]])
        >>> n_subjettiness_basis(p4, np.array([0, 2]), bodies=2).shape
        (1, 2)
    """
    if bodies < 2:
        raise JetkitError(f"a basis needs two bodies or more, got {bodies}")
    p4, offsets = ragged(p4, offsets)
    particles, trees = pt_rapidity_phi(p4), cluster(p4, offsets, power=KT)
    kt = (particles, offsets, trees.p4, trees.parent, trees.offsets, bodies - 1)
    basis = np.stack([_taus(*kt, beta, False) for beta in (0.5, 1.0, 2.0)], axis=2)
    lower, last = basis[:, :-1].reshape(len(basis), -1), basis[:, -1, 1:]
    return np.concatenate([lower, last], axis=1)


@kernel
def _taus(
    particles: Float[np.ndarray, "M 3"],
    offsets: Int[np.ndarray, "bounds"],
    nodes: Float[np.ndarray, "K 4"],
    parent: Int[np.ndarray, "K"],
    node_offsets: Int[np.ndarray, "bounds"],
    largest: int,
    beta: float,
    improve: bool,
) -> Float[np.ndarray, "J largest"]:
    tau = np.zeros((len(offsets) - 1, largest))
    axes, sums = np.empty((largest, 2)), np.empty((largest, 3))
    for j in range(len(offsets) - 1):
        jet = particles[offsets[j] : offsets[j + 1]]
        for n in range(1, min(largest, len(jet) - 1) + 1):
            _exclusive(nodes, parent, node_offsets[j], node_offsets[j + 1], n, axes)
            if improve:
                for _ in range(LONGEST):
                    if _step(jet, axes, sums, n, beta) <= PRECISION:
                        break
            tau[j, n - 1] = _spread(jet, axes, n, beta)
    return tau


@kernel
def _exclusive(
    nodes: Float[np.ndarray, "K 4"],
    parent: Int[np.ndarray, "K"],
    first: int,
    last: int,
    n: int,
    axes: Float[np.ndarray, "largest 2"],
) -> None:
    """Write the rapidity and azimuth of the n subjets left when the last n − 1 mergings of a jet are undone."""
    # Nodes are stored in merging order, so undoing n − 1 mergings means ignoring the last n − 1 nodes.
    standing, found = last - n + 1, 0
    for k in range(first, standing):
        if parent[k] >= standing or parent[k] < 0:
            _, axes[found, 0], axes[found, 1] = point(nodes[k, 0], nodes[k, 1], nodes[k, 2], nodes[k, 3])
            found += 1


@kernel
def _nearest_axis(rapidity: float, phi: float, axes: Float[np.ndarray, "largest 2"], n: int) -> tuple[int, float]:
    """Return the axis nearest to a particle, and the ΔR² to it."""
    best, best2 = 0, math.inf
    for a in range(n):
        separation = squared_distance(rapidity, phi, axes[a, 0], axes[a, 1])
        if separation < best2:
            best, best2 = a, separation
    return best, best2


@kernel
def _step(
    jet: Float[np.ndarray, "N 3"],
    axes: Float[np.ndarray, "largest 2"],
    sums: Float[np.ndarray, "largest 3"],
    n: int,
    beta: float,
) -> float:
    """Move each axis to the weighted mean of its particles, and return the mean displacement."""
    sums[:n] = 0.0
    for i in range(len(jet)):
        pt, rapidity, phi = jet[i, 0], jet[i, 1], jet[i, 2]
        a, separation = _nearest_axis(rapidity, phi, axes, n)
        softened = separation + PRECISION * PRECISION
        pt *= power_of_distance(softened, beta) / softened
        sums[a, 0] += pt
        sums[a, 1] += pt * (rapidity - axes[a, 0])
        sums[a, 2] += pt * wrapped(phi - axes[a, 1])
    moved = 0.0
    for a in range(n):
        if sums[a, 0] > 0:
            step_y, step_phi = sums[a, 1] / sums[a, 0], sums[a, 2] / sums[a, 0]
            moved += math.hypot(step_y, step_phi)
            axes[a, 0] += step_y
            axes[a, 1] = wrapped(axes[a, 1] + step_phi)
    return moved / n


@kernel
def _spread(jet: Float[np.ndarray, "N 3"], axes: Float[np.ndarray, "largest 2"], n: int, beta: float) -> float:
    """Compute Σ pT min ΔR^β / Σ pT of one jet."""
    weighted, total = 0.0, 0.0
    for i in range(len(jet)):
        _, separation = _nearest_axis(jet[i, 1], jet[i, 2], axes, n)
        weighted += jet[i, 0] * power_of_distance(separation, beta)
        total += jet[i, 0]
    return weighted / total if total > 0 else 0.0
