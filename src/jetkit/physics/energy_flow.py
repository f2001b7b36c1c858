"""Energy flow polynomials: a linear basis of the infrared- and collinear-safe observables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from threadpoolctl import threadpool_limits

from jetkit.errors import JetkitError
from jetkit.physics.four_vectors import delta_phi
from jetkit.physics.multigraphs import Multigraph, connected_multigraphs, multigraphs
from jetkit.physics.ragged import pt_rapidity_phi, ragged

HIGHEST = 7
"""Largest degree: up to it, every graph but the tetrahedron can be summed vertex by vertex in N³ operations."""
BATCH = 8
"""Jets evaluated together: enough to hide the bookkeeping, few enough to fit into the processor's cache."""

Weight = tuple[Any, ...]
"""Messages (edge, weight) that a vertex received from eliminated vertices; its value is z times their product."""
Edge = tuple[int, tuple[Any, ...]]
"""Power of θ, and the paths (edge, weight, edge) through eliminated vertices; its value is their product, (N, N)."""


def energy_flow_polynomials(
    p4: Float[np.ndarray, "M 4"], offsets: Int[np.ndarray, "bounds"], *, degree: int = 5, beta: float = 1.0
) -> Float[np.ndarray, "J graphs"]:
    """Compute EFP_G = Σ_{i1 … iN} z_i1 … z_iN Π_{(k,l) ∈ G} θ_kl for all graphs G of ``multigraphs(degree)``.

    The columns follow the order of ``multigraphs(degree)``. z = pT/Σ pT and θ = ΔR^β; each sum runs over all particles
    independently.

    There are 102 graphs up to degree 5, 314 up to degree 6 and 1000 up to degree 7. The polynomial of a disconnected
    graph is the product of those of its parts. Connected graphs are summed vertex by vertex: a vertex with one
    neighbour is a matrix–vector product, one with two neighbours a matrix–matrix product. Factors shared by several
    graphs are computed once. A jet without particles has EFP = 1 for the empty graph and 0 for all others.

    Args:
        p4: (M, 4) momenta (E, px, py, pz) of all particles in GeV
        offsets: (J + 1,) bounds of the jets: jet j is ``p4[offsets[j] : offsets[j + 1]]``
        degree: largest number of edges, from 0 to 7
        beta: exponent β of the angles

    Returns:
        (J, graphs) polynomials, in the order of ``multigraphs(degree)``.

    Source: Energy flow polynomials: A complete linear basis for jet substructure, 2017, arXiv:1712.07124.

    Raises:
        JetkitError: the offsets do not fit, or the degree is not between 0 and 7.

    Example:
        >>> p4 = np.array([[70.0, 70.0, 0.0, 0.0], [30.0, 30 * np.cos(0.2), 30 * np.sin(0.2), 0.0]])
        >>> energy_flow_polynomials(p4, np.array([0, 2]), degree=1).round(6).tolist()
        [[1.0, 0.084]]
    """
    if not 0 <= degree <= HIGHEST:
        raise JetkitError(f"degree should be between 0 and {HIGHEST}, got {degree}")
    p4, offsets = ragged(p4, offsets)
    particles = pt_rapidity_phi(p4)
    primes = [graph for edges in range(1, degree + 1) for graph in connected_multigraphs(edges)]
    column = {graph: c for c, graph in enumerate(primes)}
    values = np.empty((len(offsets) - 1, len(primes)))
    by_length = np.argsort(np.diff(offsets), kind="stable")
    with threadpool_limits(1, user_api="blas"):  # matrices too small to share: two threads only wait for each other
        for start in range(0, len(by_length), BATCH):
            chosen = by_length[start : start + BATCH]
            batch = _Batch(*_measure([particles[offsets[j] : offsets[j + 1]] for j in chosen], beta))
            for graph in primes:
                values[chosen, column[graph]] = batch.value(_plan(graph))
    parts = [[column[part] for part in graph] for graph in multigraphs(degree)]
    return np.stack([np.prod(values[:, columns], axis=1) for columns in parts], axis=1)


