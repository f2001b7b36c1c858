"""All multigraphs up to a number of edges: the names of the energy flow polynomials."""

from __future__ import annotations

from functools import cache
from itertools import combinations_with_replacement

Multigraph = tuple[tuple[int, int], ...]
"""Edges (u, v), u < v, one entry for each time that an edge is drawn; vertices are 0, 1, 2, …"""


@cache
def connected_multigraphs(edges: int) -> tuple[Multigraph, ...]:
    """The connected multigraphs without loops of exactly so many edges, one for each isomorphism class.

    Each is a smaller one with one more edge, to a new vertex or between old ones: a connected graph always has an edge
    that can be taken away without breaking the rest. Sorted by vertices, then by their canonical form.

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
    """All multigraphs of at most so many edges and without lone vertices, as collections of connected parts.

    The first is the empty graph; the others follow by edges, then by number of parts.

    Example:
        >>> multigraphs(2)[1:3]
        ((((0, 1),),), (((0, 1), (0, 1)),))
        >>> [len(multigraphs(d)) for d in (5, 6, 7)]
        [102, 314, 1000]
    """
    return tuple(parts for d in range(edges + 1) for pieces in _partitions(d, d) for parts in _choices(pieces))


def canonical(graph: Multigraph) -> Multigraph:
    """The same multigraph with its vertices numbered in a way that does not depend on how they were numbered.

    Vertices are numbered one by one, always one whose (degree, edges to those already numbered) is largest; where
    several are, all are tried, except twins: vertices that can be exchanged without changing the graph.

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
    """One vertex of each set of twins."""
    kept: list[int] = []
    for c in vertices:
        if not any(all(count[c][x] == count[k][x] for x in range(len(count)) if x not in (c, k)) for k in kept):
            kept.append(c)
    return kept


def _partitions(total: int, largest: int) -> list[tuple[int, ...]]:
    """Falling positive integers, none above the largest, that add up to the total."""
    if total == 0:
        return [()]
    return [(first, *rest) for first in range(min(total, largest), 0, -1) for rest in _partitions(total - first, first)]


def _choices(pieces: tuple[int, ...]) -> list[tuple[Multigraph, ...]]:
    """All collections of connected multigraphs with these numbers of edges."""
    if not pieces:
        return [()]
    same = pieces.count(pieces[0])
    return [
        (*first, *rest)
        for first in combinations_with_replacement(connected_multigraphs(pieces[0]), same)
        for rest in _choices(pieces[same:])
    ]
