"""How well generated jets are distributed as real ones are, beside how well other real ones are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from pydantic.dataclasses import dataclass

from jetkit.errors import JetkitError
from jetkit.evaluation.frechet import frechet_physics_distance
from jetkit.evaluation.jet_sets import FOUR_OF_FOUR, JetSet, scaled_energy_flow
from jetkit.evaluation.kernel_distance import kernel_physics_distance
from jetkit.evaluation.number import Number
from jetkit.evaluation.record import Record
from jetkit.evaluation.wasserstein import drawn_counts, wasserstein_distances

PUBLISHED = 50_000
"""Jets of each sample in the source."""
REPLICAS = 5
LEAST = 1000
"""Fewest jets of a sample: 100 in a batch of the kernel distance, 400 for a covariance of 36 polynomials."""


class ParticleW1(NamedTuple):
    """W1 of pT/pT_jet, Δη and Δφ of the particles, and the mean of the three (W1P)."""

    pt: Number
    eta: Number
    phi: Number
    mean: Number


@dataclass(frozen=True)
class SetDistance(Record):
    """One distance.

    Attributes:
        generated: of generated jets from real ones.
        real: of other real jets from the same real ones; as small as a perfect generator's.
    """

    generated: Number
    real: Number

    def __str__(self) -> str:
        return f"{self.generated} (real: {self.real})"


@dataclass(frozen=True)
class SetMetrics(Record):
    """Distances of generated jets from real ones.

    Attributes:
        w1_mass: W1M, of the mass of the jet over its pT.
        w1_pt: of the particles' pT over that of the jet.
        w1_eta: of the particles' Δη from the jet.
        w1_phi: of the particles' Δφ from the jet.
        w1_particles: W1P, mean of these three.
        w1_efp: W1EFP, mean over the five connected energy flow polynomials of four vertices and four edges.
        fpd: Fréchet physics distance of 36 energy flow polynomials.
        kpd: kernel physics distance of the same.
        jets: of each of the three samples; distances of samples of different sizes cannot be compared.
        seed: of all random choices.
    """

    w1_mass: SetDistance
    w1_pt: SetDistance
    w1_eta: SetDistance
    w1_phi: SetDistance
    w1_particles: SetDistance
    w1_efp: SetDistance
    fpd: SetDistance
    kpd: SetDistance
    jets: int
    seed: int


def set_metrics(
    real: JetSet, generated: JetSet, other_real: JetSet | None = None, *, jets: int = PUBLISHED, seed: int = 0
) -> SetMetrics:
    """W1M, W1P, W1EFP, FPD and KPD of generated jets from real ones, and of other real ones from the same real ones.

    The other real jets are a second sample or, without one, a random half of the real ones, the other half of which
    then stands for all. The three samples have the same number of jets: ``jets``, or what the smallest has.

    Source: On the Evaluation of Generative Models in High Energy Physics, 2022, arXiv:2211.10295.

    Raises:
        JetkitError: a sample has fewer than 1000 jets.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> def toy(jets, width):
        ...     pt, place = rng.dirichlet(np.ones(5), jets), rng.normal(scale=width, size=(jets, 5, 2))
        ...     return JetSet(np.concatenate([pt[..., None], place], axis=2), np.ones((jets, 5), dtype=bool))
        >>> metrics = set_metrics(toy(2000, 0.1), toy(1000, 0.11))
        >>> print(metrics.w1_eta.generated.value > 2 * metrics.w1_eta.real.value, metrics.jets)
        True 1000
    """
    rng = np.random.default_rng(seed)
    if other_real is None:
        real, other_real = real.halves(rng)
    samples = {"real": real, "other real": other_real, "generated": generated}
    jets = min(jets, *map(len, samples.values()))
    if jets < LEAST:
        found = ", ".join(f"{len(sample)} {name}" for name, sample in samples.items())
        raise JetkitError(f"sets of jets are compared by {LEAST} jets or more of each; there are {found}")
    real, other_real, generated = (sample.take(rng.permutation(len(sample))[:jets]) for sample in samples.values())
    ours, floor = _distances(real, generated, seed), _distances(real, other_real, seed)
    return SetMetrics(**{name: SetDistance(ours[name], floor[name]) for name in ours}, jets=jets, seed=seed)


def w1_mass(real: JetSet, generated: JetSet, *, jets: int = PUBLISHED, seed: int = 0) -> Number:
    """W1M: W1 of the relative jet mass, mean ± standard deviation of five bootstrap samples of so many jets.

    The standard deviation does not hold the fluctuation of the sets themselves, nor that W1 of finite samples of one
    distribution is not 0: see W1 of real jets from real ones.

    Source: Particle Cloud Generation with Message Passing Generative Adversarial Networks, 2021, arXiv:2106.11535.

    Raises:
        JetkitError: a set is empty.

    Example:
        >>> pair = JetSet(np.array([[[0.5, 0.0, 0.1], [0.5, 0.0, -0.1]]] * 9), np.ones((9, 2), dtype=bool))
        >>> print(w1_mass(pair, pair))
        0 ± 0
    """
    return _w1_of_jets(real, generated, real.mass[:, None], generated.mass[:, None], jets, seed)


def w1_efp(real: JetSet, generated: JetSet, *, jets: int = PUBLISHED, seed: int = 0) -> Number:
    """W1EFP: mean of W1 over the five energy flow polynomials of connected graphs of four vertices and four edges.

    Bootstrap and source are those of `w1_mass`.

    Raises:
        JetkitError: a set is empty.
    """
    x, y = (jet_set.energy_flow[:, FOUR_OF_FOUR] for jet_set in (real, generated))
    return _w1_of_jets(real, generated, x, y, jets, seed)


def w1_particles(real: JetSet, generated: JetSet, *, jets: int = PUBLISHED, seed: int = 0) -> ParticleW1:
    """W1 of the features of all particles, and W1P, their mean; a jet is drawn with all of its particles.

    Bootstrap and source are those of `w1_mass`.

    Raises:
        JetkitError: a set is empty.

    Example:
        >>> pair = JetSet(np.array([[[0.5, 0.0, 0.1], [0.5, 0.0, -0.1]]] * 9), np.ones((9, 2), dtype=bool))
        >>> moved = JetSet(pair.particles + [0.0, 0.3, 0.0], pair.mask)
        >>> w1 = w1_particles(pair, moved)
        >>> round(w1.eta.value, 6), round(w1.phi.value, 6), round(w1.mean.value, 6)
        (0.3, 0.0, 0.1)
    """
    counts, draws = _counts(real, generated, jets, seed)
    columns = zip(real.flat.T, generated.flat.T, strict=True)
    w1 = np.stack([wasserstein_distances(x, y, real.jet, generated.jet, *counts) for x, y in columns])
    return ParticleW1(*(_number(values, draws) for values in (*w1, w1.mean(axis=0))))


def _distances(real: JetSet, other: JetSet, seed: int) -> dict[str, Number]:
    particles, (x, y) = w1_particles(real, other, seed=seed), scaled_energy_flow(real, other)
    return {
        "w1_mass": w1_mass(real, other, seed=seed),
        "w1_pt": particles.pt,
        "w1_eta": particles.eta,
        "w1_phi": particles.phi,
        "w1_particles": particles.mean,
        "w1_efp": w1_efp(real, other, seed=seed),
        "fpd": frechet_physics_distance(x, y, seed=seed),
        "kpd": kernel_physics_distance(x, y, seed=seed),
    }


def _w1_of_jets(
    real: JetSet,
    generated: JetSet,
    x: Float[np.ndarray, "J D"],
    y: Float[np.ndarray, "K D"],
    jets: int,
    seed: int,
) -> Number:
    """Mean over the columns of W1 of quantities of jets."""
    counts, draws = _counts(real, generated, jets, seed)
    rows = np.arange(len(x)), np.arange(len(y))
    w1 = [wasserstein_distances(a, b, *rows, *counts) for a, b in zip(x.T, y.T, strict=True)]
    return _number(np.mean(w1, axis=0), draws)


def _counts(
    real: JetSet, generated: JetSet, jets: int, seed: int
) -> tuple[tuple[Int[np.ndarray, "R J"], Int[np.ndarray, "R K"]], int]:
    """How often each jet of the two sets is counted in each bootstrap sample, and the size of these."""
    draws = min(jets, len(real), len(generated))
    if draws < 1:
        raise JetkitError("a set of jets is empty")
    rng = np.random.default_rng(seed)
    return (drawn_counts(len(real), draws, REPLICAS, rng), drawn_counts(len(generated), draws, REPLICAS, rng)), draws


def _number(replicas: Float[np.ndarray, " R"], jets: int) -> Number:
    return Number(float(replicas.mean()), float(replicas.std(ddof=1)), jets)
