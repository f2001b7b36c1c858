"""Sequential recombination with kT, Cambridge/Aachen and anti-kT, returned as clustering trees."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from jetkit.errors import JetkitError
from jetkit.kernels import kernel
from jetkit.physics.ragged import point, ragged, squared_distance

KT, CAMBRIDGE, ANTI_KT = 1.0, 0.0, -1.0
"""Powers p of the transverse momentum in the distance d_ij."""


@dataclass(frozen=True)
class Trees:
    """Clustering histories of many events; each node is a particle or the sum of its two children.

    The nodes of event j run from ``offsets[j]`` to ``offsets[j + 1]``: first its particles in their input order, then
    the sums in the order of merging. Node numbers run over all events.
    """

    p4: Float[np.ndarray, "K 4"]
    """Momentum (E, px, py, pz) of each node in GeV."""
    children: Int[np.ndarray, "K 2"]
    """Numbers of the two merged nodes; −1 for particles."""
    parent: Int[np.ndarray, "K"]
    """Number of the node into which this one was merged; −1 for jets."""
    distance: Float[np.ndarray, "K"]
    """Distance d_ij of the two children at merging, in GeV^2p; 0 for particles."""
    offsets: Int[np.ndarray, "bounds"]
    """First node of each event, and the number of nodes."""


def cluster(
    p4: Float[np.ndarray, "M 4"],
    offsets: Int[np.ndarray, "bounds"],
    *,
    power: float = CAMBRIDGE,
    radius: float = math.inf,
    winner_takes_all: bool = False,
) -> Trees:
    """Cluster the particles of every event with the generalised-kT algorithm.

    ``p4`` (M, 4) holds (E, px, py, pz) in GeV; ``offsets`` (events + 1) bounds the particles of each event.

    The pair with the smallest d_ij = min(pT_i^2p, pT_j^2p) ΔR_ij²/R² is merged, unless a beam distance d_iB = pT_i^2p
    is smaller; then i becomes a jet. The power p is 1 for kT, 0 for Cambridge/Aachen and −1 for anti-kT. An infinite
    radius merges all particles of an event into one jet, with d_ij computed as for R = 1.

    Merging adds the momenta (E-scheme). With ``winner_takes_all``, the merged node has the scalar sum of the transverse
    momenta, and the rapidity, azimuth and mass of the child with the larger pT. The search caches the nearest neighbour
    of each particle, which takes O(N²) operations for N particles.

    Args:
        power: p in the distances d_ij: `KT`, `CAMBRIDGE`, `ANTI_KT` or any other number
        radius: R > 0; infinite: one jet per event
        winner_takes_all: give a merged node the direction of its harder child

    Returns:
        The clustering history of every event, as `Trees`.

    Source: The anti-kt jet clustering algorithm, 2008, arXiv:0802.1189; FastJet User Manual, 2011, arXiv:1111.6097;
    Jet Observables Without Jet Algorithms, 2013, arXiv:1310.7584 (winner takes all).

    Raises:
        JetkitError: the offsets do not fit, or the radius is not positive.

    Example:
        >>> p4 = np.array([[5.0, 5.0, 0.0, 0.0], [3.0, 0.0, 3.0, 0.0], [4.1, 4.0, 0.9, 0.0]])
        >>> cluster(p4, np.array([0, 3])).children.tolist()
        [[-1, -1], [-1, -1], [-1, -1], [0, 2], [1, 3]]
    """
    if not radius > 0:
        raise JetkitError(f"radius should be positive, got {radius}")
    p4, offsets = ragged(p4, offsets)
    return Trees(*_cluster_all(p4, offsets, power, radius, winner_takes_all))


def inclusive_jets(trees: Trees) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "bounds"]]:
    """Return the nodes that are jets, by falling transverse momentum within each event, and the event offsets.

    Returns:
        (n,) node numbers, and the (events + 1,) offsets of the events among them.

    Example:
        >>> p4 = np.array([[3.0, 0.0, 3.0, 0.0], [5.0, 5.0, 0.0, 0.0], [4.1, 4.0, 0.9, 0.0]])
        >>> nodes, offsets = inclusive_jets(cluster(p4, np.array([0, 3]), power=ANTI_KT, radius=0.8))
        >>> nodes.tolist(), offsets.tolist()
        ([3, 0], [0, 2])
    """
    nodes = np.flatnonzero(trees.parent < 0)
    event = np.searchsorted(trees.offsets, nodes, side="right") - 1
    pt2 = (trees.p4[nodes, 1:3] ** 2).sum(axis=1)
    order = np.lexsort((-pt2, event))
    return nodes[order], np.searchsorted(event[order], np.arange(len(trees.offsets))).astype(np.int64)


def constituents(trees: Trees, nodes: Int[np.ndarray, "n"]) -> tuple[Int[np.ndarray, "m"], Int[np.ndarray, "bounds"]]:
    """Return the particles below each given node, as rising node numbers, and the offsets of the nodes among them.

    Returns:
        (m,) node numbers of the particles, and the (n + 1,) offsets of the given nodes among them.

    Example:
        >>> p4 = np.array([[3.0, 0.0, 3.0, 0.0], [5.0, 5.0, 0.0, 0.0], [4.1, 4.0, 0.9, 0.0]])
        >>> constituents(cluster(p4, np.array([0, 3])), np.array([3, 0]))[0].tolist()
        [1, 2, 0]
    """
    nodes = np.ascontiguousarray(nodes, dtype=np.int64)
    leaves, offsets = _leaves(trees.children, nodes)
    owner = np.repeat(np.arange(len(nodes)), np.diff(offsets))
    return leaves[np.lexsort((leaves, owner))], offsets


def levels(trees: Trees) -> list[Int[np.ndarray, "n"]]:
    """Return the nodes of all events by depth below their jet: the jets, their children, their grandchildren, ….

    Each level first lists the children with larger transverse momentum, in the order of their parents in the level
    above, and then, in the same order, those with smaller transverse momentum.

    Example:
        >>> p4 = np.array([[5.0, 5.0, 0.0, 0.0], [3.0, 0.0, 3.0, 0.0], [4.1, 4.0, 0.9, 0.0]])
        >>> [nodes.tolist() for nodes in levels(cluster(p4, np.array([0, 3])))]
        [[4], [3, 1], [0, 2]]
    """
    pt2 = (trees.p4[:, 1:3] ** 2).sum(axis=1)
    first, second = trees.children.T
    below = np.where(pt2[second] > pt2[first], [second, first], [first, second])
    found, nodes = [], np.flatnonzero(trees.parent < 0)
    while len(nodes):
        found.append(nodes)
        nodes = below[:, nodes[first[nodes] >= 0]].ravel()
    return found


@kernel
def _cluster_all(
    p4: Float[np.ndarray, "M 4"],
    offsets: Int[np.ndarray, "bounds"],
    power: float,
    radius: float,
    winner_takes_all: bool,
) -> tuple[
    Float[np.ndarray, "K 4"],
    Int[np.ndarray, "K 2"],
    Int[np.ndarray, "K"],
    Float[np.ndarray, "K"],
    Int[np.ndarray, "bounds"],
]:
    # N particles make at most 2N − 1 nodes, so one allocation serves all events.
    room = 2 * len(p4)
    nodes = np.empty((room, 4))
    children = np.full((room, 2), -1)
    parent = np.full(room, -1)
    distance = np.zeros(room)
    node_offsets = np.zeros_like(offsets)
    for j in range(len(offsets) - 1):
        first, n = node_offsets[j], offsets[j + 1] - offsets[j]
        nodes[first : first + n] = p4[offsets[j] : offsets[j + 1]]
        last = min(room, first + 2 * n)
        made = _cluster_event(
            nodes[first:last],
            children[first:last],
            parent[first:last],
            distance[first:last],
            n,
            power,
            radius,
            winner_takes_all,
        )
        for k in range(first, first + made):
            children[k] += first * (children[k] >= 0)
            parent[k] += first * (parent[k] >= 0)
        node_offsets[j + 1] = first + made
    used = node_offsets[-1]
    return nodes[:used], children[:used], parent[:used], distance[:used], node_offsets


@kernel
def _cluster_event(
    nodes: Float[np.ndarray, "K 4"],
    children: Int[np.ndarray, "K 2"],
    parent: Int[np.ndarray, "K"],
    distance: Float[np.ndarray, "K"],
    n: int,
    power: float,
    radius: float,
    winner_takes_all: bool,
) -> int:
    """Cluster the first n nodes, write the sums behind them, and return the number of nodes used (at most 2n − 1).

    Slot s holds a pseudojet: its node, its coordinates, its nearest neighbour and the ΔR² to it (−1 and R² if none).
    When a slot is freed, the last active slot moves into it, so the active slots stay contiguous.
    """
    node, near, near2 = np.arange(n), np.full(n, -1), np.full(n, radius * radius)
    weight, rapidity, phi = np.empty(n), np.empty(n), np.empty(n)
    for s in range(n):
        weight[s], rapidity[s], phi[s] = _place(nodes[s], power)
        _meet(rapidity, phi, near, near2, s, s, -1, radius * radius)
    made, active = n, n
    unit = 1.0 if radius == math.inf else radius * radius
    while active > 0:
        keep, smallest = _closest(weight, near, near2, active)
        drop = near[keep]
        if drop >= 0:
            keep, drop = min(keep, drop), max(keep, drop)
            _merge(nodes, children, parent, node[keep], node[drop], made, winner_takes_all)
            distance[made] = smallest / unit
            node[keep] = made
            weight[keep], rapidity[keep], phi[keep] = _place(nodes[made], power)
            made += 1
        else:
            keep, drop = -1, keep
        active -= 1
        node[drop], near[drop], near2[drop] = node[active], near[active], near2[active]
        weight[drop], rapidity[drop], phi[drop] = weight[active], rapidity[active], phi[active]
        # Only slots whose nearest neighbour vanished need a new search: on average O(1) of them, hence N² in all.
        for s in range(active):
            if s != keep and (near[s] == drop or (keep >= 0 and near[s] == keep)):
                near[s], near2[s] = _nearest(rapidity, phi, s, active, radius * radius)
            elif near[s] == active:
                near[s] = drop
        if keep >= 0:
            _meet(rapidity, phi, near, near2, keep, active, keep, radius * radius)
    return made


@kernel
def _place(p4: Float[np.ndarray, "4"], power: float) -> tuple[float, float, float]:
    """Return the weight pT^2p, the rapidity and the azimuth of a node."""
    pt, rapidity, phi = point(p4[0], p4[1], p4[2], p4[3])
    if power == CAMBRIDGE:
        return 1.0, rapidity, phi
    if power == KT:
        return pt * pt, rapidity, phi
    return max(pt, 1e-100) ** (2 * power), rapidity, phi


@kernel
def _meet(
    rapidity: Float[np.ndarray, "n"],
    phi: Float[np.ndarray, "n"],
    near: Int[np.ndarray, "n"],
    near2: Float[np.ndarray, "n"],
    s: int,
    active: int,
    skip: int,
    limit: float,
) -> None:
    """Find the nearest neighbour of the new slot s among the active slots, and make s theirs where it is nearer."""
    best, best2 = -1, limit
    y, azimuth = rapidity[s], phi[s]
    for t in range(active):
        separation = squared_distance(y, azimuth, rapidity[t], phi[t])
        if t == skip:
            continue
        if separation < best2:
            best, best2 = t, separation
        if separation < near2[t]:
            near[t], near2[t] = s, separation
    near[s], near2[s] = best, best2


@kernel
def _nearest(
    rapidity: Float[np.ndarray, "n"], phi: Float[np.ndarray, "n"], s: int, active: int, limit: float
) -> tuple[int, float]:
    """Return the nearest neighbour of slot s and the ΔR² to it, or −1 and the limit."""
    best, best2 = -1, limit
    y, azimuth = rapidity[s], phi[s]
    for t in range(active):
        separation = squared_distance(y, azimuth, rapidity[t], phi[t])
        if separation < best2 and t != s:
            best, best2 = t, separation
    return best, best2


@kernel
def _closest(
    weight: Float[np.ndarray, "n"], near: Int[np.ndarray, "n"], near2: Float[np.ndarray, "n"], active: int
) -> tuple[int, float]:
    """Return the slot with the smallest distance, and that distance times R²."""
    best, smallest = -1, math.inf
    for s in range(active):
        scale = weight[s] if near[s] < 0 else min(weight[s], weight[near[s]])
        if best < 0 or scale * near2[s] < smallest:
            best, smallest = s, scale * near2[s]
    return best, smallest


@kernel
def _merge(
    nodes: Float[np.ndarray, "K 4"],
    children: Int[np.ndarray, "K 2"],
    parent: Int[np.ndarray, "K"],
    a: int,
    b: int,
    made: int,
    winner_takes_all: bool,
) -> None:
    """Write the sum of nodes a and b to the node ``made``."""
    if winner_takes_all:
        _add_to_winner(nodes, a, b, made)
    else:
        for c in range(4):
            nodes[made, c] = nodes[a, c] + nodes[b, c]
    children[made, 0], children[made, 1] = min(a, b), max(a, b)
    parent[a] = parent[b] = made


@kernel
def _add_to_winner(nodes: Float[np.ndarray, "K 4"], a: int, b: int, made: int) -> None:
    """Rescale the node of larger pT, at fixed rapidity, azimuth and mass, to the sum of the transverse momenta."""
    pt_a, pt_b = math.hypot(nodes[a, 1], nodes[a, 2]), math.hypot(nodes[b, 1], nodes[b, 2])
    winner, pt_winner = (a, pt_a) if pt_a >= pt_b else (b, pt_b)
    energy, px, py, pz = nodes[winner]
    transverse_mass2 = max((energy - pz) * (energy + pz), pt_winner**2)
    stretch = (pt_a + pt_b) / pt_winner if pt_winner > 0 else 1.0
    mass2 = transverse_mass2 - pt_winner**2
    longitudinal = math.sqrt((mass2 + (pt_a + pt_b) ** 2) / transverse_mass2) if transverse_mass2 > 0 else 1.0
    nodes[made, 0], nodes[made, 3] = energy * longitudinal, pz * longitudinal
    nodes[made, 1], nodes[made, 2] = px * stretch, py * stretch


@kernel
def _leaves(
    children: Int[np.ndarray, "K 2"], nodes: Int[np.ndarray, "n"]
) -> tuple[Int[np.ndarray, "m"], Int[np.ndarray, "bounds"]]:
    size = np.ones(len(children), dtype=np.int64)
    for k in range(len(children)):
        if children[k, 0] >= 0:
            size[k] = size[children[k, 0]] + size[children[k, 1]]
    offsets = np.zeros(len(nodes) + 1, dtype=np.int64)
    for i in range(len(nodes)):
        offsets[i + 1] = offsets[i] + size[nodes[i]]
    leaves = np.empty(offsets[-1], dtype=np.int64)
    for i in range(len(nodes)):
        # Nodes still to be opened wait at the front, leaves gather at the back: together never more than the leaves.
        waiting, end = offsets[i], offsets[i + 1]
        leaves[waiting] = nodes[i]
        while waiting >= offsets[i]:
            k = leaves[waiting]
            if children[k, 0] >= 0:
                leaves[waiting] = children[k, 0]
                waiting += 1
                leaves[waiting] = children[k, 1]
            else:
                end -= 1
                leaves[end] = k
                waiting -= 1
    return leaves, offsets
