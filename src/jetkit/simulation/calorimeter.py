"""A segmented calorimeter and its energy flow: towers, neutral excess and rescaled tracks.

The algorithm is that of a Delphes-type experiment (DELPHES 3, 2014, arXiv:1307.6346; energy flow as in its
SimpleCalorimeter), written anew from the formulas.
"""

from __future__ import annotations

from math import pi, sqrt
from typing import NamedTuple

import numpy as np

from jetkit.kernels import kernel
from jetkit.simulation.detector_card import Grid
from jetkit.simulation.particles import Floats, Ints
from jetkit.simulation.tracking import log_normal


class Hits(NamedTuple):
    """Particles or tracks that enter the calorimeter, by event: energy in GeV, share deposited here, and direction."""

    energy: Floats
    share: Floats
    eta: Floats
    phi: Floats
    offsets: Ints


class Response(NamedTuple):
    """Response of a calorimeter: resolution rows, their scale, and the thresholds E_min [GeV] and S_min."""

    resolution: Floats
    scale: float
    energy_min: float
    significance_min: float


@kernel
def energy_resolution(response: Response, eta: float, energy: float) -> float:
    """Compute σ(E) = s (k0 + k1 (|η| − k2)²)·(a·E ⊕ b·√E ⊕ c) in GeV at |η|; zero outside the table.

    ⊕ adds in quadrature. Each row of the resolution is (|η| max, a, b, c, k0, k1, k2); the first with |η| ≤ |η| max
    applies.
    """
    for r in range(len(response.resolution)):
        high, a, b, c, k0, k1, k2 = response.resolution[r]
        if abs(eta) <= high:
            shape = k0 + k1 * (abs(eta) - k2) ** 2
            sigma: float = response.scale * shape * sqrt((a * energy) ** 2 + b * b * energy + c * c)
            return sigma
    return 0.0


@kernel
def _tower(grid: Grid, eta: float, phi: float) -> tuple[int, int]:
    """Return the η row and the number of the tower that contains (η, φ); (−1, −1) outside."""
    row = int(np.searchsorted(grid.edges, eta)) - 1
    if row < 0 or row >= len(grid.phi):
        return -1, -1
    cell = int((phi + pi) / (2.0 * pi) * grid.phi[row])
    return row, grid.first[row] + min(max(cell, 0), grid.phi[row] - 1)


@kernel
def _best_energy(tracks: float, sigma_tracks: float, energy: float, sigma: float) -> float:
    """Compute the mean of the tracks' and the calorimeter's energy with weights 1/σ², taken as zero for σ = 0."""
    weight_tracks = 1.0 / sigma_tracks**2 if sigma_tracks > 0.0 else 0.0
    weight = 1.0 / sigma**2 if sigma > 0.0 else 0.0
    if weight_tracks + weight == 0.0:
        return tracks
    return (weight_tracks * tracks + weight * energy) / (weight_tracks + weight)


@kernel
def _settle(deposit: float, tracks: float, sigma_tracks: float, eta: float, response: Response) -> tuple[float, float]:
    """Return the neutral energy of a tower (zero if not significant) and the factor on its tracks' momenta."""
    energy = log_normal(deposit, energy_resolution(response, eta, deposit))
    sigma = energy_resolution(response, eta, energy)
    if energy < response.energy_min or energy < response.significance_min * sigma:
        energy = 0.0
    excess = max(energy - tracks, 0.0)
    total = sqrt(sigma_tracks**2 + sigma**2)
    if excess > response.energy_min and excess > response.significance_min * total:
        return excess, 1.0
    if tracks > 0.0:
        return 0.0, _best_energy(tracks, sigma_tracks, energy, sigma) / tracks
    return 0.0, 1.0


class _Towers(NamedTuple):
    """Towers hit in one event, in the order in which they are hit.

    ``slot`` maps a tower's number to its index in the other arrays, −1 for a tower not hit. It spans all towers but is
    allocated once: `_empty_tower` resets only the entries of towers that were hit.
    """

    slot: Ints
    cell: Ints
    row: Ints
    deposit: Floats
    charged: Floats
    variance: Floats
    factor: Floats


@kernel
def _fill(towers: _Towers, hits: Hits, grid: Grid, event: int) -> int:
    """Add the particles' deposits to the towers, and return the number of towers hit."""
    used = 0
    for i in range(hits.offsets[event], hits.offsets[event + 1]):
        if hits.share[i] <= 0.0:
            continue
        row, cell = _tower(grid, hits.eta[i], hits.phi[i])
        if cell < 0:
            continue
        k = towers.slot[cell]
        if k < 0:
            k, used = used, used + 1
            towers.slot[cell], towers.cell[k], towers.row[k] = k, cell, row
            towers.deposit[k], towers.charged[k], towers.variance[k] = 0.0, 0.0, 0.0
        towers.deposit[k] += hits.share[i] * hits.energy[i]
    return used


