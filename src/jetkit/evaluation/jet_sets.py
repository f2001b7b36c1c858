"""Sets of jets as generators give them, and the quantities by which two sets are compared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from jetkit.errors import JetkitError
from jetkit.physics import four_vectors as fv
from jetkit.physics.energy_flow import energy_flow_polynomials
from jetkit.physics.multigraphs import Multigraph, multigraphs
from jetkit.physics.ragged import ragged_from_padded

EDGES = 4
"""Most edges of the energy flow polynomials."""
STEEPEST = 100.0
"""Largest |Δη|: cosh² of it is still a number."""


def vertices(graph: tuple[Multigraph, ...]) -> int:
    """Number of vertices of a multigraph, given as its connected parts: the degree of its polynomial in z.

    Example:
        >>> vertices((((0, 1), (0, 2)), ((0, 1),)))
        5
    """
    return sum(1 + max(v for _, v in part) for part in graph)


GRAPHS = multigraphs(EDGES)
"""The 36 multigraphs of up to four edges, the empty one included."""
FOUR_OF_FOUR = tuple(g for g, graph in enumerate(GRAPHS) if list(map(len, graph)) == [4] and vertices(graph) == 4)
"""Which of them are connected and have four vertices and four edges: five."""


@dataclass(frozen=True)
class JetSet:
    """Jets as padded particles (pT/pT_jet, Δη, Δφ) about the axis of their jet, and the mask of real particles.

    Raises:
        JetkitError: the shapes do not fit, there are fewer particles than jets, or a particle is not finite, has a
            negative pT or |Δη| > 100.

    Example:
        >>> pair = JetSet(np.array([[[0.5, 0.0, 0.1], [0.5, 0.0, -0.1]]]), np.array([[True, True]]))
        >>> len(pair), pair.mass.round(4).tolist(), pair.energy_flow.shape
        (1, [0.0998], (1, 36))
    """

    particles: Float[np.ndarray, "J N 3"]
    mask: Bool[np.ndarray, "J N"]

    def __post_init__(self) -> None:
        shape, mask = np.shape(self.particles), np.asarray(self.mask)
        if len(shape) != 3 or shape[2] != 3 or mask.shape != shape[:2] or mask.dtype != bool:
            found = f"{shape} and {mask.dtype} {mask.shape}"
            raise JetkitError(f"particles and mask should have the shapes (J, N, 3) and bool (J, N), got {found}")
        flat = self.flat
        if len(flat) < len(self):
            raise JetkitError(f"a set should have a particle a jet or more, got {len(flat)} in {len(self)} jets")
        wrong = int((~np.isfinite(flat).all(axis=1) | (flat[:, 0] < 0) | (np.abs(flat[:, 1]) > STEEPEST)).sum())
        if wrong:
            raise JetkitError(
                f"{wrong} of {len(flat)} particles are not finite or have pT < 0 or |Δη| > {STEEPEST:g}: "
                "cut them or mask them first"
            )

    def __len__(self) -> int:
        return len(self.mask)

    @property
    def flat(self) -> Float[np.ndarray, "M 3"]:
        """The real particles, jet after jet, in double precision."""
        return np.asarray(self.particles[self.mask], dtype=np.float64)

    @property
    def jet(self) -> Int[np.ndarray, " M"]:
        """The jet that each real particle is in."""
        return np.asarray(self.mask.nonzero()[0])

    @cached_property
    def p4(self) -> Float[np.ndarray, "J N 4"]:
        """Massless momenta in units of the jet's pT, zero where padded."""
        p4 = np.zeros((*self.mask.shape, 4))
        pt, deta, dphi = self.flat.T
        p4[self.mask] = fv.from_ptetaphim(pt, deta, dphi, np.zeros_like(pt))
        return p4

    @cached_property
    def mass(self) -> Float[np.ndarray, " J"]:
        """Mass of the jet over its pT."""
        return np.asarray(fv.mass(self.p4.sum(axis=1)))

    @cached_property
    def energy_flow(self) -> Float[np.ndarray, "J 36"]:
        """Energy flow polynomials of `GRAPHS` with z = pT/pT_jet, which need not add up to 1, and θ = ΔR."""
        over_sum = energy_flow_polynomials(*ragged_from_padded(self.p4, self.mask), degree=EDGES)
        total = fv.pt(self.p4).sum(axis=1)
        return np.asarray(over_sum * total[:, None] ** [vertices(graph) for graph in GRAPHS])

    def take(self, rows: Int[np.ndarray, " n"]) -> JetSet:
        """Some of the jets.

        Example:
            >>> three = JetSet(np.ones((3, 2, 3)), np.ones((3, 2), dtype=bool))
            >>> len(three.take(np.array([0, 2])))
            2
        """
        return JetSet(self.particles[rows], self.mask[rows])

    def halves(self, rng: np.random.Generator) -> tuple[JetSet, JetSet]:
        """Two random parts that share no jet, as large as each other or one jet apart.

        Example:
            >>> three = JetSet(np.ones((3, 2, 3)), np.ones((3, 2), dtype=bool))
            >>> tuple(map(len, three.halves(np.random.default_rng(0))))
            (1, 2)
        """
        order = rng.permutation(len(self))
        return self.take(order[: len(self) // 2]), self.take(order[len(self) // 2 :])


def scaled_energy_flow(real: JetSet, *others: JetSet) -> tuple[Float[np.ndarray, "J 36"], ...]:
    """Energy flow polynomials of all sets, each over its largest size in the real jets, where that is not 0.

    Example:
        >>> pair = JetSet(np.array([[[0.5, 0.0, 0.1], [0.5, 0.0, -0.1]]]), np.array([[True, True]]))
        >>> scaled_energy_flow(pair)[0][0, :4].tolist()
        [1.0, 1.0, 1.0, 1.0]
    """
    largest = np.abs(real.energy_flow).max(axis=0)
    return tuple(jets.energy_flow / np.where(largest > 0, largest, 1.0) for jets in (real, *others))
