"""Truth matching of jets to the decay products of resonances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jetkit.kernels import kernel
from jetkit.physics import four_vectors
from jetkit.simulation.generator import Record
from jetkit.simulation.jets import Jets
from jetkit.simulation.particles import Bools, Floats, Ints
from jetkit.simulation.recipe import Match

MOST_PRODUCTS = 8
CARRIERS = (23, 24, 25)
"""Bosons whose decay products count as those of the resonance."""
HADRONISATION = 70
"""Smallest |status| of particles from hadronisation."""


@dataclass(frozen=True)
class Decays:
    """Decays of the resonances of many events.

    Attributes:
        event: (D,) the event of each resonance.
        pid: (D, 1 + 8) PDG codes: the resonance's last copy, then its products; 0 where there is none.
        p4: (D, 1 + 8, 4) their momenta (E, px, py, pz) in GeV.
    """

    event: Ints
    pid: Ints
    p4: Floats


@kernel
def _daughters(daughters: Ints, start: int, row: int) -> tuple[int, int, int]:
    """Return the first row, the row past the last, and the step of the daughters' rows; an empty range if none."""
    first, last = daughters[row]
    if first <= 0:
        return 0, 0, 1
    if last <= 0:
        return start + first, start + first + 1, 1
    if last < first:
        return start + last, start + first + 1, first - last
    return start + first, start + last + 1, 1


@kernel
def _last_copy(pid: Ints, daughters: Ints, start: int, row: int) -> int:
    """Follow a particle through its radiation to the copy that decays."""
    while True:
        heir = -1
        first, stop, step = _daughters(daughters, start, row)
        for k in range(first, stop, step):
            if heir < 0 and pid[k] == pid[row]:
                heir = k
        if heir < 0:
            return row
        row = heir


@kernel
def _products(pid: Ints, daughters: Ints, start: int, row: int, found: Ints) -> int:
    """Collect the quarks, gluons and charged leptons of a decay, through W, Z and Higgs bosons; return their number."""
    queue = np.empty(64, dtype=np.int64)
    queue[0], head, tail, count = row, 0, 1, 0
    while head < tail:
        parent = queue[head]
        head += 1
        first, stop, step = _daughters(daughters, start, parent)
        for k in range(first, stop, step):
            kind = abs(pid[k])
            if kind in CARRIERS and tail < 64:
                queue[tail] = _last_copy(pid, daughters, start, k)
                tail += 1
            elif (kind <= 5 or kind == 21 or kind == 11 or kind == 13) and count < MOST_PRODUCTS:
                found[count] = _last_copy(pid, daughters, start, k) if kind == 11 or kind == 13 else k
                count += 1
    return count


@kernel
def _find_decays(pid: Ints, daughters: Ints, p4: Floats, offsets: Ints, resonance: int) -> tuple[Ints, Ints, Floats]:
    room = 4 * len(offsets)
    event = np.empty(room, dtype=np.int64)
    kinds = np.zeros((room, 1 + MOST_PRODUCTS), dtype=np.int64)
    momenta = np.zeros((room, 1 + MOST_PRODUCTS, 4))
    products = np.empty(MOST_PRODUCTS, dtype=np.int64)
    found = 0
    for e in range(len(offsets) - 1):
        for row in range(offsets[e], offsets[e + 1]):
            if abs(pid[row]) != resonance or found == room or _last_copy(pid, daughters, offsets[e], row) != row:
                continue
            count = _products(pid, daughters, offsets[e], row, products)
            if count == 0:
                continue
            event[found], kinds[found, 0], momenta[found, 0] = e, pid[row], p4[row]
            for k in range(count):
                kinds[found, 1 + k], momenta[found, 1 + k] = pid[products[k]], p4[products[k]]
            found += 1
    return event[:found], kinds[:found], momenta[:found]


def find_decays(record: Record, resonance: int) -> Decays:
    """Find every decay of a resonance (|PDG code|): its last copy before decaying, and its decay products.

    Args:
        record: generator record of the events
        resonance: |PDG code|, such as 6 for a top quark

    Returns:
        One entry per resonance that has products, with at most 8 products each.
    """
    return Decays(*_find_decays(record.pid, record.daughters, record.p4, record.offsets, resonance))


def match_jets(jets: Jets, decays: Decays, rule: Match) -> Ints:
    """Return the index (J,) of the first decay that each jet contains as the rule demands; −1 if none.

    ΔR² = Δη² + Δφ² with pseudorapidities, as in the public matching code of JetClass (arXiv:2202.03772).

    Args:
        jets: jets of the events
        decays: decays in the same events
        rule: resonance, radius and numbers of products
    """
    owner = np.full(len(jets), -1)
    jet, decay = _same_event(jets.event, decays.event)
    delta_r = _delta_r(jets, jet, decays.p4[decay])
    inside = delta_r < rule.radius
    kind = np.abs(decays.pid[decay, 1:])
    quark, lepton = (kind >= 1) & (kind <= 5), (kind == 11) | (kind == 13)
    good = np.ones(len(jet), dtype=bool) if not rule.axis else inside[:, 0]
    for wanted, number in ((quark, rule.quarks), (lepton, rule.leptons), (kind == 21, rule.gluons)):
        good &= (inside[:, 1:] & wanted).sum(axis=1) == number
    owner[jet[good][::-1]] = decay[good][::-1]
    return owner


def _same_event(first: Ints, second: Ints) -> tuple[Ints, Ints]:
    """Return all pairs (i, j) with first[i] == second[j], for sorted inputs."""
    low, high = np.searchsorted(second, first), np.searchsorted(second, first, side="right")
    i = np.repeat(np.arange(len(first)), high - low)
    place = np.arange(len(i)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
    return i, np.repeat(low, high - low) + place


def _delta_r(jets: Jets, jet: Ints, p4: Floats) -> Floats:
    deta = four_vectors.eta(p4) - jets.eta[jet, None]
    dphi = four_vectors.delta_phi(four_vectors.phi(p4), jets.phi[jet, None])
    return np.asarray(np.hypot(deta, dphi))


def hard_partons_are(record: Record, allowed: list[int]) -> Bools:
    """Return a mask (E,) of events whose outgoing hard quarks and gluons (status ±23) are all allowed codes."""
    kind = np.abs(record.pid)
    outgoing = (np.abs(record.status) == 23) & ((kind <= 6) | (kind == 21))
    foreign = outgoing & ~np.isin(kind, allowed)
    none: Bools = np.bincount(record.event[foreign], minlength=len(record.offsets) - 1) == 0
    return none


def hard_process(record: Record) -> Floats:
    """Compute Σ |pz| (E,) of the incoming partons, which two events share only if their hard processes agree."""
    return _sum_pz(record, record.status == -21)


def parton_level(record: Record) -> Floats:
    """Compute Σ |pz| (E,) before hadronisation, which two events share only if they agree up to that stage.

    Pythia draws the shower anew, from other random numbers, where hadronisation fails, which is seldom.
    """
    return _sum_pz(record, np.abs(record.status) < HADRONISATION)


def _sum_pz(record: Record, rows: Bools) -> Floats:
    weights = np.abs(record.p4[rows, 3]).astype(np.float64)
    return np.bincount(record.event[rows], weights, len(record.offsets) - 1).astype(np.float64)