@kernel
def _add_tracks(
    towers: _Towers, tracks: Hits, resolution: Floats, grid: Grid, response: Response, home: Ints, event: int
) -> None:
    """Add the energies and variances of tracks to the towers they point to, and record these towers in ``home``."""
    for i in range(tracks.offsets[event], tracks.offsets[event + 1]):
        if tracks.share[i] <= 0.0:
            continue
        row, cell = _tower(grid, tracks.eta[i], tracks.phi[i])
        if cell < 0 or towers.slot[cell] < 0:
            continue
        k = towers.slot[cell]
        home[i] = k
        part = tracks.share[i] * tracks.energy[i]
        centre = 0.5 * (grid.edges[row] + grid.edges[row + 1])
        relative = energy_resolution(response, centre, tracks.energy[i]) / tracks.energy[i]
        guess = part if relative < resolution[i] else tracks.energy[i]
        towers.charged[k] += part
        towers.variance[k] += (resolution[i] * guess) ** 2


@kernel
def _empty_tower(towers: _Towers, k: int, grid: Grid, response: Response, neutral: Floats) -> bool:
    """Settle a tower and reset it; return True if it leaves a neutral, written to ``neutral``."""
    towers.slot[towers.cell[k]] = -1
    low, high = grid.edges[towers.row[k]], grid.edges[towers.row[k] + 1]
    centre, sigma = 0.5 * (low + high), sqrt(towers.variance[k])
    excess, towers.factor[k] = _settle(towers.deposit[k], towers.charged[k], sigma, centre, response)
    if excess <= 0.0:
        return False
    eta = np.random.uniform(low, high)
    place = towers.cell[k] - grid.first[towers.row[k]] + np.random.random()
    phi = -pi + 2.0 * pi / grid.phi[towers.row[k]] * place
    pt = excess / np.cosh(eta)
    neutral[0], neutral[1], neutral[2], neutral[3] = excess, pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    return True


@kernel
def measure(
    hits: Hits, tracks: Hits, resolution: Floats, grid: Grid, response: Response, seeds: Ints
) -> tuple[Floats, Ints, Floats]:
    """Compute the energy flow of one calorimeter.

    For each tower with deposit D = Σ f E, the measured energy E_t is log-normal around D with width σ(η_c, D), and set
    to zero below E_min or S_min σ(E_t). Its tracks have the energy T = Σ f E and the variance σ_T² = Σ (relative
    resolution × g)². Here g = f E if the calorimeter measures that energy better than the track, and g = E otherwise.

    An excess n = E_t − T > E_min with significance n/√(σ_T² + σ²) > S_min becomes a massless neutral, placed uniformly
    inside the tower. Otherwise the momenta of the tower's tracks are multiplied by E_best/T, with E_best = (T/σ_T² +
    E_t/σ²)/(1/σ_T² + 1/σ²).

    Args:
        hits: all particles that reach the calorimeter.
        tracks: the tracks that enter it, with measured energies.
        resolution: (T,) the tracks' relative momentum resolution.
        grid: its towers.
        response: its resolution and thresholds.
        seeds: (E,) one random seed per event.

    Returns:
        (K, 4) momenta of the neutrals, (E+1,) their row limits, and (T,) the factors on the tracks' momenta.
    """
    most = np.diff(hits.offsets).max() if len(hits.offsets) > 1 else 0
    towers = _Towers(
        np.full(grid.first[-1], -1, dtype=np.int64),
        np.empty(most, dtype=np.int64),
        np.empty(most, dtype=np.int64),
        np.empty(most),
        np.empty(most),
        np.empty(most),
        np.empty(most),
    )
    neutrals = np.empty((len(hits.energy), 4))
    offsets = np.zeros(len(hits.offsets), dtype=np.int64)
    factors = np.ones(len(tracks.energy))
    home = np.full(len(tracks.energy), -1, dtype=np.int64)
    found = 0
    for event in range(len(hits.offsets) - 1):
        # One seed per event makes its outcome independent of the other events in the batch.
        np.random.seed(seeds[event])
        used = _fill(towers, hits, grid, event)
        _add_tracks(towers, tracks, resolution, grid, response, home, event)
        for k in range(used):
            found += _empty_tower(towers, k, grid, response, neutrals[found])
        for i in range(tracks.offsets[event], tracks.offsets[event + 1]):
            if home[i] >= 0:
                factors[i] = towers.factor[home[i]]
        offsets[event + 1] = found
    return neutrals[:found], offsets, factors