def _measure(jets: list[Float[np.ndarray, "n 3"]], beta: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the momentum fractions z (B, N), 0 where padded, and the angles θ (B, N, N)."""
    z = np.zeros((len(jets), max(len(jet) for jet in jets)))
    theta = np.zeros((*z.shape, z.shape[1]))
    for b, jet in enumerate(jets):
        n = len(jet)
        separation = (jet[:, None, 1] - jet[None, :, 1]) ** 2 + delta_phi(jet[:, None, 2], jet[None, :, 2]) ** 2
        theta[b, :n, :n] = separation ** (0.5 * beta)
        z[b, :n] = jet[:, 0] / max(jet[:, 0].sum(), np.finfo(float).tiny)
    return z, theta


@cache
def _plan(graph: Multigraph) -> tuple[str, Any, Any]:
    """Plan the summation over the vertices of a connected multigraph, fewest neighbours first."""
    weights: dict[int, Weight] = {vertex: () for edge in graph for vertex in edge}
    edges: dict[tuple[int, int], Edge] = {}
    for (u, v), power in Counter(graph).items():
        edges[u, v] = edges[v, u] = (power, ())
    while len(weights) > 1:
        neighbours = {v: [u for u in weights if (u, v) in edges] for v in weights}
        v = min(weights, key=lambda v: len(neighbours[v]))
        if len(neighbours[v]) == 3:
            assert len(weights) == 4
            return "tetrahedron", weights, edges
        a, b = neighbours[v][0], neighbours[v][-1]
        if a == b:
            weights[a] = _sorted((*weights[a], (edges[a, v], weights[v])))
        else:
            power, paths = edges.get((a, b), (0, ()))
            edges[a, b] = (power, _sorted((*paths, (edges[a, v], weights[v], edges[v, b]))))
            edges[b, a] = _reversed(edges[a, b])
        del weights[v]
        edges = {(s, t): edge for (s, t), edge in edges.items() if v not in (s, t)}
    return "vertex", next(iter(weights.values())), None


def _sorted(factors: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(sorted(factors, key=repr))


def _reversed(edge: Edge) -> Edge:
    power, paths = edge
    return power, _sorted(tuple((_reversed(second), weight, _reversed(first)) for first, weight, second in paths))


@dataclass
class _Batch:
    """Jets of similar length, with every vector and matrix already computed for them."""

    z: Float[np.ndarray, "B N"]
    theta: Float[np.ndarray, "B N N"]
    known: dict[Any, np.ndarray] = field(default_factory=dict)

    def value(self, plan: tuple[str, Any, Any]) -> Float[np.ndarray, "B"]:
        kind, weights, edges = plan
        if kind == "vertex":
            summed: Float[np.ndarray, "B"] = self._vector(weights).sum(axis=1)
            return summed
        return self._tetrahedron(weights, edges)

    def _vector(self, weight: Weight) -> Float[np.ndarray, "B N"]:
        if weight not in self.known:
            product = self.z
            for message in weight:
                product = product * self._message(message)
            self.known[weight] = product
        return self.known[weight]

    def _message(self, message: tuple[Edge, Weight]) -> Float[np.ndarray, "B N"]:
        if message not in self.known:
            edge, weight = message
            self.known[message] = (self._matrix(edge) @ self._vector(weight)[..., None])[..., 0]
        return self.known[message]

    def _matrix(self, edge: Edge) -> Float[np.ndarray, "B N N"]:
        if edge not in self.known:
            power, paths = edge
            factors = [self.theta**power] if power else []
            factors += [self._path(path) for path in paths]
            product = factors[0]
            for factor in factors[1:]:
                product = product * factor
            self.known[edge] = product
            self.known[_reversed(edge)] = product.swapaxes(1, 2)
        return self.known[edge]

    def _path(self, path: tuple[Edge, Weight, Edge]) -> Float[np.ndarray, "B N N"]:
        if path not in self.known:
            first, weight, second = path
            matrix = (self._matrix(first) * self._vector(weight)[:, None, :]) @ self._matrix(second)
            self.known[path] = matrix
            self.known[_reversed(second), weight, _reversed(first)] = matrix.swapaxes(1, 2)
        return self.known[path]

    def _tetrahedron(self, weights: dict[int, Weight], edges: dict[tuple[int, int], Edge]) -> Float[np.ndarray, "B"]:
        """Compute the complete graph of four vertices: for each particle on the first vertex, a weighted triangle."""
        a, b, c, d = weights
        side_b, side_c, side_d = (self._matrix(edges[a, v]) for v in (b, c, d))
        total = np.zeros(len(self.z))
        for i in range(self.z.shape[1]):
            through_c = (self._vector(weights[c]) * side_c[:, i])[:, None, :]
            triangle = (self._matrix(edges[b, c]) * through_c) @ self._matrix(edges[c, d]) * self._matrix(edges[b, d])
            ends = self._vector(weights[b]) * side_b[:, i], self._vector(weights[d]) * side_d[:, i]
            total += self._vector(weights[a])[:, i] * np.einsum("bi,bij,bj->b", ends[0], triangle, ends[1])
        return total
