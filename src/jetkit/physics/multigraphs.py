"""All multigraphs up to a number of edges, which index the energy flow polynomials."""

from __future__ import annotations

from functools import cache
from itertools import combinations_with_replacement

Multigraph = tuple[tuple[int, int], ...]
"""Edges (u, v) with u < v, one entry per multiplicity; vertices are 0, 1, 2, …"""


@cache
def connected_multigraphs(edges: int) -> tuple[Multigraph, ...]:
    """Return the connected loopless multigraphs with exactly ``edges`` edges, one per isomorphism class.

    Each graph extends a smaller one by an edge, either to a new vertex or between old ones. This reaches all graphs,
    because every connected graph has an edge whose removal leaves the rest connected. They are sorted by the number of
    vertices, then by canonical form.

    Example:
        >>> connected_multigraphs(2)
        (((0, 1), (0, 1)), ((0, 1), (0, 2)))
        >>> [len(connected_multigraphs(d)) for d in range(1, 7)]
        [1, 2, 5, 12, 33, 103]
    """
    if edges == 1:
        return (((0, 1),),)
    found = set()
    for graph in connected_multigraphs(edges - 1):
        n = 1 + max(v for _, v in graph)
        for v in range(1, n + 1):
            for u in range(min(v, n)):
                found.add(canonical((*graph, (u, v))))
    return tuple(sorted(found, key=lambda graph: (max(v for _, v in graph), graph)))


@cache
def multigraphs(edges: int) -> tuple[tuple[Multigraph, ...], ...]:
    """Return all multigraphs with at most ``edges`` edges and no isolated vertices, as tuples of connected parts.

    The empty graph comes first; the others are sorted by number of edges, then by number of parts.

    Example:
        >>> multigraphs(2)[1:3]
        ((((0, 1),),), (((0, 1), (0, 1)),))
        >>> [len(multigraphs(d)) for d in (5, 6, 7)]
        [102, 314, 1000]
    """
    return tuple(parts for d in range(edges + 1) for pieces in _partitions(d, d) for parts in _choices(pieces))


def canonical(graph: Multigraph) -> Multigraph:
    """Return the isomorphic multigraph with canonically numbered vertices.

    Vertices are numbered one by one, always one with the largest (degree, edges to vertices already numbered). Ties are
    all tried, except between twins: vertices whose exchange leaves the graph unchanged.

    Example:
        >>> canonical(((0, 1), (1, 2), (1, 2))) == canonical(((0, 2), (0, 1), (0, 2)))
        True
    """
    n = 1 + max(v for _, v in graph)
    count = [[0] * n for _ in range(n)]
    for u, v in graph:
        count[u][v] += 1
        count[v][u] += 1
    orders: list[tuple[int, ...]] = [()]
    for _ in range(n):
        grown = [
            ((sum(count[c]), *(count[c][o] for o in order)), (*order, c))
            for order in orders
            for c in _unlike(count, [c for c in range(n) if c not in order])
        ]
        largest = max(row for row, _ in grown)
        orders = [order for row, order in grown if row == largest]
    number = {vertex: position for position, vertex in enumerate(orders[0])}
    return tuple(sorted((min(number[u], number[v]), max(number[u], number[v])) for u, v in graph))


def _unlike(count: list[list[int]], vertices: list[int]) -> list[int]:
    """Return one vertex of each set of twins."""
    kept: list[int] = []
    for c in vertices:
        if not any(all(count[c][x] == count[k][x] for x in range(len(count)) if x not in (c, k)) for k in kept):
            kept.append(c)
    return kept


def _partitions(total: int, largest: int) -> list[tuple[int, ...]]:
    """Return the non-increasing positive integers, none above ``largest``, that add up to ``total``."""
    if total == 0:
        return [()]
    return [(first, *rest) for first in range(min(total, largest), 0, -1) for rest in _partitions(total - first, first)]


def _choices(pieces: tuple[int, ...]) -> list[tuple[Multigraph, ...]]:
    """Return all collections of connected multigraphs with these numbers of edges."""
    if not pieces:
        return [()]
    same = pieces.count(pieces[0])
    return [
        (*first, *rest)
        for first in combinations_with_replacement(connected_multigraphs(pieces[0]), same)
        for rest in _choices(pieces[same:])
    ]
