"""Learning-rate test: the loss while the rate grows from step to step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice

import numpy as np

from jetkit.errors import JetkitError
from jetkit.progress import Report, silent
from jetkit.store.options import RunOptions
from jetkit.training.assembly import assemble, may_idle
from jetkit.training.loop import rehearse, shared
from jetkit.training.machine import make_fabric, threads_of
from jetkit.training.seeds import set_random_state

LOWEST, HIGHEST, STEPS = 1e-6, 1.0, 200
SMOOTHING = 0.9
"""Weight of the past in the smoothed loss."""
FAILED = 4.0
"""Ratio of the smoothed loss to its minimum at which the test ends."""


@dataclass(frozen=True)
class RateTest:
    """Result of a learning-rate test."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    """Smoothed loss at each rate."""
    suggestion: float
    """Suggested learning rate."""


def find_learning_rate(options: RunOptions, report: Report = silent) -> RateTest:
    """Train for at most 200 steps at r_i = 10⁻⁶ · 10^{6i/199} and record the loss; nothing is written.

    The loss is smoothed, s ← 0.9 s + 0.1 ℓ, and corrected for the bias of its start. The test ends early when s exceeds
    4 times its minimum or the loss is not finite. `suggested_rate` chooses the rate.

    Source: Cyclical Learning Rates for Training Neural Networks, 2015, arXiv:1506.01186.

    Raises:
        JetkitError: data, options or hyperparameters do not fit, or the loss is not finite from the start.
    """
    fabric = make_fabric(options.machine, idle=may_idle(options))
    rates = np.geomspace(LOWEST, HIGHEST, STEPS).tolist()
    losses: list[float] = []
    with threads_of(options.machine.threads):
        training, _ = assemble(options, fabric, report)
        training.door.train()
        batches = (batch for _ in range(STEPS) for batch in training.train)
        mean = 0.0
        for step, batch in enumerate(islice(batches, STEPS)):
            set_random_state(options.seed, fabric.global_rank, step)
            loss = rehearse(training, batch, rates[step]).item()
            mean = SMOOTHING * mean + (1 - SMOOTHING) * shared(fabric, [loss / fabric.world_size])[0]
            losses.append(mean / (1 - SMOOTHING ** (step + 1)))
            if not losses[-1] <= FAILED * min(losses):
                break
            training.report(step + 1, STEPS, "learning rates")
    kept = [loss for loss in losses if math.isfinite(loss)]
    return RateTest(tuple(rates[: len(kept)]), tuple(kept), suggested_rate(rates[: len(kept)], kept))


def suggested_rate(rates: list[float], losses: list[float]) -> float:
    """Return the rate at which the smoothed loss falls fastest with ln r, at most a tenth of the rate at its minimum.

    Raises:
        JetkitError: the loss was not finite from the start.

    Example:
        >>> rates = [1e-4, 1e-3, 1e-2, 1e-1, 1.0]
        >>> suggested_rate(rates, [0.7, 0.69, 0.5, 0.4, 2.0])
        0.01
    """
    if len(losses) < 2:
        raise JetkitError("the loss is not finite at the lowest rates: look for odd values in the data")
    lowest = rates[int(np.argmin(losses))]
    steepest = rates[int(np.argmin(np.gradient(losses, np.log(rates))))]
    return float(min(steepest, lowest / 10))
