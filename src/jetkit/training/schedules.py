"""Learning-rate schedules: the fraction of the highest rate at each point of a training."""

from __future__ import annotations

import math
from collections.abc import Callable

from jetkit.registry import entry, register

Schedule = Callable[[float, int], float]
"""(epochs done, with fraction; total epochs) → factor."""


@register("constant", kind="schedule")
def constant(epoch: float, epochs: int) -> float:
    """Constant learning rate: the factor is 1 throughout.

    Example:
        >>> constant(3.5, 10)
        1.0
    """
    return 1.0


@register("one-cycle", kind="schedule")
def one_cycle(epoch: float, epochs: int) -> float:
    """Cosine from 1/10 up to 1 over 3/10 of the training, then a cosine down to 1e-4.

    Source: Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates, 2017, arXiv:1708.07120.

    Example:
        >>> [round(one_cycle(epoch, 10), 2) for epoch in (0, 3, 6.5, 10)]
        [0.1, 1.0, 0.5, 0.0]
    """
    share = epoch / epochs
    if share < 0.3:
        return _cosine(0.1, 1.0, share / 0.3)
    return _cosine(1.0, 1e-4, (share - 0.3) / 0.7)


@register("cosine", kind="schedule")
def cosine(epoch: float, epochs: int) -> float:
    """Linear warm-up over 5 % of the training, then a cosine down to 0.

    Source: SGDR: Stochastic Gradient Descent with Warm Restarts, 2016, arXiv:1608.03983.

    Example:
        >>> [round(cosine(epoch, 20), 3) for epoch in (0, 0.5, 1, 10.5, 20)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    share = epoch / epochs
    return share / 0.05 if share < 0.05 else _cosine(1.0, 0.0, (share - 0.05) / 0.95)


@register("flat-decay", kind="schedule")
def flat_decay(epoch: float, epochs: int) -> float:
    """Factor 1 for 70 % of the epochs, then geometric decay per epoch to 1/100 as in weaver-core; 1 for one epoch.

    Example:
        >>> [round(flat_decay(epoch, 10), 3) for epoch in (0, 6.9, 7, 9.9)]
        [1.0, 1.0, 0.215, 0.01]
    """
    if epochs == 1:
        return 1.0
    decaying = max(1, int(0.3 * epochs))
    steps = max(0, math.floor(epoch) - (epochs - decaying) + 1)
    return float(0.01 ** (min(steps, decaying) / decaying))


@register("warm-restarts", kind="schedule")
def warm_restarts(epoch: float, epochs: int) -> float:
    """Schedule of LorentzNet: linear warm-up over 5 of 35 epochs, cosines of 4, 8 and 16, then halving in each of 4.

    With another number of epochs, all lengths scale.

    Source: An efficient Lorentz equivariant graph neural network for jet tagging, 2022, arXiv:2201.08187.

    Example:
        >>> [round(warm_restarts(epoch, 35), 2) for epoch in (0, 2.5, 5, 7, 9, 17, 25)]
        [0.0, 0.5, 1.0, 0.5, 1.0, 1.0, 0.5]
    """
    now = epoch * 35 / epochs
    if now < 5:
        return now / 5
    if now >= 31:
        return _cosine(1.0, 0.0, (31 - 17) / 16) * 0.5 ** (1 + math.floor(min(now, 34.5) - 31))
    start, length = next((s, n) for s, n in ((17, 16), (9, 8), (5, 4)) if now >= s)
    return _cosine(1.0, 0.0, (now - start) / length)


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


def schedule(name: str) -> Schedule:
    """Return a registered schedule.

    Raises:
        JetkitError: an unknown name.

    Example:
        >>> schedule("cosine")(1, 20)
        1.0
    """
    found: Schedule = entry(name, "schedule").cls
    return found
