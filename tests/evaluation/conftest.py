"""Gaussian scores, whose ROC curve is known."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest

from jetkit.evaluation.ranking import Ranking, rank

Toy = Callable[..., tuple[np.ndarray, np.ndarray]]


@pytest.fixture(scope="session")
def gaussian() -> Toy:
    """Two-class logits and labels: the score is Gaussian of width one, at 0 for background and at d for signal."""

    def draw(signal: int, background: int, d: float, seed: int, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        label = np.repeat([1, 0], [signal, background])
        score = rng.normal(size=len(label)) + d * label
        score = score + noise * np.random.default_rng(seed + 1).normal(size=len(label))
        return np.stack([np.zeros(len(label)), d * (score - d / 2)], axis=1), label

    return draw


@pytest.fixture(scope="session")
def ranked(gaussian: Toy) -> Callable[..., Ranking]:
    def draw(signal: int, background: int, d: float, seed: int) -> Ranking:
        logits, label = gaussian(signal, background, d, seed)
        return rank(logits[:, 1], label == 1)

    return draw


@pytest.fixture(scope="session")
def true_rejection() -> Callable[[float, float], float]:
    """1/ε_B at ε_S of two Gaussians of width one, d apart: ε_B = Φ(Φ⁻¹(ε_S) − d)."""
    normal = NormalDist()
    return lambda d, efficiency: 1 / normal.cdf(normal.inv_cdf(efficiency) - d)


@pytest.fixture(scope="session")
def four_classes() -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    rng = np.random.default_rng(5)
    label = rng.integers(4, size=3000)
    logits = rng.normal(size=(3000, 4))
    logits[np.arange(3000), label] += 1.5
    return logits, label, ("QCD", "Hbb", "Tbqq", "Tbl")
